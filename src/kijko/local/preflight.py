"""What is looked at, and cleared away, before anything is started."""

import shutil
import signal

from kijko.local import ports, process
from kijko.local.errors import StackError
from kijko.local.home import Home, State
from kijko.local.site import Say


def check_room(home: Home) -> None:
    """Refuse to start on a full disk.

    Raises:
        StackError: there is too little room.
    """
    free = shutil.disk_usage(home.path).free
    if free < 300 * 1024 * 1024:
        room = f"{free // 1024**2} MB"
        raise StackError(f"Only {room} are free on the disk of {home.path}. Make room for 300 MB, then try again.")


def check_port(port: int) -> None:
    """Refuse to start when the API's port is taken.

    Raises:
        StackError: it is.
    """
    if not ports.is_free(port):
        raise StackError(
            f"Port {port} is already in use on this machine, so the API cannot listen there. "
            f"Stop the other program, or choose another port: KIJKO_PORT={port + 1} make up"
        )


def clear_leftovers(state: State, say: Say) -> None:
    """End what an earlier stack of this home left behind when it was killed."""
    left = {name: running for name, running in state.parts.items() if process.is_alive(running)}
    if not left:
        return
    say(f"An earlier start left {', '.join(left)} running; ending them first.")
    serving = [running for name, running in left.items() if name != "postgres"]
    process.end(serving, signal.SIGTERM, within_s=8)
    process.end([running for name, running in left.items() if name == "postgres"], signal.SIGINT, within_s=5)
