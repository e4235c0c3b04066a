"""One line a request: what was asked, by whom, how it ended, and how long it took."""

import re
from time import perf_counter
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kijko.core.logging import Fields, emit, request_id

_CLIENT_LEFT: Final = 499
_LONG_WORD: Final = re.compile(r"(?<![^/])(?![0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:/|$))[^/]{24,}")
"""A part of an address that is no id and may be the token of a link, misspelt around it."""


class AccessLog:
    """Logs each request when it has ended, by the template of its route: no ids, no query, no tokens.

    What no route takes is logged by its address, without what may be a token in it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, count what is sent, log at the end. 499 stands for a client that left before any answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = perf_counter()
        status, size = _CLIENT_LEFT, 0

        async def counted(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                size += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive, counted)
        finally:
            emit("request", _fields(scope, status, size, perf_counter() - began))


def _fields(scope: Scope, status: int, size: int, seconds: float) -> Fields:
    route = scope.get("route")
    fields: Fields = {
        "method": scope["method"],
        "route": getattr(route, "path", None),
        "status": status,
        "duration_ms": round(seconds * 1000, 2),
        "bytes": size,
        "request_id": request_id.get(),
    }
    if route is None:
        fields["path"] = _LONG_WORD.sub("…", scope["path"])[:200]
    principal = scope.get("kijko.principal")
    if principal is not None:
        fields["user"] = principal.user_id
        fields["organization"] = principal.organization_id
    if "kijko.key" in scope:
        fields["key"] = scope["kijko.key"]
    return fields
