"""The user's cache of what is downloaded or built once for every stack: Keycloak, and Postgres where needed."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from kijko.local.errors import StackError
from kijko.local.process import User


def user_cache(environ: Mapping[str, str]) -> Path:
    """`$XDG_CACHE_HOME/kijko`, else `~/.cache/kijko`."""
    base = environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "kijko"


def built(folder: Path, name: str, make: Callable[[Path], None]) -> Path:
    """The entry `name` of a cache folder, made by `make(empty folder)` when it is not there.

    Several processes may ask at once: one makes it, the others wait. A half-made entry is never seen.

    Raises:
        StackError: the cache cannot be written to.
    """
    entry = folder / name
    if entry.exists():
        return entry
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not entry.exists():
                _make(entry, make)
    except OSError as error:
        reason = error.strerror or error
        raise StackError(f"The cache {folder}: {reason}. Make room there, or set XDG_CACHE_HOME.") from error
    return entry


def _make(entry: Path, make: Callable[[Path], None]) -> None:
    temporary = Path(tempfile.mkdtemp(prefix=f".{entry.name}.", dir=entry.parent))
    try:
        temporary.chmod(0o755)
        make(temporary)
        temporary.rename(entry)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def run_as(user: User | None, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a short program as another user and keep its words.

    Raises:
        OSError: that user cannot reach or start it.
    """
    if user is None:
        return subprocess.run(argv, cwd="/", text=True, capture_output=True, check=False)
    return subprocess.run(
        argv, cwd="/", text=True, capture_output=True, check=False, user=user.uid, group=user.gid, extra_groups=[]
    )


def runs_as(user: User | None, argv: Sequence[str]) -> bool:
    """Whether this user can really run this program where it lies: every folder above it counts."""
    try:
        return run_as(user, argv).returncode == 0
    except OSError:
        return False


def may_enter(user: User | None, folder: Path) -> bool:
    """Whether this user can reach things inside the folder."""
    return runs_as(user, ("/bin/sh", "-c", 'cd "$0"', str(folder)))


def root_only(folder: Path) -> Path:
    """A system folder for what another user must reach; only root's stacks need one."""
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise StackError(f"{folder} belongs to another user. Remove it, or give it to root.")
    return folder
