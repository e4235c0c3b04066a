"""Programs that run once while the stack starts: downloads and builds."""

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from kijko.local import process
from kijko.local.errors import Interrupted, StackError
from kijko.local.site import Site

_SAY_EVERY_S = 5


def run(
    site: Site,
    argv: Sequence[str],
    *,
    log: str,
    environ: Mapping[str, str],
    progress: Callable[[float], str] | None = None,
) -> int:
    """Run a program to its end, its output in the named log; says `progress(seconds so far)` every few seconds.

    Returns its exit code.

    Raises:
        StackError: it cannot be started.
        Interrupted: the person wants to stop; the program and its children are killed.
    """
    began = said = time.monotonic()
    with site.home.log(log).open("wb") as output:
        try:
            running = subprocess.Popen(
                argv,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise StackError(f"{argv[0]} could not be started: {error.strerror}.") from error
    while running.poll() is None:
        if site.cancelled():
            process.kill_group(running.pid)
            running.wait()
            raise Interrupted
        now = time.monotonic()
        if progress is not None and now - said > _SAY_EVERY_S:
            said = now
            site.say(progress(now - began))
        time.sleep(0.05)
    return running.returncode


def failure(site: Site, message: str, log: str) -> StackError:
    """A StackError that ends with the last words of a log."""
    path: Path = site.home.log(log)
    return StackError(f"{message} The end of {path}:\n{process.tail(path)}")
