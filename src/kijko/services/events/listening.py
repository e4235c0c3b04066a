"""Reading rooms' logs for listeners, and telling which of them may not listen any more."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from kijko.core.db import Call
from kijko.core.errors import NotFound, Unauthenticated
from kijko.core.tenancy import GateReader, KeyRefused, Principal, SessionEnded, Tenants
from kijko.services.events import reading_queries as queries
from kijko.services.events.reading_queries import Entry, Head, Refused

PAGE: Final = 200
"""Events that are read at once."""


class NoSuchRoom(NotFound):
    """There is no such room for you: what it is about is gone, or is not yours to see."""

    code = "ROOM_NOT_FOUND"


Reason = Unauthenticated | NoSuchRoom


class Listens(Protocol):
    """Somebody who listens to a room."""

    @property
    def room(self) -> str:
        """The room's name."""
        ...

    @property
    def principal(self) -> Principal:
        """Who listens."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
    """What was read: events in order, how far the log is, and whom it may not be given."""

    entries: Sequence[Entry]
    head: Head
    refused: Sequence[tuple[int, Reason]]
    """Listeners by their place in what was asked, from 0, each with the reason."""


class Listening:
    """The logs of every room, for those who may hear them."""

    def __init__(self, database: Tenants) -> None:
        self._database = database

    async def read(self, room: str, after: int, listeners: Sequence[Listens], *, most: int = PAGE) -> Page:
        """A room's events after an id, and which of these listeners may not have them."""
        heads, entries, refused = await self._reader.gather(  # in this order: who may is asked when all is read
            queries.heads([room]), queries.entries(room, after, most), _refused(listeners)
        )
        return Page(entries, heads[0], _reasons(refused, listeners))

    async def look(
        self, rooms: Sequence[str], listeners: Sequence[Listens]
    ) -> tuple[Sequence[Head], Sequence[tuple[int, Reason]]]:
        """How far these rooms are, and which of these listeners may not listen any more."""
        refused, heads = await self._reader.gather(_refused(listeners), queries.heads(rooms))
        return heads, _reasons(refused, listeners)

    @property
    def _reader(self) -> GateReader:
        return self._database.gate_reader()


def _refused(listeners: Sequence[Listens]) -> Call[list[Refused]]:
    return queries.refused(
        [one.room for one in listeners],
        [one.principal.user_id for one in listeners],
        [one.principal.session_id for one in listeners],
        [one.principal.issued_at for one in listeners],
    )


def _reasons(refused: Sequence[Refused], listeners: Sequence[Listens]) -> list[tuple[int, Reason]]:
    return [(one.place - 1, _reason(one, listeners[one.place - 1].principal)) for one in refused]


def _reason(refused: Refused, principal: Principal) -> Reason:
    if not refused.session_ended:
        return NoSuchRoom()
    return SessionEnded() if principal.key is None else KeyRefused()
