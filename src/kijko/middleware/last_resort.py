"""Nothing leaves as a bare failure: what nobody expected is logged with its trace and answered without it."""

import logging

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kijko.core.errors import AppError
from kijko.middleware.answer import send_problem
from kijko.middleware.errors import NulCharacter

log = logging.getLogger(__name__)


class LastResort:
    """Answers 500 INTERNAL for an unexpected error, and 422 for a query with a NUL in it: no route can take one."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, and answer in place of whoever failed before the answer began."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if b"%00" in scope["query_string"]:
            await send_problem(send, NulCharacter())
            return
        started = False

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except ClientDisconnect:
            return  # nobody is there to be answered
        except Exception:
            log.exception("unexpected error")
            if not started:
                await send_problem(send, AppError())
