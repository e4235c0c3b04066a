"""The statements of presence."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from kijko.core.db import Query, Scalar
from kijko.core.tenancy import GateReader, SystemReader


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody who is there, for a person who shares an organization with them."""

    person: UUID
    colleague: UUID


_NOTE = Scalar(bool, "select kijko.note_presence($1::uuid, $2::uuid[], $3::uuid[]) is null", writes=True)
_COLLEAGUES = Query(Colleague, "select * from kijko.colleagues_present($1::uuid[], $2::integer)")
_TELL = Scalar(
    list[str],
    "select kijko.tell_presence(make_interval(secs => $1::double precision), "
    "make_interval(secs => $2::double precision), $3::integer)",
    writes=True,
)


async def note(reader: GateReader, process: UUID, here: Sequence[UUID], gone: Sequence[UUID]) -> None:
    """A process lives; these persons are connected to it by now, and those are not any more."""
    await reader.one(_NOTE, process, list(here), list(gone))


async def colleagues(reader: GateReader, persons: Sequence[UUID], most: int) -> list[Colleague]:
    """Who is there of each one's colleagues, at most so many for each."""
    return await reader.all(_COLLEAGUES, list(persons), most)


async def tell(reader: SystemReader, grace_s: float, silence_s: float, most: int) -> list[str]:
    """Tells who has come and gone; the rooms in which something is new."""
    return await reader.one(_TELL, grace_s, silence_s, most)
