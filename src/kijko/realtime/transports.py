"""/socket.io/: how packets of Engine.IO travel. A WebSocket from its beginning, polling, or one after the other."""

import asyncio
import contextlib
from typing import Final
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from kijko.core.errors import AppError, Conflict, Invalid
from kijko.middleware.answer import rendered, send_problem
from kijko.middleware.errors import MethodNotAllowed, PayloadTooLarge
from kijko.middleware.protocol import FRAMES, Frames
from kijko.realtime import refusals
from kijko.realtime.engine import LARGEST, PROBE, SEPARATOR, UPGRADE, Session
from kijko.realtime.shared import Realtime

__all__ = ["READ", "SocketIO"]

_PROTOCOL: Final = "4"
READ: Final = 33_554_432
"""Bytes of a POST that are read, though not kept: whoever sent too much is told so, and their session ends."""
_TOO_LARGE: Final = f"The body is larger than the {LARGEST:,} bytes that this address takes. Send less at once."
_CLOSED: Final = "websocket.disconnect"
_LEFT: Final = "http.disconnect"
_UPGRADE_S: Final = 10.0
"""How long a WebSocket may take until it goes on with a session that polls."""


class UnknownProtocol(Invalid):
    """This server speaks Engine.IO 4: use a client of Socket.IO 3 or 4."""


class UnknownTransport(Invalid):
    """transport is polling or websocket."""

    def __init__(self) -> None:
        super().__init__(field="transport")


class NoSuchSession(Invalid):
    """There is no such session here. Connect again; with several servers, polling needs a sticky balancer."""

    code = "UNKNOWN_SESSION"


class PolledTwice(Conflict):
    """This session has a poll open already, or has gone over to a WebSocket."""

    code = "POLLED_TWICE"


class BadPayload(Invalid):
    """The body is no payload of Engine.IO as this server reads it: whole texts, and no binary ones. Connect again."""


class SocketIO:
    """The ASGI application behind the address. It finds what it needs as `app.state.realtime`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or one WebSocket to its end."""
        realtime: Realtime = scope["app"].state.realtime
        query = parse_qs(scope["query_string"].decode("latin-1"))
        asked = {name: query[name][0] for name in ("EIO", "transport", "sid") if name in query}
        if scope["type"] == "websocket":
            await _websocket(realtime, asked, scope, receive, send)
            return
        try:
            body = await _poll(realtime, asked, scope, receive)
        except AppError as error:
            await send_problem(send, error)
        else:
            await _answer(send, body)


async def _poll(realtime: Realtime, asked: dict[str, str], scope: Scope, receive: Receive) -> str:
    method = scope["method"]
    _check(asked)
    if asked.get("transport") != "polling":
        raise UnknownTransport
    if method not in {"GET", "POST"}:
        raise MethodNotAllowed
    if method == "GET" and "sid" not in asked:
        return await realtime.engine.open(None, realtime.entrance.address(scope)).poll()
    session = realtime.engine.sessions.get(asked.get("sid", ""))
    if session is None:
        raise NoSuchSession
    if session.frames is not None or (method == "GET" and session.polled):
        raise PolledTwice
    if method == "GET":
        return await _polled(session, receive)
    try:
        packets = await _payload(receive)
    except (BadPayload, PayloadTooLarge):
        session.close(refusals.BAD_PACKET, again=True)
        raise
    # Where it has ended nothing is heard, and no error told: a client would stop polling, and not hear why.
    for packet in packets:
        if not session.ended:
            await session.receive(packet)
    return "ok"


async def _polled(session: Session, receive: Receive) -> str:
    """What a poll gets. Who breaks it off has left: a page that is closed or loaded anew says so in no other way."""
    leaving = asyncio.create_task(_left(session, receive))
    try:
        return await session.poll()
    finally:
        leaving.cancel()


async def _left(session: Session, receive: Receive) -> None:
    while (await receive())["type"] != _LEFT:
        pass
    session.end()


async def _payload(receive: Receive) -> list[str]:
    body = b""
    while True:
        message = await receive()
        if message["type"] == _LEFT:
            raise BadPayload
        body += message.get("body", b"")[: LARGEST + 1 - len(body)]
        if not message.get("more_body"):
            break
    if len(body) > LARGEST:
        raise PayloadTooLarge(_TOO_LARGE)
    try:
        texts: list[str] = body.decode().split(SEPARATOR)
    except UnicodeDecodeError:
        raise BadPayload from None
    if any(text[:1] in {"", "b"} for text in texts):
        raise BadPayload
    return texts


async def _answer(send: Send, body: str) -> None:
    payload = body.encode()
    headers = [
        (b"content-type", b"text/plain; charset=UTF-8"),
        (b"content-length", str(len(payload)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": payload})


async def _websocket(realtime: Realtime, asked: dict[str, str], scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    frames: Frames = scope["extensions"][FRAMES]
    polling: Session | None = None
    try:
        if "sid" in asked:
            polling = _polling_session(realtime, asked["sid"])
    except AppError as error:
        await _refuse(send, error)
        return
    await send({"type": "websocket.accept"})
    session: Session | None = None
    try:
        _check(asked)
        if polling is None:
            session = realtime.engine.open(frames, realtime.entrance.address(scope))
        else:
            session = await _upgraded(polling, frames, receive)
        while session is not None and (text := await _next(receive)) is not None:
            await session.receive(text)
    except AppError as error:
        found = refusals.of(error)
        frames.close(4400 if isinstance(error, Invalid) else found.code, found.reason)
    finally:
        if session is not None:
            session.end()


def _polling_session(realtime: Realtime, sid: str) -> Session:
    session = realtime.engine.sessions.get(sid)
    if session is None or session.ended:
        raise NoSuchSession
    if session.frames is not None or session.upgrading:
        raise PolledTwice
    return session


async def _refuse(send: Send, error: AppError) -> None:
    """Answers in place of a WebSocket: a client goes on polling then. One opened and closed would be a broken one."""
    status, body, headers = rendered(error)
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


async def _upgraded(session: Session, frames: Frames, receive: Receive) -> Session | None:
    """The session, when it goes on over this WebSocket; None where the client does not ask for it, or not in time."""
    probing = False
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_UPGRADE_S):
            probing = await _next(receive) == PROBE and session.probe(frames)
            if probing and await _next(receive) == UPGRADE and session.upgrade(frames):
                return session
    if probing:
        session.stay()
    frames.close(refusals.BAD_PACKET.code, refusals.BAD_PACKET.reason)
    return None


async def _next(receive: Receive) -> str | None:
    """The next text; None where the client has left. Bytes are no packet."""
    message = await receive()
    if message["type"] == _CLOSED:
        return None
    return message.get("text") or "b"


def _check(asked: dict[str, str]) -> None:
    if asked.get("EIO") != _PROTOCOL:
        raise UnknownProtocol
