"""The process from which a crew's others are forked: `python -m kijko.core.crew.nursery FD BYTES MODULE`.

It imports what they all need, once, and has one thread and no connection but the one to who started it: so what is
forked from it shares that memory and inherits nothing that a fork breaks. All of them die with the process that started
it. What a library prints goes to the log and not between the results.
"""

import ctypes
import gc
import importlib
import mmap
import os
import resource
import signal
import socket
import struct
import sys
from types import ModuleType
from typing import Any, Final

from kijko.core.crew import frames, marks

_PR_SET_PDEATHSIG: Final = 1
_PID: Final = struct.Struct("<q")
_MADV_DONTNEED: Final = 4
_LIBC: Final = ctypes.CDLL(None)
_NICENESS: Final = 5
"""Whoever waits for an answer goes first: requests, and model calls on the worker's loop."""


def main() -> None:
    """Forks a process for each pair of file descriptors that comes, until nobody sends any more."""
    fd, most, module = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system buries who has ended
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(_NICENESS)
    os.dup2(2, 1)
    jobs = importlib.import_module(module)
    if (warm := getattr(jobs, "warm", None)) is not None:
        warm()
    gc.collect()
    gc.freeze()  # what is there by now is not written to by the collector, so it stays shared
    _forget_files()
    with socket.socket(fileno=fd) as asking:
        asking.send(_PID.pack(0))
        while True:
            _, given, _, _ = socket.recv_fds(asking, 1, 2)
            if len(given) < 2:
                return
            pid = os.fork()
            if pid == 0:
                asking.close()
                _live(jobs, *given)
            for each in given:
                os.close(each)
            asking.send(_PID.pack(pid))


def _live(jobs: ModuleType, talking: int, marking: int) -> None:
    """A forked process: serves jobs until nobody asks any more, and never returns."""
    _die_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # it has processes of its own to wait for
    status = 1
    try:
        marks.share(mmap.mmap(marking, marks.SIZE))
        with os.fdopen(talking, "rb", closefd=False) as asked, os.fdopen(os.dup(talking), "wb") as results:
            while True:
                job, arguments = frames.read(asked)
                _work(results, getattr(jobs, job), arguments)
    except (EOFError, BrokenPipeError, ConnectionError):
        status = 0
    finally:
        os._exit(status)


def _work(results: Any, job: Any, arguments: Any) -> None:  # Any: of every job
    try:
        for result in job(*arguments):
            frames.write(results, frames.RESULT, result)
    except (BrokenPipeError, ConnectionError):
        raise
    except Exception as error:
        frames.write(results, frames.FAILED, _portable(error))
    else:
        _LIBC.malloc_trim(0)  # a syntax tree takes a hundred times its text, and is gone by now
        frames.write(results, frames.END, _resident())


def _forget_files() -> None:
    """Lets go of what it read of libraries' files: vocabularies, rules. Whoever needs them has them again."""
    _LIBC.malloc_trim(0)
    begin = end = 0
    with open("/proc/self/smaps", encoding="utf-8", errors="replace") as told:  # noqa: PTH123  # pathlib would be imported for this
        for line in told:
            name, *values = line.split()
            if not name.endswith(":"):
                # Only what cannot be written to, and of that only what never was: it is in the file as it is here.
                first, _, last = name.partition("-")
                of_a_file = len(values) > 4 and values[4].startswith("/") and "w" not in values[0]
                begin, end = (int(first, 16), int(last, 16)) if of_a_file else (0, 0)
            elif name == "Anonymous:" and end and values[0] == "0":
                _LIBC.madvise(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), _MADV_DONTNEED)


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _portable(error: Exception) -> Exception:
    """The error, or where it does not come out of a pickle as it went in, one that says the same."""
    try:
        frames.unpacked(frames.packed(frames.FAILED, error)[1])
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _resident() -> int:
    """Bytes of memory that this process takes now, what it shares included."""
    with open("/proc/self/statm", encoding="ascii") as told:  # noqa: PTH123  # pathlib would be imported for this alone
        return int(told.read().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    main()
