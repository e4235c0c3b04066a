"""`restart` and `logs`: one part of the running stack."""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from kijko.commands.terminal import fail, say, sentences, show

_STOP_S = 15
_BACK_S = 120


def restart(part: Annotated[str, typer.Argument(help="Which part, e.g. api.")]) -> None:
    """End one part of the running stack; it is started again at once, with the settings that `up` was given."""
    from kijko.local import process
    from kijko.local.attach import attach
    from kijko.local.errors import StackError

    with sentences(StackError):
        site = attach(os.environ)
    _known(part, site.state.names)
    if part in site.state.outside:
        fail(f"{part} runs elsewhere; restart it there.")
    running = site.state.parts.get(part)
    if running is None or not process.is_alive(running):
        fail(f"{part} is down already, and is being started again. See `kijko logs {part}`.")
    number = signal.SIGINT if part == "postgres" else signal.SIGTERM  # who is connected is not waited for
    say(f"Ending {part} (pid {running.pid})")
    process.end([running], number, _STOP_S)
    with sentences(StackError):
        _await_return(part, running.pid)


def _await_return(part: str, old: int) -> None:
    from kijko.local.attach import attach, parts_of

    deadline = time.monotonic() + _BACK_S
    while time.monotonic() < deadline:
        (now,) = [each for each in parts_of(attach(os.environ)) if each["name"] == part]
        if now["state"] == "running" and now["pid"] != old:
            say(f"{part} runs again (pid {now['pid']})")
            return
        time.sleep(0.1)
    fail(f"{part} is not back after {_BACK_S} s. See `kijko logs {part}`.")


def logs(
    part: Annotated[str, typer.Argument(help="Which part, e.g. api; default: all.")] = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is added, until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many lines of each log.")] = 50,
) -> None:
    """Print the end of a part's log, or of all of them; also of a stack that has stopped."""
    from kijko.local.home import Home
    from kijko.local.stack import EVERYTHING

    home = Home.of(os.environ)
    if part:
        _known(part, EVERYTHING)
    names = [name for name in ([part] if part else EVERYTHING) if home.log(name).exists()]
    if not names:
        fail(f"There is no log{f' of {part}' if part else ''} in {home.logs}. Start everything with `make up`.")
    width = 0 if part else max(map(len, names)) + 2
    read = {name: _end(home.log(name), lines, name.ljust(width) if width else "") for name in names}
    with contextlib.suppress(KeyboardInterrupt):
        while follow:
            time.sleep(0.2)
            for name in names:
                read[name] = _rest(home.log(name), read[name], name.ljust(width) if width else "")


def _known(part: str, names: Iterable[str]) -> None:
    if part not in names:
        fail(f"There is no part named {part}. The parts are: {', '.join(names)}.")


def _end(log: Path, lines: int, before: str) -> int:
    """Show the last lines; answers how many bytes were read."""
    content = log.read_bytes()
    for line in content.splitlines()[-lines:] if lines else []:
        show(before + line.decode(errors="replace"))
    return len(content)


def _rest(log: Path, offset: int, before: str) -> int:
    """Show whole lines that were added after `offset`; answers how far they go."""
    with log.open("rb") as file:
        if log.stat().st_size < offset:  # it grew long and began anew
            offset = 0
        file.seek(offset)
        whole, newline, _ = file.read().rpartition(b"\n")
    for line in whole.splitlines():
        show(before + line.decode(errors="replace"))
    return offset + len(whole) + len(newline)
