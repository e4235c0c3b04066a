"""The statements by which rooms' logs are read for those who listen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kijko.core.db import Call, Query


@dataclass(frozen=True, slots=True)
class Entry:
    """An event in a room's log. `data` is JSON; `told_at` is the wire's time."""

    id: int
    event: str
    data: str
    told_at: str
    organization_id: UUID


@dataclass(frozen=True, slots=True)
class Head:
    """The newest id of a room, 0 before its first event, and the newest one that was trimmed."""

    room: str
    last_id: int
    trimmed_id: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A listener, by its place from 1, that may not listen any more."""

    place: int
    session_ended: bool


_REFUSED = Query(
    Refused, "select * from kijko.refused_listeners($1::text[], $2::uuid[], $3::text[], $4::timestamptz[])"
)
_HEADS = Query(Head, "select * from kijko.room_heads_of($1::text[])")
_READ = Query(Entry, "select * from kijko.room_page($1::text, $2::bigint, $3::integer)")


def refused(
    rooms: Sequence[str], persons: Sequence[UUID], sessions: Sequence[str | None], issued: Sequence[datetime]
) -> Call[list[Refused]]:
    """Those of these listeners that may not listen any more."""
    return _REFUSED.bind(list(rooms), list(persons), list(sessions), list(issued))


def heads(rooms: Sequence[str]) -> Call[list[Head]]:
    """How far these rooms' logs are, in this order."""
    return _HEADS.bind(list(rooms))


def entries(room: str, after: int, most: int) -> Call[list[Entry]]:
    """What a room's log holds after an id, in order, at most so many."""
    return _READ.bind(room, after, most)
