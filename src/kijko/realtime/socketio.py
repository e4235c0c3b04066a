"""Socket.IO: one client's connection, from its handshake on. Its rooms are logs, read by the hub for all who listen.

`join {room, lastId?}` is acknowledged when it is live; `leave {room}`; `token:refresh {token}`; the person's own
room is joined at the handshake, `auth {token, lastId?}`. An event has two arguments: data, and {room, id, timestamp}.
"""

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog

from kijko.core.db.errors import DatabaseError
from kijko.core.errors import AppError, Invalid, Limited, Unauthenticated
from kijko.core.places import Full
from kijko.core.tenancy import translate
from kijko.realtime import ids, packets, refusals
from kijko.realtime.engine import Session
from kijko.realtime.entrance import check_room
from kijko.realtime.frames import wire_time
from kijko.realtime.pace import Pace
from kijko.realtime.packets import Packet
from kijko.realtime.refusals import Refusal, Refused
from kijko.realtime.seats import Seat
from kijko.realtime.shared import Realtime
from kijko.realtime.token_life import TokenLife
from kijko.services.events import Entry, NoSuchRoom, user_room

_HANDSHAKE_S: Final = 10.0
_HOLD_S: Final = 2.0
"""How long somebody waits for whom there is no place, until they are told: clients come back within a second."""
_MESSAGES_A_SECOND: Final = 100
_ROOMS: Final = 100
_ROOM: Final = re.compile(r"[a-z]{1,20}:[0-9a-f-]{36}")
_log = structlog.get_logger(__name__)

Answer = Mapping[str, Any]  # JSON


class TooManyRooms(Limited):
    """A connection may be in 100 rooms. Leave one, then join this one."""


class UnknownEvent(Invalid):
    """This server takes join, leave, token:refresh and ping."""

    code = "UNKNOWN_EVENT"


class BadLastId(Invalid):
    """lastId is not an id of this room. Send the last one you got, or none."""

    def __init__(self) -> None:
        super().__init__(field="lastId")


class Connection:
    """One client, over a session of Engine.IO."""

    def __init__(self, session: Session, realtime: Callable[[], Realtime]) -> None:
        self._session = session
        self._realtime = realtime
        self._greeted = False
        self._life: TokenLife | None = None
        self._own: Seat | None = None
        self._seats: dict[str, Seat] = {}
        self._held = ExitStack()
        self._tasks: set[asyncio.Task[None]] = set()
        self._pace = Pace(_MESSAGES_A_SECOND)
        self._deadline = asyncio.get_running_loop().call_later(_HANDSHAKE_S, self._too_late)

    async def hear(self, packet: str) -> None:
        """A packet from the client."""
        if self._pace.is_exceeded():
            self._end(Limited("You send too many messages. Send fewer."), refusals.TOO_MANY_MESSAGES, again=True)
            return
        try:
            found = packets.parse(packet)
        except packets.Malformed:
            self._session.close(refusals.BAD_PACKET, again=True)
            return
        await self._take(found)

    def overflowed(self) -> None:
        """It reads too slowly: it is told so, and comes back with its last ids."""
        self._session.shed()
        self._end(Limited(refusals.TOO_SLOW.reason), refusals.TOO_SLOW, again=True)

    def left(self) -> None:
        """The session has ended."""
        self._deadline.cancel()
        self._held.close()
        if self._life is not None:
            self._life.stop()
        for task in list(self._tasks):
            if task is not asyncio.current_task():
                task.cancel()
        seats = [*self._seats.values()]
        self._seats.clear()
        if seats:
            _keep(asyncio.create_task(self._leave_all(seats)))

    async def _leave_all(self, seats: list[Seat]) -> None:
        for seat in seats:
            await self._realtime().hub.leave(seat)

    async def _take(self, packet: Packet) -> None:
        if packet.kind == packets.CONNECT:
            await self._connect(packet)
        elif packet.kind == packets.DISCONNECT:
            self._session.close(refusals.DONE)
        elif packet.kind == packets.EVENT and self._own is not None:
            self._event(packet)

    # ---- the handshake

    async def _connect(self, packet: Packet) -> None:
        if packet.namespace != "/":
            self._session.send(packets.refused("NOT_FOUND", "Invalid namespace", namespace=packet.namespace))
            return
        if self._greeted:
            return
        self._greeted = True
        auth = packet.data if isinstance(packet.data, dict) else {}
        try:
            await _translated(self._open(auth))
        except Full as error:
            # After a `connect_error` the JavaScript client stays away, and a killed process's places come free soon.
            self._deadline.cancel()
            self._deadline = asyncio.get_running_loop().call_later(_HOLD_S, self._session.refuse, error)
        except AppError as error:
            if self._own is None or self._session.ended:
                self._session.send(packets.refused(error.code, error.detail))
                self._session.close(refusals.of(error))
            else:
                self._end(error, refusals.of(error))

    async def _open(self, auth: Answer) -> None:
        token = auth.get("token")
        if not isinstance(token, str) or not token:
            raise Unauthenticated("Send your access token as auth.token in the handshake.")
        realtime = self._realtime()
        principal = await realtime.entrance.enter(token, "user", self._session.address)
        after = _number(auth.get("lastId"))
        free = await realtime.admit(principal)
        if self._session.ended:
            free()
            return
        self._held.callback(free)
        self._session.known()
        self._life = TokenLife(principal, realtime.entrance.tokens)
        self._deadline.cancel()
        seat = _OwnSeat(user_room(principal.user_id), self._life, self._session, self._refuse, opened=self._opened)
        self._seats[seat.room] = seat
        last_id = await seat.join(realtime.hub, after)
        if self._session.ended:
            await realtime.hub.leave(seat)
            return
        seat.open()
        seat.say("joined", room=seat.room, lastId=last_id)
        if principal.key is None:
            self._held.enter_context(realtime.present.connected(principal.user_id, self._tell_present))
        self._life.watch(self._warn, self._expired)

    def _opened(self, seat: Seat) -> None:
        self._own = seat
        self._session.send(packets.connected(secrets.token_urlsafe(15)))

    def _tell_present(self, colleagues: Sequence[UUID]) -> None:
        for each in colleagues:
            self._say("user:status", {"userId": str(each), "status": "online", "since": None})

    def _too_late(self) -> None:
        self._session.send(packets.refused("UNAUTHENTICATED", refusals.NO_HANDSHAKE.reason))
        self._session.close(refusals.NO_HANDSHAKE)

    # ---- what a client asks for

    def _event(self, packet: Packet) -> None:
        match packet.data:
            case [str(name), dict(data), *_]:
                pass
            case [str(name), *_]:
                data = {}
            case _:
                self._session.close(refusals.BAD_PACKET, again=True)
                return
        if name == "ping":
            self._answer(packet, "pong", {})
        elif name == "join":
            self._join(packet, data)
        elif name == "leave":
            self._start(packet, self._leave(str(data.get("room"))), "left")
        elif name == "token:refresh":
            self._start(packet, self._renew(data.get("token")), "token:refreshed")
        else:
            self._decline(packet, UnknownEvent())

    def _start(self, packet: Packet, asked: Awaitable[Answer], told: str) -> asyncio.Task[None]:
        """Begins what waits; the client is answered when it is done."""
        task = asyncio.create_task(self._do(packet, asked, told))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _do(self, packet: Packet, asked: Awaitable[Answer], told: str) -> None:
        try:
            self._answer(packet, told, await _translated(asked))
        except AppError as error:
            self._decline(packet, error)

    def _join(self, packet: Packet, data: Answer) -> None:
        room = str(data.get("room")).lower()
        seat = self._seats.get(room)
        if _ROOM.fullmatch(room) is None:
            self._decline(packet, NoSuchRoom())
        elif seat is not None and seat.joining is not None and not seat.joining.done():
            self._decline(packet, Limited("You are joining this room already. Wait for its answer."))
        elif seat is None and len(self._seats) >= _ROOMS:
            self._decline(packet, TooManyRooms())
        else:
            assert self._life is not None  # noqa: S101  # events are heard after the handshake
            fresh = self._seats[room] = Seat(room, self._life, self._session, self._refuse)
            fresh.joining = self._start(packet, self._sit_down(fresh, seat, data), "joined")

    async def _sit_down(self, seat: Seat, before: Seat | None, data: Answer) -> Answer:
        hub = self._realtime().hub
        try:
            check_room(seat.principal, seat.room)
            if before is not None:
                await hub.leave(before)
            last_id = await seat.join(hub, _number(data.get("lastId")))
        except BaseException:
            await hub.leave(seat)
            if self._seats.get(seat.room) is seat:
                del self._seats[seat.room]
            raise
        if before is not None and before is self._own:
            self._own = seat
        return {"room": seat.room, "lastId": last_id}

    async def _leave(self, room: str) -> Answer:
        seat = self._seats.get(room.lower())
        if seat is not None and seat is not self._own:
            del self._seats[seat.room]
            if seat.joining is not None:
                seat.joining.cancel()
            await self._realtime().hub.leave(seat)
        return {"room": room}

    async def _renew(self, token: object) -> Answer:
        assert self._life is not None  # noqa: S101  # as above
        principal = await self._life.renew(token)
        return {"expiresAt": wire_time(principal.expires_at)}

    # ---- what it is told

    def _answer(self, packet: Packet, event: str, body: Answer) -> None:
        if packet.ack_id is not None:
            self._session.send(packets.acknowledged(packet.ack_id, {"ok": True, **body}))
        else:
            self._say(event, body)

    def _decline(self, packet: Packet, error: AppError) -> None:
        body = {"code": error.code, "message": error.detail}
        if packet.ack_id is not None:
            self._session.send(packets.acknowledged(packet.ack_id, {"ok": False, **body}))
        else:
            self._say("refused", body)

    def _say(self, event: str, body: Answer) -> None:
        if self._own is not None:
            self._own.say(event, **body)

    def _warn(self, expires: datetime) -> None:
        self._say("token:expiring", {"expiresAt": wire_time(expires)})

    def _expired(self) -> None:
        assert self._life is not None  # noqa: S101  # as above
        self._say("token:expired", {"expiresAt": wire_time(self._life.principal.expires_at)})
        self._session.send(packets.disconnected())
        self._session.close(refusals.TOKEN_EXPIRED)

    def _refuse(self, seat: Seat, reason: AppError) -> None:
        """The seat has left its room; a session that has ended leaves all of them."""
        if self._seats.get(seat.room) is seat:
            del self._seats[seat.room]
        if isinstance(reason, Unauthenticated):
            self._end(reason, refusals.of(reason))
        else:
            seat.say("left", room=seat.room, code=reason.code, message=reason.detail)

    def _end(self, reason: AppError, refusal: Refusal, *, again: bool = False) -> None:
        """Says why, and ends the connection. `again`: the client is to come back by itself."""
        code = "TOO_SLOW" if refusal is refusals.TOO_SLOW else reason.code
        self._say("closed", {"code": code, "message": reason.detail})
        if not again:
            self._session.send(packets.disconnected())
        self._session.close(refusal, again=again)


class _OwnSeat(Seat):
    """The person's own room. The handshake is answered when it was allowed, and before anything that is told there."""

    def __init__(self, *about: Any, opened: Callable[[Seat], None]) -> None:  # Any: as a Seat's
        super().__init__(*about)
        self._when_open = opened
        self._is_open = False

    def open(self) -> None:
        """Answers the handshake, once."""
        if not self._is_open:
            self._is_open = True
            self._when_open(self)

    def take(self, entries: Sequence[Entry]) -> None:
        """As a Seat's."""
        self.open()
        super().take(entries)

    def gap(self, oldest_id: int) -> None:
        """As a Seat's."""
        self.open()
        super().gap(oldest_id)


def _number(given: object) -> int | None:
    try:
        return ids.number_of(given)
    except Refused:
        raise BadLastId from None


async def _translated(asked: Awaitable[Any]) -> Any:  # Any: what it answers
    """Its answer; what the database says becomes an error for people, what nobody expected is logged.

    Raises:
        AppError: it cannot be done.
    """
    try:
        return await asked
    except AppError:
        raise
    except DatabaseError as error:
        raise translate(error) or AppError() from error
    except Exception as error:
        _log.exception("realtime.broke")
        raise AppError from error


_kept: set[asyncio.Task[None]] = set()


def _keep(task: asyncio.Task[None]) -> None:
    """The loop itself holds tasks only weakly."""
    _kept.add(task)
    task.add_done_callback(_kept.discard)
