"""Commands of Kijko's own that run once while the stack starts."""

import subprocess
import sys
import time
from collections.abc import Callable

from kijko.local import environment, process
from kijko.local.errors import Interrupted, StackError
from kijko.local.site import Site


def run(site: Site, command: str, cancelled: Callable[[], bool]) -> None:
    """Run `kijko COMMAND` with the stack's settings and the database owner's URL, its output in a log of its own.

    Raises:
        StackError: it failed; with the end of its output.
        Interrupted: the person wants to stop.
    """
    log = site.home.log(command)
    argv = (sys.executable, "-m", "kijko.cli", command)
    with log.open("wb") as output:
        done = subprocess.Popen(
            argv,
            env=environment.for_process(site, owner=True),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    while done.poll() is None:
        if cancelled():
            done.kill()
            done.wait()
            raise Interrupted
        time.sleep(0.05)
    if done.returncode != 0:
        raise StackError(f"`kijko {command}` failed. Its words:\n{process.tail(log)}")
