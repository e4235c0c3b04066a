"""Compare a statement with the schema: what a code generator would give, without one.

The tests prepare every registered statement on the migrated schema this way, over a plain blocking connection.
"""

from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import UnionType
from typing import Annotated, Any, Final, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import psycopg
from psycopg.pq import ExecStatus

from kijko.core.db.query import Json, Query, Statement

_PYTHON: Final[dict[str, type]] = {
    **dict.fromkeys(("int2", "int4", "int8", "oid"), int),
    **dict.fromkeys(("text", "varchar", "bpchar", "name", "citext"), str),
    **dict.fromkeys(("float4", "float8"), float),
    **dict.fromkeys(("timestamptz", "timestamp"), datetime),
    **dict.fromkeys(("json", "jsonb"), object),
    "bool": bool,
    "numeric": Decimal,
    "uuid": UUID,
    "date": date,
    "time": time,
    "interval": timedelta,
    "bytea": bytes,
}
_JSON: Final = ("json", "jsonb", "text")


@dataclass(frozen=True, slots=True)
class Mismatch:
    """What is wrong with a statement, and where it is written (`module:line`)."""

    label: str
    problem: str

    def __str__(self) -> str:
        return f"{self.label}: {self.problem}"


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    type: str
    element: str | None
    is_enum: bool


Registered: TypeAlias = Query[Any] | Json | Statement  # Any: rows of every type


def describe(query: Registered, connection: psycopg.Connection[Any]) -> Mismatch | None:
    """Prepare the statement on the server and compare its columns with its row type; None when all is well.

    `connection` is in autocommit mode and on the migrated schema. Nullability is not compared: Postgres does not tell.
    """
    try:
        columns = _columns(query.text, connection)
    except psycopg.Error as error:
        return Mismatch(query.label, f"Postgres refuses it: {' '.join(str(error).split())}")
    problem = _problem(query, columns)
    return None if problem is None else Mismatch(query.label, problem)


def _columns(text: str, connection: psycopg.Connection[Any]) -> list[_Column]:
    conn = connection.pgconn
    for result in (conn.prepare(b"", text.encode()), conn.describe_prepared(b"")):
        if result.status != ExecStatus.COMMAND_OK:
            raise psycopg.ProgrammingError(result.get_error_message())
    found = [((result.fname(at) or b"").decode(), result.ftype(at)) for at in range(result.nfields)]
    return [_Column(name, *_type(oid, connection)) for name, oid in found]


def _type(oid: int, connection: psycopg.Connection[Any]) -> tuple[str, str | None, bool]:
    """The name of a type, the name of its elements when it is an array, and whether it (or they) are an enum."""
    row = connection.execute(
        """
        select t.typname, e.typname, coalesce(e.typtype, t.typtype) = 'e'
        from pg_type t left join pg_type e on e.oid = t.typelem and t.typcategory = 'A'
        where t.oid = %s
        """,
        (oid,),
    ).fetchone()
    if row is None:
        raise psycopg.ProgrammingError(f"there is no type {oid}")
    return row[0], row[1], row[2]


def _problem(query: Registered, columns: list[_Column]) -> str | None:
    if isinstance(query, Statement):
        return None
    if isinstance(query, Json):
        types = [column.type for column in columns]
        return None if len(types) == 1 and types[0] in _JSON else f"a Json has one json or text column, not {types}"
    if not is_dataclass(query.row):
        if len(columns) != 1:
            return f"a scalar has one column, not {len(columns)}"
        return _disagreement(columns[0], query.row)
    names, wanted = [column.name for column in columns], [field.name for field in fields(query.row)]
    if names != wanted:
        return f"its columns are {names}, the fields of {query.row.__name__} are {wanted}"
    hints = get_type_hints(query.row, include_extras=True)
    problems = [_disagreement(column, hints[column.name]) for column in columns]
    return "; ".join(problem for problem in problems if problem) or None


def _disagreement(column: _Column, hint: object) -> str | None:
    if _fits(column, hint):
        return None
    name = f"{column.element}[]" if column.element else column.type
    return f"{column.name} is {name} in Postgres and {getattr(hint, '__name__', hint)} in Python"


def _fits(column: _Column, hint: object) -> bool:
    hint = getattr(hint, "__supertype__", hint)
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _fits(column, args[0])
    if origin in (Union, UnionType):
        return all(_fits(column, arg) for arg in args if arg is not type(None))
    if column.element is not None:
        element = _Column(column.name, column.element, None, column.is_enum)
        return origin is list and _fits(element, args[0])
    python = str if column.is_enum else _PYTHON.get(column.type)
    if python is object:
        return True
    if origin is Literal:
        return all(type(value) is python for value in args)
    return hint is python
