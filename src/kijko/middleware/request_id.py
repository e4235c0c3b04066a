"""Every request has an id: in its answer, in every log line of its work, and in the jobs it starts."""

import re
from os import urandom

from starlette.types import ASGIApp, Receive, Scope, Send

from kijko.core.logging import request_id
from kijko.middleware.headers import add_header

_sane = re.compile(rb"[A-Za-z0-9._-]{1,128}").fullmatch


class RequestId:
    """Takes the caller's X-Request-ID when it is sane, else makes one, and lets the answer carry it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on under the id. The context is the request's own, so nothing has to be reset."""
        if scope["type"] in {"http", "websocket"}:
            current = _given(scope) or urandom(16).hex()
            scope["kijko.request_id"] = current
            request_id.set(current)
            add_header(scope, "x-request-id", current)
        await self.app(scope, receive, send)


def _given(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            return value.decode() if _sane(value) else None
    return None
