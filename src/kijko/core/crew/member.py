"""One process of a crew: `python -m kijko.core.crew.member FD BYTES MODULE`. Started by `crew.Crew` alone.

It dies with the process that started it. What a library prints goes to the log and not between the results.
"""

import ctypes
import importlib
import mmap
import os
import resource
import signal
import sys
from typing import Any, Final

from kijko.core.crew import frames, marks

_PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Serves jobs until nobody asks any more."""
    fd, most, module = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with os.fdopen(os.dup(1), "wb") as results:
        os.dup2(2, 1)
        marks.share(mmap.mmap(fd, marks.SIZE))
        jobs = importlib.import_module(module)
        frames.write(results, frames.END, _resident())
        while True:
            try:
                job, arguments = frames.read(sys.stdin.buffer)
            except EOFError:
                return
            _work(results, getattr(jobs, job), arguments)


def _work(results: Any, job: Any, arguments: Any) -> None:  # Any: of every job
    try:
        for result in job(*arguments):
            frames.write(results, frames.RESULT, result)
    except Exception as error:
        frames.write(results, frames.FAILED, _portable(error))
    else:
        frames.write(results, frames.END, _resident())


def _portable(error: Exception) -> Exception:
    """The error, or where it does not come out of a pickle as it went in, one that says the same."""
    try:
        frames.unpacked(frames.packed(frames.FAILED, error)[1])
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _resident() -> int:
    """Bytes of memory that this process takes now."""
    with open("/proc/self/statm", encoding="ascii") as told:  # noqa: PTH123  # pathlib would be imported for this alone
        return int(told.read().split()[1]) * resource.getpagesize()


if __name__ == "__main__":
    main()
