"""`up`, `down` and `status`."""

import json
import os
import signal
import time
from enum import StrEnum
from typing import Annotated

import typer

from kijko.commands.terminal import fail, say, sentences, show, table


class Output(StrEnum):
    """How `status` prints."""

    TABLE = "table"
    ENV = "env"
    JSON = "json"


def up(
    only: Annotated[str, typer.Option(help="Start just these parts, separated by commas, e.g. postgres,redis.")] = "",
) -> None:
    """Start everything in the foreground; Ctrl-C stops it all."""
    from kijko.commands.welcome import welcome
    from kijko.local.errors import Interrupted, StackError
    from kijko.local.home import Home
    from kijko.local.stack import EVERYTHING, Stack
    from kijko.settings import load

    parts = tuple(only.split(",")) if only else EVERYTHING
    if unknown := set(parts) - set(EVERYTHING):
        fail(f"There is no part named {', '.join(sorted(unknown))}. The parts are: {', '.join(EVERYTHING)}.")
    with sentences():
        load()
    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: asked.append(number))
    stack = Stack(Home.of(os.environ).path, parts=parts, say=say, cancelled=lambda: bool(asked))
    try:
        with sentences(StackError):
            began = time.monotonic()
            stack.start()
            show(welcome(stack, time.monotonic() - began))
            while not asked:
                stack.watch()
                time.sleep(0.2)
    except Interrupted:
        pass
    finally:
        if asked:
            say("Stopping …")
        stack.stop()
    say("Stopped. Data stays; `make up` goes on from here.")


def down() -> None:
    """Stop the running stack and wait until it has."""
    from kijko.local.home import Home
    from kijko.local.preflight import clear_leftovers
    from kijko.local.process import is_alive

    home = Home.of(os.environ)
    state = home.read()
    if state.supervisor is None or not is_alive(state.supervisor):
        clear_leftovers(state, say)
        say("Nothing is running.")
        return
    os.kill(state.supervisor.pid, signal.SIGTERM)
    deadline = time.monotonic() + 20
    while is_alive(state.supervisor):
        if time.monotonic() > deadline:
            pid = state.supervisor.pid
            fail(f"It did not stop within 20 s. End it by force: kill -9 {pid}; then run `kijko down` again.")
        time.sleep(0.1)
    say("Stopped.")


def status(
    output: Annotated[Output, typer.Option("--output", "-o")] = Output.TABLE,
) -> None:
    """Show what runs where, and the settings to reach it.

    Exit codes: 0 all parts run, start, or are outside; 1 one is down, or nothing is running.
    """
    from kijko.local import environment
    from kijko.local.attach import NotRunning, attach, parts_of

    with sentences(NotRunning):
        site = attach(os.environ)
    parts = parts_of(site)
    if output is Output.ENV:
        print("\n".join(f"{name}={value}" for name, value in environment.shown(site).items()))
    elif output is Output.JSON:
        shown = {"home": str(site.home.path), "parts": parts, "environment": environment.shown(site)}
        print(json.dumps(shown, indent=2))
    else:
        rows = [[str(part[key]) for key in ("name", "state", "pid", "restarts", "address", "log")] for part in parts]
        print(table(("PART", "STATE", "PID", "RESTARTS", "ADDRESS", "LOG"), rows))
    if any(part["state"] == "down" for part in parts):
        raise typer.Exit(1)
