"""Engine.IO 4, which carries Socket.IO: sessions over a WebSocket, over polling, or over first one and then the other.

A session writes at once and never waits: to its WebSocket, or into the queue of which polls take. Both are bounded.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import orjson

from kijko.core.errors import AppError, Unavailable
from kijko.middleware.protocol import Frames
from kijko.realtime import refusals
from kijko.realtime.packets import Batch, frame
from kijko.realtime.refusals import Refusal

OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = "0", "1", "2", "3", "4", "5", "6"
PROBE: Final = PING + "probe"
LARGEST: Final = 65_536
"""Bytes of a client's message, or of the body of a POST."""
SEPARATOR: Final = "\x1e"
_PING_S: Final = 20.0
_PONG_S: Final = 20.0
_MESSAGES: Final = 1000
_BYTES: Final = 4_000_000
_STRANGERS_BYTES: Final = 4_096
"""What may wait for somebody who has not signed in: the answer to a handshake has a few hundred."""
_ALL_BYTES: Final = 64_000_000
"""What may wait for the polls of all sessions of a process together."""
_A_POLL: Final = 16
"""Packets that one poll gets: the Python client takes no more at once."""
_LINGER_S: Final = 30.0
"""How long a poll may still fetch why its session has ended."""
_MANY: Final = 20_000


class Crowded(Unavailable):
    """This server has as many connections as it takes. Connect again in a moment."""


class Client(Protocol):
    """Whoever talks over a session."""

    async def hear(self, packet: str) -> None:
        """A packet of Socket.IO from the other side."""
        ...

    def overflowed(self) -> None:
        """The other side reads too slowly; the session is to be closed."""
        ...

    def left(self) -> None:
        """The session has ended."""
        ...


@dataclass(slots=True)
class Engine:
    """The sessions of a process, by their ids."""

    sessions: "dict[str, Session]"
    accept: "Callable[[Session], Client]"
    most: int = _MANY
    strangers: "dict[str, Session]" = field(default_factory=dict)
    """Those of whom nobody knows yet whose they are, the oldest first."""
    lingering: "dict[str, Session]" = field(default_factory=dict)
    """Those that have ended, and that a poll may still ask why; the oldest first."""
    most_waiting: int = _ALL_BYTES
    waiting: int = 0
    """Characters that wait for polls."""
    _relieving: bool = False

    def open(self, frames: Frames | None, address: str) -> "Session":
        """A new session from that address, over that WebSocket or over polling.

        Where there are too many, the oldest one that has ended leaves, and then the oldest stranger.

        Raises:
            Crowded: there are too many, and all of them are at work.
        """
        while len(self.sessions) >= self.most:
            leaving = next(iter(self.lingering.values()), None) or next(iter(self.strangers.values()), None)
            if leaving is None:
                raise Crowded
            leaving.make_room()
        return Session(self, frames, address)

    def relieve(self) -> None:
        """Where too much waits for polls, those for whom most waits are let go: first sessions that have ended, then
        strangers' ones.

        A quarter goes at once, so that whoever fills the queues does not have all of them looked through each time.
        """
        if self.waiting <= self.most_waiting or self._relieving:
            return
        self._relieving = True
        try:
            for one in sorted(self.sessions.values(), key=self._burden, reverse=True):
                if self.waiting <= self.most_waiting * 3 // 4:
                    return
                one.overflow()
        finally:
            self._relieving = False

    def _burden(self, one: "Session") -> tuple[bool, bool, int]:
        return one.ended, one.sid in self.strangers, one.queued


class Session:
    """One client's session. Its id is known to it alone."""

    def __init__(self, engine: Engine, frames: Frames | None, address: str) -> None:
        self.sid = secrets.token_urlsafe(18)
        self.frames = frames
        self.address = address
        """Where its first request came from."""
        self.upgrading = False
        self.polled = False
        """Whether a poll is waiting."""
        self._engine = engine
        self._ended = False
        self._error: AppError | None = None
        self._overflowing = False
        self._queue: deque[str] = deque()
        self.queued = 0
        """Characters that wait for a poll."""
        self._changed = asyncio.Event()
        self._taken = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        engine.sessions[self.sid] = engine.strangers[self.sid] = self
        self._client = engine.accept(self)
        self.send(OPEN + orjson.dumps(self._terms()).decode())
        self._ping_later()

    def _terms(self) -> dict[str, object]:
        return {
            "sid": self.sid,
            "upgrades": [] if self.frames else ["websocket"],
            "pingInterval": int(_PING_S * 1000),
            "pingTimeout": int(_PONG_S * 1000),
            "maxPayload": LARGEST,
        }

    @property
    def ended(self) -> bool:
        """Whether it takes nothing any more."""
        return self._ended

    def send(self, text: str) -> None:
        """Sends one packet, unless too much waits already: who asks and never fetches the answers needs a bound too."""
        if self._ended:
            return
        if self._is_full() and not self._overflowing:
            self.overflow()
        elif self.frames is not None:
            self.frames.write(frame(text))
        else:
            self._enqueue((text,))

    def send_batch(self, batch: Batch) -> None:
        """Sends packets that others get too, unless too much waits for this one already."""
        if self._ended:
            return
        if self._is_full():
            self.overflow()
        elif self.frames is not None:
            self.frames.write(batch.frames)
        else:
            self._enqueue(batch.texts)

    async def drained(self) -> None:
        """Returns when most of what was sent has been taken, or the session has ended."""
        if self.frames is not None:
            await self.frames.drained()
            return
        while self._queue and not self._ended and self.frames is None:
            self._taken.clear()
            await self._taken.wait()

    def close(self, refusal: Refusal, *, again: bool = False) -> None:
        """Ends it from this side, behind what was sent. `again`: the client is to come back by itself.

        Who polls is told by a packet that it is closed, and then not every client comes back. One that only finds its
        session unknown does.
        """
        if self._ended:
            return
        if self.frames is not None:
            self.frames.close(refusal.code, refusal.reason)
        elif not again:
            self._enqueue((CLOSE,))
        self._end()

    def refuse(self, error: AppError) -> None:
        """Ends it, and the client is to come back by itself. Who polls gets the error as the answer to a poll."""
        if self._ended:
            return
        self._error = error
        self.close(refusals.of(error), again=True)

    def known(self) -> None:
        """It is known whose it is."""
        self._engine.strangers.pop(self.sid, None)

    def make_room(self) -> None:
        """It is forgotten, for others."""
        self.shed()
        self.close(refusals.CROWDED, again=True)
        self._forget()

    def overflow(self) -> None:
        """More waits than may: it is told so and ended, or forgotten where it has ended."""
        if self._ended:
            self._forget()
            return
        self._overflowing = True
        self._client.overflowed()

    def shed(self) -> None:
        """Forgets what waits for a poll: it will not be asked for in time."""
        self._queue.clear()
        self._count(-self.queued)

    def end(self) -> None:
        """The other side has left: nobody comes for what waits."""
        self.shed()
        self._error = None
        self._end()
        self._forget()

    def _end(self) -> None:
        """It takes nothing any more. What waits for a poll may still be fetched for a while."""
        if self._ended:
            return
        self._ended = True
        self.upgrading = False
        self._changed.set()
        self._taken.set()
        if self.frames is None and (self._queue or self._error is not None):
            self._engine.strangers.pop(self.sid, None)
            self._engine.lingering[self.sid] = self
            self._after(_LINGER_S, self._forget)
        else:
            self._forget()
        self._client.left()

    async def poll(self) -> str:
        """What is new for who polls, as soon as there is something.

        Raises:
            AppError: the session was refused.
        """
        self.polled = True
        try:
            while not self._queue and not self._ended and not self.upgrading and self.frames is None:
                self._changed.clear()
                await self._changed.wait()
        finally:
            self.polled = False
        return self._take()

    def _take(self) -> str:
        if self._error is not None and not self._queue:
            self._forget()
            raise self._error
        taken = [self._queue.popleft() for _ in range(min(len(self._queue), _A_POLL))]
        self._count(-sum(map(len, taken)))
        self._taken.set()
        if self._ended and not self._queue and self._error is None:
            self._forget()
        return SEPARATOR.join(taken) or NOOP

    def probe(self, frames: Frames) -> bool:
        """A WebSocket asks to take over; polls are answered at once from now on, so that the client can stop them.

        False where another one has, or the session has ended.
        """
        if self._ended or self.upgrading or self.frames is not None:
            return False
        self.upgrading = True
        self._changed.set()
        frames.write(frame(PONG + "probe"))
        return True

    def upgrade(self, frames: Frames) -> bool:
        """The WebSocket that asked takes over, unless the session has ended."""
        if self._ended:
            return False
        self.upgrading = False
        self.frames = frames
        frames.write(b"".join(map(frame, self._queue)))
        self.shed()
        self._changed.set()
        self._taken.set()
        return True

    def stay(self) -> None:
        """The WebSocket that asked does not take over: polls wait again."""
        self.upgrading = False

    async def receive(self, packet: str) -> None:
        """A packet of Engine.IO from the other side."""
        kind = packet[:1]
        if kind == MESSAGE:
            await self._client.hear(packet[1:])
        elif kind == PONG:
            self._ping_later()
        elif kind == CLOSE:
            self.end()
        elif kind != NOOP:
            self.close(refusals.BAD_PACKET, again=True)

    def _enqueue(self, texts: Sequence[str]) -> None:
        self._queue.extend(texts)
        self._count(sum(map(len, texts)))
        self._changed.set()
        self._engine.relieve()

    def _count(self, more: int) -> None:
        self.queued += more
        self._engine.waiting += more

    def _is_full(self) -> bool:
        most = _STRANGERS_BYTES if self.sid in self._engine.strangers else _BYTES
        if self.frames is not None:
            return self.frames.waiting > most
        return len(self._queue) > _MESSAGES or self.queued > most

    def _ping_later(self) -> None:
        if not self._ended:
            self._after(_PING_S, self._ping)

    def _ping(self) -> None:
        self._after(_PONG_S, self._silent)
        self.send(PING)

    def _silent(self) -> None:
        self.shed()
        self.close(refusals.SILENT, again=True)

    def _after(self, seconds: float, what: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, what)

    def _forget(self) -> None:
        self.shed()
        if self._timer is not None:
            self._timer.cancel()
        for every in (self._engine.sessions, self._engine.strangers, self._engine.lingering):
            every.pop(self.sid, None)
