"""A client's place in one room: what is told there goes to its session, with the room's name."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from kijko.core.errors import AppError
from kijko.core.tenancy import Principal
from kijko.realtime import packets
from kijko.realtime.engine import Session
from kijko.realtime.hub import Hub
from kijko.realtime.token_life import TokenLife
from kijko.services.events import Entry

_AT_ONCE: Final = 100_000
"""Characters of what was missed that are sent before the client has taken them."""


class Seat:
    """A listener."""

    def __init__(
        self, room: str, life: TokenLife, session: Session, refused: "Callable[[Seat, AppError], None]"
    ) -> None:
        """`refused` is called when it had to leave."""
        self.room = room
        self.last_id = 0
        self.joining: asyncio.Task[None] | None = None
        self._life = life
        self._session = session
        self._refused = refused

    @property
    def principal(self) -> Principal:
        """Whose it is."""
        return self._life.principal

    def take(self, entries: Sequence[Entry]) -> None:
        """Sends events."""
        self.last_id = entries[-1].id
        self._session.send_batch(packets.batch_of(self.room, entries))

    def gap(self, oldest_id: int) -> None:
        """Says that what came before this id is not in the log any more."""
        self.last_id = oldest_id - 1
        self.say("gap", room=self.room, oldestId=str(oldest_id))

    def refuse(self, reason: AppError) -> None:
        """It has left the room and may not come back."""
        self._refused(self, reason)

    async def join(self, hub: Hub, after: int | None) -> str:
        """Sends what was missed; the newest id of the room, when it is live.

        Raises:
            SessionEnded, NoSuchRoom: it may not listen. DatabaseError: nobody can tell.
        """
        self.last_id = after or 0
        newest = await hub.join(self, after, self._send_page)
        self.last_id = max(self.last_id, newest) if after is None else self.last_id
        return str(self.last_id)

    def say(self, event: str, **data: Any) -> None:  # Any: JSON
        """Sends an event of the connection itself."""
        self._session.send(packets.event(event, data, room=self.room, last_id=self.last_id))

    async def _send_page(self, entries: Sequence[Entry]) -> None:
        begin, size = 0, 0
        for end, entry in enumerate(entries, 1):
            size += len(entry.data)
            if size > _AT_ONCE or end == len(entries):
                self.take(entries[begin:end])
                await self._session.drained()
                begin, size = end, 0
