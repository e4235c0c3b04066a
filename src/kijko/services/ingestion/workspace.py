"""The folder where fetched repositories stay between ingestions, so that the next fetch brings only what changed.

It is this machine's own. A repository's folder is one ingestion's at a time, by a lock of the system's, which goes with
the process that holds it. Losing the folder costs a fetch.
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Final
from uuid import UUID

log = logging.getLogger(__name__)

_LOOK_S: Final = 0.1
_HISTORY: Final = "-history"
_LOCKS: Final = ".locks"


class Workspace:
    """The folder, which is made when it is not there."""

    def __init__(self, path: str | None, most_bytes: int) -> None:
        """`path`: default one in the system's folder for temporary files."""
        self.path = Path(path) if path else Path(tempfile.gettempdir()) / "kijko-repositories"
        self._most = most_bytes

    def make(self) -> None:
        """Make it. Raises OSError: it cannot be."""
        (self.path / _LOCKS).mkdir(mode=0o700, parents=True, exist_ok=True)

    def folder(self, repository_id: UUID, *, history: bool) -> Path:
        """A repository's folder, there or not; one with a past is another."""
        return self.path / f"{repository_id}{_HISTORY if history else ''}"

    @contextlib.asynccontextmanager
    async def hold(self, repository_id: UUID) -> AsyncIterator[None]:
        """A repository's folders are the caller's, until the end of the block. Waits for whoever has them."""
        self.make()
        with (self.path / _LOCKS / str(repository_id)).open("wb") as lock:
            while not _taken(lock.fileno()):  # noqa: ASYNC110  # the system tells nobody when a lock is free
                await asyncio.sleep(_LOOK_S)
            yield

    def found(self) -> dict[UUID, list[Path]]:
        """Which repositories there are, with their folders."""
        found: dict[UUID, list[Path]] = {}
        with contextlib.suppress(FileNotFoundError):
            for each in self.path.iterdir():
                with contextlib.suppress(ValueError):
                    found.setdefault(UUID(each.name.removesuffix(_HISTORY)), []).append(each)
        return found

    def tidy(self, known: Iterable[UUID]) -> None:
        """Removes the folders of repositories that are gone and, above the cap, of those that were not used longest."""
        kept: list[tuple[float, int, UUID, list[Path]]] = []
        there = set(known)
        for repository_id, folders in self.found().items():
            if repository_id not in there:
                self._remove(repository_id, folders)
            else:
                used = max(_used(each) for each in folders)
                kept.append((used, sum(_size(each) for each in folders), repository_id, folders))
        total = sum(size for _, size, _, _ in kept)
        for used, size, repository_id, folders in sorted(kept):
            if total <= self._most or time.time() - used < 60:
                return
            self._remove(repository_id, folders)
            total -= size

    def _remove(self, repository_id: UUID, folders: Iterable[Path]) -> None:
        self.make()
        lock = self.path / _LOCKS / str(repository_id)
        with lock.open("wb") as held:
            if not _taken(held.fileno()):
                return
            for each in folders:
                shutil.rmtree(each, ignore_errors=True)


def touch(folder: Path) -> None:
    """The folder is used now."""
    with contextlib.suppress(OSError):
        os.utime(folder)


def _taken(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _used(folder: Path) -> float:
    with contextlib.suppress(OSError):
        return folder.stat().st_mtime
    return 0.0


def _size(folder: Path) -> int:
    return sum(_sizes(folder))


def _sizes(folder: Path) -> Iterator[int]:
    for path, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                yield (Path(path) / name).lstat().st_size
