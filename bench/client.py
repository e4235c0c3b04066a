"""One keep-alive HTTP connection: as little client as will do, since it shares the machine with the server."""

import asyncio
from typing import Final, cast

import httptools
import orjson

_LIMIT_S: Final = 60.0


class Connection(asyncio.Protocol):
    """Asks one request after another. Made by `connect`."""

    def __init__(self) -> None:
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._body = b""
        self._lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop has a class of its own
        self._parser = httptools.HttpResponseParser(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        assert self._answer is not None
        self._answer.set_result((self._parser.get_status_code(), self._body))
        self._parser = httptools.HttpResponseParser(self)
        self._body = b""

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """The answer's status and body.

        Raises:
            ConnectionError: the server hung up.
            TimeoutError: it did not answer within a minute.
        """
        if self._lost:
            raise ConnectionError("the server closed the connection before")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await asyncio.wait_for(self._answer, _LIMIT_S)

    def close(self) -> None:
        """Hang up."""
        self._transport.close()


def request(method: str, path: str, headers: str, body: object = None) -> bytes:
    """A request as it goes over the wire; each of `headers` ends its line."""
    data = b"" if body is None else orjson.dumps(body)
    head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\n{headers}Content-Type: application/json\r\n"
    return f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data


async def connect(address: str) -> Connection:
    """Connect to `host:port`."""
    host, _, port = address.partition(":")
    _, protocol = await asyncio.get_running_loop().create_connection(Connection, host, int(port))
    return protocol
