"""A Postgres of these tests' own, since they stop, freeze and kill it; and a fresh schema in it for each test."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import count

import psycopg
import pytest
import uvloop
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from kijko.core.db import Context, Database, Reader
from kijko.local.stack import Stack

SCHEMA = """
    create table items (id int primary key, name text not null default 'x', parent int,
        constraint items_name_short check (length(name) < 100),
        constraint items_parent foreign key (parent) references items (id) deferrable initially deferred);
    grant all on items to tenant;
    create function slow_commit() returns trigger language plpgsql as 'begin perform pg_sleep(0.5); return null; end';
    create constraint trigger slow_commit after insert on items deferrable initially deferred
        for each row when (new.name = 'slow') execute function slow_commit();
"""
Connect = Callable[..., Awaitable[Database]]
_numbers = count()


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every test here runs on both loops."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("postgres") / "home", parts=("postgres",))
    stack.start()
    try:
        with psycopg.connect(stack.database().url(), autocommit=True) as connection:
            connection.execute("create role tenant nologin")
        yield stack
    finally:
        stack.remove()


@pytest.fixture
def dsn(stack: Stack) -> str:
    """Leads to a schema of this test alone, with the table `items`. Its name is the application's as well."""
    name = f"t{next(_numbers)}"
    url = stack.database().url()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"create schema {name}; grant usage on schema {name} to tenant; set search_path = {name}")
        connection.execute(SCHEMA)
    return make_conninfo(url, options=f"-c search_path={name}", application_name=name)


@pytest.fixture
async def connect(dsn: str) -> AsyncIterator[Connect]:
    """Opens databases with the given settings, and closes them after the test."""
    opened: list[Database] = []

    async def connect(**settings: object) -> Database:
        defaults = {"pool_size": 4, "statement_timeout_ms": 5000, "connect_timeout_s": 5, "acquire_timeout_s": 5}
        name = conninfo_to_dict(dsn)["application_name"]
        given = {**defaults, "prepared": True, "application_name": name, **settings}
        opened.append(await Database.connect(dsn, **given))
        return opened[-1]

    yield connect
    for database in opened:
        await database.close()


@pytest.fixture
async def db(connect: Connect) -> Database:
    return await connect()


@pytest.fixture
def reader(db: Database) -> Reader:
    """Without a context."""
    return db.reader(Context())


@pytest.fixture
def sql(dsn: str) -> Iterator[Callable[..., list[tuple[object, ...]]]]:
    """Looks at the database from outside, over a connection that is none of ours."""
    with psycopg.connect(dsn, autocommit=True, application_name="outside") as connection:

        def run(statement: str) -> list[tuple[object, ...]]:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

        yield run
