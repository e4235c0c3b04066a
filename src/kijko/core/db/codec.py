"""Python values to Postgres parameters and back, by psycopg's own C adapters, with JSON read and written by orjson.

Parameters travel as text without a type, so the server takes the type from the statement: write `$1::uuid`.
Results come as text too: a type that psycopg does not know (an enum, citext) is then a str and not bytes.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

import orjson
import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap, Dumper, PyFormat, Transformer
from psycopg.pq.abc import PGresult
from psycopg.types.array import ListDumper
from psycopg.types.json import Jsonb, set_json_dumps, set_json_loads

from kijko.core.db.errors import DatabaseError, InvalidArgument

__all__ = ["Arg", "Decoder", "Jsonb", "Values", "encode"]

T = TypeVar("T")

_One: TypeAlias = str | int | float | bool | Decimal | UUID | datetime | date | time | timedelta | bytes | Jsonb | None
Arg: TypeAlias = _One | Sequence[_One] | Sequence[Sequence[_One]]
"""What may be passed as a parameter. JSON goes in as `Jsonb(object)`, an array as a list."""
Values: TypeAlias = Sequence[Buffer | None]


class _DatetimeDumper(Dumper):
    """A naive datetime is another instant on each machine, so it is refused."""

    def dump(self, obj: datetime) -> bytes:
        if obj.tzinfo is None:
            raise psycopg.DataError("a datetime needs a timezone, for example UTC")
        return obj.isoformat(" ").encode()


class _BytesDumper(Dumper):
    def dump(self, obj: bytes) -> bytes:
        return b"\\x" + obj.hex().encode()


class _Context:
    """psycopg's adapters with our changes, which its own connections elsewhere do not see."""

    connection = None

    def __init__(self) -> None:
        self.adapters = AdaptersMap(psycopg.adapters)
        self.adapters.register_dumper(datetime, _DatetimeDumper)
        self.adapters.register_dumper(bytes, _BytesDumper)
        self.adapters.register_dumper(tuple, ListDumper)
        set_json_loads(orjson.loads, self)
        set_json_dumps(orjson.dumps, self)


_CONTEXT = _Context()
_encoder = Transformer(_CONTEXT)
_TEXT = [[PyFormat.TEXT] * n for n in range(64)]


def encode(args: Sequence[Arg]) -> Values:
    """The parameters as the text that Postgres reads.

    Raises:
        InvalidArgument: a text holds a NUL character, a datetime has no timezone, or a type is not known here.
    """
    if not args:
        return ()
    try:
        return _encoder.dump_sequence(args, _TEXT[len(args)])
    except (psycopg.DataError, UnicodeEncodeError) as error:
        raise InvalidArgument(f"A value cannot be stored: {error}. Correct it and try again.") from None
    except (psycopg.ProgrammingError, TypeError) as error:
        raise InvalidArgument(f"A value cannot be sent to Postgres: {error}. Wrap JSON in Jsonb(…).") from None


class Decoder:
    """Turns results into rows. One for each event loop: it is not safe between threads."""

    __slots__ = ("_transformer",)

    def __init__(self) -> None:
        self._transformer = Transformer(_CONTEXT)

    def rows(self, result: PGresult, make_row: Callable[[Sequence[Any]], T]) -> list[T]:  # Any: psycopg's loaders'
        """Every row of the result, each made by `make_row` from its values in column order."""
        transformer = self._transformer
        transformer.set_pgresult(result)
        try:
            return transformer.load_rows(0, result.ntuples, make_row)
        except psycopg.DataError as error:  # a date beyond Python's years, say
            raise DatabaseError(f"A value in the database cannot be read: {error}. Correct it there.") from None
        finally:
            transformer.set_pgresult(None)
