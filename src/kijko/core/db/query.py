"""Statements with the type of what they return. Write them once, at module level; each registers itself.

    _GET = Query(Project, "select id, name from projects where id = $1::uuid")
    project = await tx.first(_GET, project_id)

A text is a LiteralString: the type checker refuses one that was put together from values.
"""

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, is_dataclass
from functools import cache
from hashlib import blake2b
from operator import itemgetter
from typing import Any, Final, Generic, LiteralString, TypeVar

from psycopg.pq.abc import PGresult

from kijko.core.db.codec import Arg, Decoder, Values, encode
from kijko.core.db.errors import NoRow, TooManyRows

Row = TypeVar("Row")
Out_co = TypeVar("Out_co", covariant=True)

_READS = re.compile(r"\s*(select|with|values|table)\b", re.IGNORECASE)
_WRITES = re.compile(r"\b(insert|update|delete|merge|nextval|setval|pg_notify)\b", re.IGNORECASE)


class Sql:
    """A text that Postgres runs, with the name it is prepared under: the same text has the same name everywhere."""

    __slots__ = ("encoded", "label", "module", "name", "text", "writes")

    def __init__(self, text: LiteralString, *, writes: bool | None = None) -> None:
        self.text: Final = text
        self.encoded: Final = text.encode()
        self.name: Final = b"k" + blake2b(self.encoded, digest_size=12).hexdigest().encode()
        self.writes: Final = writes if writes is not None else not _only_reads(text)
        self.module, line = _caller()
        self.label: Final = f"{self.module}:{line}"


class Call(Generic[Out_co]):
    """A statement with its parameters, ready to be sent, and how its result becomes a value."""

    __slots__ = ("decode", "sql", "values")

    def __init__(self, sql: Sql, values: Values, decode: Callable[[PGresult, Decoder], Out_co]) -> None:
        self.sql = sql
        self.values = values
        self.decode = decode


class Query(Sql, Generic[Row]):
    """A statement that returns rows.

    `row` is a dataclass whose fields stand in the order of the columns, or the type of the only column (`int`, `str`).
    Pass `writes=True` when a `select` calls a function that changes something: what only reads may be sent a second
    time after the connection broke.
    """

    __slots__ = ("_make", "row")

    def __init__(self, row: type[Row], text: LiteralString, *, writes: bool | None = None) -> None:
        super().__init__(text, writes=writes)
        self.row: Final = row
        self._make: Callable[[Sequence[Any]], Row] = _from_columns(row) if is_dataclass(row) else itemgetter(0)
        REGISTRY.append(self)

    def bind(self, *args: Arg) -> Call[list[Row]]:
        """A call that gives every row."""
        return Call(self, encode(args), self._all)

    def bind_one(self, *args: Arg) -> Call[Row]:
        """A call that gives the one row. Raises NoRow or TooManyRows."""
        return Call(self, encode(args), self._one)

    def bind_first(self, *args: Arg) -> Call[Row | None]:
        """A call that gives the first row, or None."""
        return Call(self, encode(args), self._first)

    def _all(self, result: PGresult, decoder: Decoder) -> list[Row]:
        return decoder.rows(result, self._make)

    def _one(self, result: PGresult, decoder: Decoder) -> Row:
        if result.ntuples > 1:
            raise TooManyRows(f"{self.label} returned {result.ntuples} rows where one was asked for.")
        rows = decoder.rows(result, self._make)
        if not rows:
            raise NoRow(f"{self.label} returned no row where one was asked for.")
        return rows[0]

    def _first(self, result: PGresult, decoder: Decoder) -> Row | None:
        rows = decoder.rows(result, self._make)
        return rows[0] if rows else None


class Scalar(Query[Row]):
    """A statement that returns one column: `Scalar(int, "select count(*) from …")`."""

    __slots__ = ()


class Json(Sql):
    """A statement that returns one json or text value, whose bytes are passed on as Postgres wrote them."""

    __slots__ = ()

    def __init__(self, text: LiteralString, *, writes: bool | None = None) -> None:
        super().__init__(text, writes=writes)
        REGISTRY.append(self)

    def bind(self, *args: Arg) -> Call[bytes | None]:
        """A call that gives the bytes, or None for no row or null."""
        return Call(self, encode(args), _bytes)


class Statement(Sql):
    """A statement that returns no rows; its value is the number of rows it changed."""

    __slots__ = ()

    def __init__(self, text: LiteralString) -> None:
        super().__init__(text, writes=True)
        REGISTRY.append(self)

    def bind(self, *args: Arg) -> Call[int]:
        """A call that gives the number of rows changed."""
        return Call(self, encode(args), _count)


REGISTRY: list[Query[Any] | Json | Statement] = []  # Any: rows of every type
"""Every statement of the program, in the order of the imports."""


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """The statement that runs first in every transaction, such as the one that sets the role and the tenant."""

    text: LiteralString | None = None
    args: tuple[Arg, ...] = ()
    calls: tuple[Call[None], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        calls = () if self.text is None else (command(self.text, *self.args),)
        object.__setattr__(self, "calls", calls)


def command(text: LiteralString, *args: Arg) -> Call[None]:
    """A call whose result is of no interest, of a text that is not registered."""
    return Call(_plain(text), encode(args), _nothing)


@cache
def _plain(text: LiteralString) -> Sql:
    return Sql(text, writes=False)


def _from_columns(row: Callable[..., Row]) -> Callable[[Sequence[Any]], Row]:
    def make(values: Sequence[Any]) -> Row:
        return row(*values)

    return make


def _bytes(result: PGresult, _: Decoder) -> bytes | None:
    return result.get_value(0, 0) if result.ntuples else None


def _count(result: PGresult, _: Decoder) -> int:
    return result.command_tuples or 0


def _nothing(_: PGresult, __: Decoder) -> None:
    return None


def _only_reads(text: str) -> bool:
    return bool(_READS.match(text)) and not _WRITES.search(text)


def _caller() -> tuple[str, int]:
    frame = sys._getframe(1)  # noqa: SLF001  (the only way to a caller that is cheap at import)
    while frame.f_back is not None and frame.f_globals["__name__"] == __name__:
        frame = frame.f_back
    return frame.f_globals["__name__"], frame.f_lineno
