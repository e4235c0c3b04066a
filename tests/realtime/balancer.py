"""Balancers before several API processes, which may be killed and started again."""

import asyncio
import contextlib
import random
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager


async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """What comes from the one goes to the other, until it ends."""
    with contextlib.suppress(OSError):
        while data := await source.read(65_536):
            target.write(data)
            await target.drain()
    target.close()


async def _upstream(ports: Sequence[int]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    for port in random.sample(ports, len(ports)):
        with contextlib.suppress(OSError):
            return await asyncio.open_connection("127.0.0.1", port)
    return None


@asynccontextmanager
async def balanced(ports: Sequence[int]) -> AsyncIterator[str]:
    """The address of a balancer that gives each connection to one of these ports that takes it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found = await _upstream(ports)
        if found is not None:
            await asyncio.gather(copy(reader, found[1]), copy(found[0], writer))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


class Sticky:
    """A balancer of HTTP that sends a client to the same process each time, by a cookie that it sets.

    When that process takes no connection, another one gets the client, and the cookie names that one from then on.
    """

    def __init__(self, ports: Sequence[int]) -> None:
        self.url = ""
        self.served = dict.fromkeys(range(len(ports)), 0)
        """How many requests each process got."""
        self._ports = ports
        self._turn = 0
        self._moved = 0

    def move(self) -> None:
        """From now on every cookie means another process than before, as when somebody changes the balancer."""
        self._moved += 1

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, which has one request, or is a WebSocket."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            number, told, upstream = await self._choose(head)
            self.served[number] += 1
            if b"upgrade: websocket" not in head.lower():
                head = re.sub(rb"(?i)\r\nconnection:[^\r]*", b"", head)[:-2] + b"Connection: close\r\n\r\n"
            upstream[1].write(head)
            sending = asyncio.create_task(copy(reader, upstream[1]))
            writer.write((await upstream[0].readuntil(b"\r\n\r\n"))[:-2] + told + b"\r\n")
            await copy(upstream[0], writer)
            await sending
        writer.close()

    async def _choose(self, head: bytes) -> tuple[int, bytes, tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A process, the header that names it where the client's cookie does not, and the connection to it."""
        cookie = re.search(rb"(?i)\r\ncookie:[^\r]*balanced=(\d+)", head)
        self._turn += cookie is None
        first = int(cookie[1]) + self._moved if cookie is not None else self._turn
        for more in range(len(self._ports)):
            number = (first + more) % len(self._ports)
            with contextlib.suppress(OSError):
                upstream = await asyncio.open_connection("127.0.0.1", self._ports[number])
                named = b"Set-Cookie: balanced=%d; Path=/\r\n" % ((number - self._moved) % len(self._ports))
                return number, b"" if cookie is not None and more == 0 else named, upstream
        raise ConnectionRefusedError


@asynccontextmanager
async def sticky(ports: Sequence[int]) -> AsyncIterator[Sticky]:
    """That balancer, at an address whose cookies clients keep."""
    found = Sticky(ports)
    server = await asyncio.start_server(found.serve, "localhost", 0)
    try:
        found.url = f"http://localhost:{server.sockets[0].getsockname()[1]}"
        yield found
    finally:
        server.close()
