"""Statements are compared with the schema they run on."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NewType
from uuid import UUID

import psycopg
import pytest

from kijko.core.db import REGISTRY, Json, Query, Scalar, Statement
from kijko.core.db.describe import describe

Slug = NewType("Slug", str)


@dataclass(frozen=True, slots=True)
class Item:
    id: int
    name: str | None


@dataclass(frozen=True, slots=True)
class Rich:
    id: UUID
    slug: Slug
    state: Literal["on", "off"]
    tags: list[str]
    document: dict[str, Any] | None
    made_at: datetime


RICH = """select gen_random_uuid() id, 'a' slug, 'on' state, '{}'::text[] tags, '{}'::jsonb document, now() made_at"""


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        (Query(Item, "select id, name from items"), None),
        (Query(Rich, RICH), None),
        (Scalar(int, "select count(*) from items"), None),
        (Scalar(str, "select mood from moods"), None),
        (Scalar(list[str], "select array[mood] from moods"), None),
        (Json("select to_json(items) from items"), None),
        (Json("select name from items"), None),
        (Statement("insert into items (id) values ($1::int)"), None),
        (Query(Item, "select name, id from items"), "its columns are"),
        (Query(Item, "select id from items"), "its columns are"),
        (Query(Item, "select id::text, name from items"), "id is text in Postgres and int in Python"),
        (Scalar(list[int], "select array['a']"), "text[] in Postgres"),
        (Scalar(str, "select array['a']"), "text[] in Postgres"),
        (Scalar(int, "select true"), "bool in Postgres"),
        (Scalar(int, "select id, name from items"), "a scalar has one column, not 2"),
        (Json("select id from items"), "one json or text column"),
        (Json("select name, name from items"), "one json or text column"),
        (Statement("insert into items (nr) values (1)"), 'Postgres refuses it: column "nr"'),
        (Scalar(int, "selec 1"), "Postgres refuses it"),
    ],
)
def test_a_statement_that_does_not_fit_the_schema_is_found_out(dsn: str, query, problem) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("create type mood as enum ('good')")
        connection.execute("create table moods (mood mood)")
        found = describe(query, connection)
    if problem is None:
        assert found is None
    else:
        assert problem in str(found)
        assert found.label == query.label


def test_every_statement_registers_itself_with_the_place_where_it_is_written() -> None:
    query = Query(Item, "select id, name from items")
    assert REGISTRY[-1] is query
    assert query.module == __name__
