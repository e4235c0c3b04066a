"""A session of Engine.IO that polls, by hand."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

_PATH = "/socket.io/?EIO=4&transport=polling"


class Poller:
    """A session that polls, by hand."""

    def __init__(self, http: httpx.AsyncClient, sid: str) -> None:
        self.http = http
        self.address = f"{_PATH}&sid={sid}"

    async def say(self, *packets: str) -> httpx.Response:
        """One POST."""
        return await self.http.post(self.address, content="\x1e".join(packets))

    async def poll(self) -> list[str]:
        """One GET."""
        return (await self.http.get(self.address)).text.split("\x1e")

    async def until(self, part: str) -> list[str]:
        """Every packet up to one that contains this."""
        found: list[str] = []
        async with asyncio.timeout(15):
            while not found or not any(part in one for one in found):
                found += await self.poll()
        return found

    async def status(self) -> int:
        """Whether there is such a session."""
        return (await self.http.get(self.address)).status_code


@asynccontextmanager
async def poller(stack_env: dict[str, str], token: str | None) -> AsyncIterator[Poller]:
    """After its handshake, where there is a token."""
    async with httpx.AsyncClient(base_url=stack_env["KIJKO_API_URL"], timeout=30) as http:
        one = Poller(http, json.loads((await http.get(_PATH)).text[1:])["sid"])
        if token is not None:
            assert (await one.say("40" + json.dumps({"token": token}))).text == "ok"
            await one.until('"joined"')
        yield one
