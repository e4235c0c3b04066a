"""Becomes another program that dies with its parent: `launch.py PARENT SIGNAL UID GID program argument…`.

The kernel forgets the wish to die with the parent when a process changes its user, so the user is changed here, first.
Runs as a plain script without site-packages (10 ms), because the user it becomes may not be able to read them.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Change user when UID is not negative, ask for SIGNAL at the parent's death, then exec the program."""
    parent, death_signal, uid, gid = (int(each) for each in arguments[:4])
    program = arguments[4:]
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if libc is not None:
        libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked
            os._exit(0)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    try:
        os.execvp(program[0], program)  # noqa: S606  # that is what it is for
    except OSError as error:
        print(f"{program[0]} could not be started: {error.strerror}", file=sys.stderr)
        os._exit(126)


if __name__ == "__main__":
    main(sys.argv[1:])
