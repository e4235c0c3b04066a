"""The plain WebSocket of a project: /api/projects/{id}/ws?token=&lastId=.

The server sends RealtimeMessages; the client may send `token:refresh` with a new access token of the same session.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qs
from uuid import UUID

import orjson
import structlog
from starlette.types import Message, Receive, Scope, Send

from kijko.core.db.errors import DatabaseError
from kijko.core.errors import AppError, Unauthenticated
from kijko.core.tenancy import Principal, translate
from kijko.core.tokens import Tokens
from kijko.realtime import frames, ids, refusals
from kijko.realtime.entrance import Entrance
from kijko.realtime.outbox import Outbox
from kijko.realtime.pace import Pace
from kijko.realtime.refusals import Refusal, Refused
from kijko.realtime.shared import Realtime
from kijko.realtime.token_life import TokenLife
from kijko.services.events import Entry, NoSuchRoom, project_room

_log = structlog.get_logger(__name__)
_CLOSING_S: Final = 10.0
_MESSAGES_A_SECOND: Final = 20
_CLOSED: Final = "websocket.disconnect"


class ProjectSocket:
    """The ASGI application behind the address. It finds what it needs as `app.state.realtime`."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection, from its handshake to its end."""
        await receive()
        await send({"type": "websocket.accept"})
        found: Realtime = scope["app"].state.realtime
        connection: _Connection | None = None
        try:
            room, after, principal = await _handshake(scope, found.entrance)
            with contextlib.ExitStack() as held:
                held.callback(await found.admit(principal))
                connection = _Connection(room, principal, send, found.entrance.tokens)
                await connection.live(found, after, receive)
        except Refused as error:
            await _close(send, connection, error.refusal)
        except AppError as error:
            await _close(send, connection, refusals.of(error))
        except DatabaseError as error:
            told = translate(error)
            await _close(send, connection, refusals.of(told) if told is not None else refusals.BROKEN)
        except Exception:
            _log.exception("realtime.broke")
            await _close(send, connection, refusals.BROKEN)


async def _handshake(scope: Scope, entrance: Entrance) -> tuple[str, int | None, Principal]:
    query = parse_qs(scope["query_string"].decode("latin-1"))
    if not query.get("token"):
        raise Unauthenticated("Name your access token in ?token= to connect.")
    principal = await entrance.enter(query["token"][0], "project", entrance.address(scope))
    try:
        project_id = UUID(scope["path_params"]["projectId"])
    except ValueError:
        raise NoSuchRoom from None
    return project_room(project_id), ids.number_of(query.get("lastId", [""])[0]), principal


class _Connection:
    """One socket: a listener in the project's room."""

    def __init__(self, room: str, principal: Principal, send: Send, tokens: Tokens) -> None:
        self.room = room
        self._token = TokenLife(principal, tokens)
        self._last_id = 0
        self._ended: asyncio.Future[Refusal] = asyncio.get_running_loop().create_future()
        self.outbox = Outbox(send, lambda: self._end(refusals.TOO_SLOW))

    @property
    def principal(self) -> Principal:
        """Whose it is."""
        return self._token.principal

    def take(self, entries: Sequence[Entry]) -> None:
        """Sends events."""
        for entry in entries:
            self.outbox.put(frames.text_of(entry))
        self._last_id = entries[-1].id

    def gap(self, oldest_id: int) -> None:
        """Says that what came before this id is not in the log any more."""
        self._last_id = oldest_id - 1
        self._say("gap", room=self.room, oldestId=str(oldest_id))

    def refuse(self, reason: AppError) -> None:
        """Ends the connection."""
        self._end(refusals.of(reason))

    async def live(self, realtime: Realtime, after: int | None, receive: Receive) -> None:
        """Listens until the client leaves.

        Raises:
            Refused, AppError: why it is closed from this side.
        """
        self._last_id = after or 0
        receiving = asyncio.create_task(self._receive(receive))
        try:
            newest = await realtime.hub.join(self, after, self._send_page)
            self._last_id = max(self._last_id, newest) if after is None else self._last_id
            self._say("joined", room=self.room, lastId=str(self._last_id))
            self._token.watch(self._warn, lambda: self._end(refusals.TOKEN_EXPIRED))
            ends: list[asyncio.Future[Any]] = [self._ended, receiving]
            person = self.principal.user_id
            there = realtime.present.connected(person) if self.principal.key is None else contextlib.nullcontext()
            with there:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if self._ended.done():
                raise Refused(self._ended.result())
            receiving.result()
        finally:
            self._token.stop()
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)
            await realtime.hub.leave(self)

    async def _send_page(self, entries: Sequence[Entry]) -> None:
        for entry in entries:  # one by one: it is no slow reader who was away for long
            self.take([entry])
            await self.outbox.drained()

    async def _receive(self, receive: Receive) -> None:
        """Returns when the client has left."""
        pace = Pace(_MESSAGES_A_SECOND)
        while (given := await receive())["type"] != _CLOSED:
            if pace.is_exceeded():
                raise Refused(refusals.TOO_MANY_MESSAGES)
            await self._hear(given)

    async def _hear(self, given: Message) -> None:
        event, data = _read(given)
        if event == "ping":
            self._say("pong")
        elif event == "token:refresh":
            await self._renew(data.get("token"))
        else:
            self._say("refused", code="UNKNOWN_EVENT", message="This socket takes token:refresh and ping.")

    async def _renew(self, token: object) -> None:
        try:
            principal = await self._token.renew(token)
        except AppError as error:
            self._say("refused", code=error.code, message=error.detail)
            return
        self._say("token:refreshed", expiresAt=frames.wire_time(principal.expires_at))

    def _warn(self, expires: datetime) -> None:
        self._say("token:expiring", expiresAt=frames.wire_time(expires))

    def _say(self, event: str, **data: Any) -> None:  # Any: JSON
        self.outbox.put(frames.message(event, data, last_id=self._last_id))

    def _end(self, refusal: Refusal) -> None:
        if not self._ended.done():
            self._ended.set_result(refusal)


def _read(given: Message) -> tuple[str, dict[str, Any]]:
    try:
        body = orjson.loads(given.get("text") or given.get("bytes") or b"")
    except orjson.JSONDecodeError:
        raise Refused(refusals.BAD_MESSAGE) from None
    if not isinstance(body, dict) or not isinstance(body.get("event"), str):
        raise Refused(refusals.BAD_MESSAGE)
    data = body.get("data")
    return body["event"], data if isinstance(data, dict) else {}


async def _close(send: Send, connection: _Connection | None, refusal: Refusal) -> None:
    if connection is not None:
        connection.outbox.stop()
    # The client may have left, or read nothing: then the server's own pings end it.
    with contextlib.suppress(Exception):
        async with asyncio.timeout(_CLOSING_S):
            await send({"type": "websocket.close", "code": refusal.code, "reason": refusal.reason})
