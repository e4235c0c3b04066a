"""Looking at a running stack from another process."""

import os
from collections.abc import Mapping, MutableMapping
from typing import TypedDict

from kijko.local import environment, process
from kijko.local.errors import StackError
from kijko.local.home import Home, Running
from kijko.local.site import Site


class NotRunning(StackError):
    """No stack runs in this home."""


class Shown(TypedDict):
    """One part as `status` shows it. `state` is running, starting, down or outside."""

    name: str
    state: str
    pid: int | str
    restarts: int | str
    address: str
    log: str


def attach(environ: Mapping[str, str]) -> Site:
    """The running stack of the home that the environment names, with the settings it was started with.

    Raises:
        NotRunning: none runs there.
    """
    home = Home.of(environ)
    state = home.read()
    if state.supervisor is None or not process.is_alive(state.supervisor) or not state.ports:
        raise NotRunning(f"Nothing is running in {home.path}. Start it with `make up`, or set KIJKO_HOME.")
    return Site(home, state, home.secrets(), state.environment, lambda _: None)


def parts_of(site: Site) -> list[Shown]:
    """Every part that this stack has, or takes from outside, in the order of their start."""
    shown: list[Shown] = []
    for name in site.state.names:
        running = site.state.parts.get(name)
        alive = running is not None and process.is_alive(running)
        shown.append(
            {
                "name": name,
                "state": _state_of(site, name, running if alive else None),
                "pid": running.pid if alive and running else "-",
                "restarts": running.restarts if running else "-",
                "address": running.address if running else "-",
                "log": str(site.home.log(name)) if name not in site.state.outside else "-",
            }
        )
    return shown


def _state_of(site: Site, name: str, alive: Running | None) -> str:
    if name in site.state.outside:
        return "outside"
    if alive is not None:
        return "running" if alive.ready else "starting"
    return "down" if site.state.ready or name in site.state.parts else "starting"


def adopt(environ: MutableMapping[str, str] = os.environ) -> bool:
    """Take over the settings of a running stack, those apart that are set already. False when none runs.

    So `kijko migrate` or `kijko plan` in a second terminal reach the stack in the first, and with every setting given,
    as on a server, nothing of this machine is asked.
    """
    try:
        site = attach(environ)
    except NotRunning:
        return False
    finally:
        for name in environment.OWN:
            environ.pop(name, None)
    for name, value in environment.settings(site).items():
        environ.setdefault(name, value)
    return True
