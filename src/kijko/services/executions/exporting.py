"""Executions as one file, CSV or JSON, newest first, some at a time.

No connection is held while the reader reads: each part asks for what follows the last row of the one before, in an
order that nothing changes. What is asked for meanwhile is newer than all of it, and is not in the file; a run that ends
meanwhile is in it as it is when its turn comes.
"""

import csv
import io
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

import orjson

from kijko.core.tenancy import OrgReader, Principal, Tenants
from kijko.core.turns import Turns
from kijko.services.executions import list_queries as queries
from kijko.services.executions.list_queries import COLUMNS, Filter, Place

Format = Literal["csv", "json"]

_PLACES: Final = 500
_BATCH_BYTES: Final = 1_000_000
_FIRST: Final = UUID(int=0)
_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for the begin of a formula, in wide letters too; or skips, to look at what follows."""


@dataclass(frozen=True, slots=True)
class Export:
    """A file to come."""

    content_type: str
    parts: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class _Writer:
    """How a file begins, what some executions are in it, what is between two lots of them, and how it ends."""

    content_type: str
    head: bytes
    rows: Callable[[OrgReader, Sequence[UUID]], Awaitable[bytes]]
    between: bytes
    tail: bytes


def harmless(cell: str | None) -> str:
    """The text as a spreadsheet shows it: what would be a formula begins with an apostrophe."""
    if cell is None:
        return ""
    return f"'{cell}" if cell.startswith(_FORMULAS) else cell


def _lines(rows: Sequence[Sequence[str | None]]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows([harmless(cell) for cell in row] for row in rows)
    return out.getvalue().encode()


async def _csv(reader: OrgReader, ids: Sequence[UUID]) -> bytes:
    found = await queries.as_cells(reader, ids)
    return _lines(orjson.loads(found)) if found else b""


async def _json(reader: OrgReader, ids: Sequence[UUID]) -> bytes:
    return await queries.as_json(reader, ids) or b""


_WRITERS: Final[dict[Format, _Writer]] = {
    "csv": _Writer("text/csv; charset=utf-8", _lines([COLUMNS]), _csv, b"", b""),
    "json": _Writer("application/json", b"[\n", _json, b",\n", b"\n]\n"),
}


async def export(database: Tenants, turns: Turns, principal: Principal, wanted: Filter, form: Format) -> Export:
    """The executions that fit, as the caller sees them while it goes.

    Args:
        turns: who is exporting.

    Raises:
        Limited: they have several under way.
    """
    writer = _WRITERS[form]
    reader = database.reader(principal)

    async def parts() -> AsyncGenerator[bytes]:
        with turns.take(principal.user_id):
            before = writer.head
            async with aclosing(_batches(reader, wanted)) as batches:
                async for ids in batches:
                    if rows := await writer.rows(reader, ids):
                        yield before + rows
                        before = writer.between
            yield writer.tail if before is writer.between else writer.head + writer.tail

    return Export(writer.content_type, await _begun(parts()))


async def _begun(parts: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    """The same parts, of which the first is there: what goes wrong at the start is an answer of its own."""
    first = await anext(parts)

    async def all_of_them() -> AsyncIterator[bytes]:
        async with aclosing(parts):
            yield first
            async for part in parts:
                yield part

    return all_of_them()


async def _batches(reader: OrgReader, wanted: Filter) -> AsyncGenerator[list[UUID]]:
    before = (wanted.end, _FIRST)
    while True:
        found = await queries.places(reader, wanted, before, _PLACES)
        for ids in _lots(found):
            yield ids
        if len(found) < _PLACES:
            return
        before = (found[-1].executed_at, found[-1].id)


def _lots(found: Sequence[Place]) -> Iterator[list[UUID]]:
    """Their ids, as many together as have a megabyte of text; one at least."""
    lot: list[UUID] = []
    size = 0
    for place in found:
        if lot and size + place.size > _BATCH_BYTES:
            yield lot
            lot, size = [], 0
        lot.append(place.id)
        size += place.size
    if lot:
        yield lot
