"""How much a request may bring along."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kijko.middleware.answer import send_problem
from kijko.middleware.errors import PayloadTooLarge, Refusal

Limits = Sequence[tuple[str, int]]
"""(path prefix, bytes): addresses with a limit of their own, such as uploads."""

_DRAINED_BYTES: Final = 33_554_432
_DRAINED_S: Final = 10.0
"""A client that still sends does not read: what is too much is taken in and thrown away up to here, then hung up on."""


class BodyLimit:
    """Refuses with 413 what announces too much at once, and what was not announced as soon as it is too much."""

    def __init__(self, app: ASGIApp, *, limit_bytes: int, apart: Limits = ()) -> None:
        self.app = app
        self._limit = limit_bytes
        self._apart = tuple(apart)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is small enough."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced, chunked, asks_first = _announced(scope)
        if not announced and not chunked:
            await self.app(scope, receive, send)
            return
        limit = self._limit_of(scope["path"])
        if announced > limit:
            drained = not asks_first and announced <= _DRAINED_BYTES and await _drain(receive)
            await send_problem(send, PayloadTooLarge(_sentence(limit)), [] if drained else [(b"connection", b"close")])
            return
        await self.app(scope, _counted(receive, limit) if chunked else receive, send)

    def _limit_of(self, path: str) -> int:
        return next((limit for prefix, limit in self._apart if path.startswith(prefix)), self._limit)


def _announced(scope: Scope) -> tuple[int, bool, bool]:
    """The body's announced length in bytes, whether it comes in chunks instead, whether the client asks before it."""
    length, chunked, asks_first = 0, False, False
    for name, value in scope["headers"]:
        if name == b"content-length":
            length = int(value)  # the server has checked that it is a number
        elif name == b"transfer-encoding":
            chunked = True
        elif name == b"expect":
            asks_first = True
    return length, chunked, asks_first


async def _drain(receive: Receive) -> bool:
    """Take in the rest of the body and forget it; whether all of it came."""
    seen = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_DRAINED_S):
            while seen <= _DRAINED_BYTES:
                message = await receive()
                seen += len(message.get("body", b""))
                if not message.get("more_body"):
                    return bool(message["type"] == "http.request")
    return False


def _counted(receive: Receive, limit: int) -> Receive:
    seen = 0

    async def receive_counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            if message.get("more_body"):
                await _drain(receive)
            raise Refusal(PayloadTooLarge(_sentence(limit)))
        return message

    return receive_counted


def _sentence(limit: int) -> str:
    size = f"{limit / 1_048_576:g} MiB" if limit >= 1_048_576 else f"{limit / 1024:g} KiB"
    return f"The body is larger than the {size} that this address takes. Send less at once."
