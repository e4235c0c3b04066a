"""Every request has an id: in its answer, in every log line of its work, and in the jobs it starts."""

import re
from typing import Final
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kijko.core.logging import request_id

HEADER: Final = b"x-request-id"

_sane = re.compile(rb"[A-Za-z0-9._-]{1,128}").fullmatch


class RequestId:
    """Takes the caller's X-Request-ID when it is sane, else makes one, and answers with it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on under the id. The context is the request's own, so nothing has to be reset."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        current = _given(scope) or uuid4().hex.encode()
        scope["kijko.request_id"] = text = current.decode()
        request_id.set(text)

        async def with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (HEADER, current)]
            await send(message)

        await self.app(scope, receive, with_id)


def _given(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == HEADER:
            given: bytes = value
            return given if _sane(given) else None
    return None
