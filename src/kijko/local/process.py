"""Starting, recognising and ending the processes of the stack."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import psutil

from kijko.local.errors import StackError
from kijko.local.home import Running

_LAUNCH = str(Path(__file__).with_name("launch.py"))
_LOG_LIMIT_BYTES = 20 * 1024 * 1024

Stage = Literal[0, 1, 2]


@dataclass(frozen=True)
class User:
    """Another user to run a process as; only root can ask for one."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Part:
    """One process of the stack: how it starts, how one sees that it is ready, how it ends."""

    name: str
    title: str
    argv: tuple[str, ...]
    ready: Callable[[], bool] = lambda: True
    """Asked again and again after the start; quick, and False rather than an error."""
    ready_words: str = ""
    """What its log says once it is ready, for a part that nobody can call; then `ready` is not asked."""
    address: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)
    cwd: Path = Path("/")
    user: User | None = None
    stage: Stage = 1
    """When it is stopped: 0 the servers of requests and jobs, 1 what they lean on, 2 Postgres."""
    stop_signal: signal.Signals = signal.SIGTERM
    ready_within_s: float = 30
    patience: str = ""
    """Why it takes its time, for who waits."""


def spawn(part: Part, log: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Start a part in a session of its own, its output appended to `log`; it dies with this process (on Linux).

    Returns the process and how many bytes the log had before.

    Call it from a thread that lives as long as the part: the kernel takes that thread's end for the parent's.
    """
    trim(log)
    user = part.user or User(-1, -1)
    launcher = (sys.executable, "-I", "-S", _LAUNCH, str(os.getpid()), str(int(part.stop_signal)))
    try:
        with log.open("ab") as output:
            before = output.tell()
            child = subprocess.Popen(
                (*launcher, str(user.uid), str(user.gid), *part.argv),
                env=dict(part.environ),
                cwd=part.cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            return child, before
    except OSError as error:
        raise StackError(f"{part.title} could not be started: {error.strerror}.") from error


def trim(log: Path) -> None:
    """Keep one older generation of a log that grew long. The writer appends, so it may go on meanwhile."""
    if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
        log.with_suffix(".log.1").write_bytes(log.read_bytes())
        os.truncate(log, 0)


def describe(pid: int, address: str = "", restarts: int = 0) -> Running:
    """The note by which this process is known again."""
    return Running(pid, psutil.Process(pid).create_time(), address, restarts)


def is_alive(running: Running) -> bool:
    """Whether that very process still lives: a later one with the same id does not count."""
    try:
        process = psutil.Process(running.pid)
        same = abs(process.create_time() - running.started) < 2  # the clock may have been set since
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def signal_group(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process and all of its group; one that is gone is fine."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def kill_group(pid: int) -> None:
    """End a process and its group at once."""
    signal_group(pid, signal.SIGKILL)


def end(running: Iterable[Running], number: signal.Signals, within_s: float) -> None:
    """End processes that are not our children: `number` first, SIGKILL for those that still live after `within_s`."""
    left = [each for each in running if is_alive(each)]
    for each in left:
        os.kill(each.pid, number)
    deadline = time.monotonic() + within_s
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = [each for each in left if is_alive(each)]
    for each in left:
        signal_group(each.pid, signal.SIGKILL)


def says(log: Path, words: str, offset: int) -> bool:
    """Whether these words stand in the log after `offset` bytes."""
    with log.open("rb") as file:
        file.seek(offset)
        return words.encode() in file.read()


def tail(log: Path, lines: int = 12) -> str:
    """The last lines of a log, for a message about what went wrong."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 8192))
        return "\n".join("  " + line for line in file.read().decode(errors="replace").splitlines()[-lines:])
