"""The wire: key, form, idempotency, errors, headers. Each request is one transaction of the store."""

import hmac
import json
import secrets
from base64 import b64decode
from binascii import Error as NotBase64

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from kijko.local.stripe import forms, resources, routing
from kijko.local.stripe.errors import StripeError
from kijko.local.stripe.store import Answer, Store

__all__ = ["App", "resources"]
_LARGEST_BODY_BYTES = 1024 * 1024


class App:
    """An ASGI app that answers like Stripe's API for whoever holds `key`."""

    def __init__(self, store: Store, key: str) -> None:
        self._store = store
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.url.path == "/health":
            return JSONResponse({"status": "healthy"})
        headers = {"Request-Id": f"req_{secrets.token_hex(7)}"}
        for name in ("Stripe-Version", "Idempotency-Key"):
            if name in request.headers:
                headers[name] = request.headers[name]
        try:
            self._check_key(request)
            body = await request.body()
            if len(body) > _LARGEST_BODY_BYTES:
                raise StripeError("The request is too large.", status=413)
            answer, replayed = self._work(request, body)
        except StripeError as error:
            return JSONResponse(error.body(), error.status, headers)
        if replayed:
            headers["Idempotent-Replayed"] = "true"
        return JSONResponse(answer.body, answer.status, headers)

    def _check_key(self, request: Request) -> None:
        kind, _, given = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "basic":
            try:
                given = b64decode(given).decode().split(":")[0]
            except (NotBase64, ValueError):
                given = ""
        if not given:
            message = "You did not provide an API key. Send it as 'Authorization: Bearer YOUR_SECRET_KEY'."
            raise StripeError(message, status=401)
        if not hmac.compare_digest(given.encode(), self._key.encode()):
            raise StripeError(f"Invalid API Key provided: {given[:8]}****{given[-4:]}", status=401)

    def _work(self, request: Request, body: bytes) -> tuple[Answer, bool]:
        """Do what is asked, or repeat what was answered to the same key. Only what was done is kept, no refusal."""
        handler, ids = routing.find(request.method, request.url.path)
        form = forms.decode(body if request.method == "POST" else request.url.query.encode())
        key = request.headers.get("Idempotency-Key") if request.method == "POST" else None
        words = f"{request.method} {request.url.path} {json.dumps(form, sort_keys=True)}"
        self._store.begin()
        try:
            kept = self._store.kept(key) if key else None
            if kept is None:
                call = routing.Call(self._store, form, ids, request.url.path)
                answer = Answer(words, 200, handler(call))
                if key:
                    self._store.keep(key, answer)
        except BaseException:
            self._store.rollback()
            raise
        self._store.commit()
        if kept is not None and kept.request != words:
            raise StripeError(
                "Keys for idempotent requests can only be used with the same parameters they were first used with. "
                f"Try using a key other than '{key}' if you meant to execute a different request.",
                kind="idempotency_error",
            )
        return (answer, False) if kept is None else (kept, True)


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
