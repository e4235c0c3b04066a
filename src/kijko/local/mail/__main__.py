"""`python -m kijko.local.mail SMTP_PORT HTTP_PORT`: catch mail on the one, show it on the other."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from kijko.local.mail import pages
from kijko.local.mail.store import Store, parse
from kijko.local.ports import HOST

_LARGEST_MAIL_BYTES = 10 * 1024 * 1024


class Catcher:
    """aiosmtpd's handler: every mail is accepted and kept."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep one mail."""
        content = envelope.original_content or b""
        self._store.add(parse(envelope.mail_from or "", list(envelope.rcpt_tos), content), len(content))
        return "250 Caught"


def app(store: Store, smtp_port: int) -> Starlette:
    """The reading side; while it runs, SMTP is served too."""

    @asynccontextmanager
    async def smtp(_: Starlette) -> AsyncIterator[None]:
        def protocol() -> SMTP:
            return SMTP(Catcher(store), enable_SMTPUTF8=True, data_size_limit=_LARGEST_MAIL_BYTES, hostname="localhost")

        server = await asyncio.get_running_loop().create_server(protocol, HOST, smtp_port)
        yield
        server.close()

    async def messages(request: Request) -> Response:
        if request.method == "DELETE":
            store.clear()
            return Response(status_code=204)
        return JSONResponse([mail.as_dict() for mail in store.list(request.query_params.get("to"))])

    async def index(_: Request) -> Response:
        return HTMLResponse(pages.index(store.list()))

    async def view(request: Request) -> Response:
        mail = store.get(request.path_params["id"])
        return HTMLResponse(pages.view(mail) if mail else "That mail is no longer kept.", 200 if mail else 404)

    async def health(_: Request) -> Response:
        return JSONResponse({"status": "healthy"})

    routes = [
        Route("/", index),
        Route("/view/{id}", view),
        Route("/messages", messages, methods=["GET", "DELETE"]),
        Route("/health", health),
    ]
    return Starlette(routes=routes, lifespan=smtp)


if __name__ == "__main__":
    uvicorn.run(app(Store(), int(sys.argv[1])), host=HOST, port=int(sys.argv[2]), access_log=False, log_level="warning")
