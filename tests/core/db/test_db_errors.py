"""Each error says what a caller can do about it, and carries what is needed to tell cases apart."""

import asyncio
from datetime import datetime

import pytest
from psycopg.conninfo import make_conninfo

from kijko.core.db import Context, Database, Jsonb, Reader, Scalar, Statement
from kijko.core.db.errors import (
    ConstraintViolation,
    DatabaseError,
    DatabaseUnavailable,
    InvalidArgument,
    Raised,
    SerializationFailure,
    StatementTimeout,
)

NONE = Context()
INSERT = Statement("insert into items (id, name) values ($1::int, $2)")
LOCK = Statement("update items set name = 'locked' where id = $1::int")
RAISE = Statement("do $$ begin raise 'no room' using errcode = 'KJ001', detail = 'full', hint = 'wait'; end $$")
TEXT = Scalar(str, "select $1::text")
JSON = Scalar(dict[str, object], "select $1::jsonb")
COUNT = Scalar(int, "select count(*) from items")


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ((1, "again"), ("23505", "items_pkey", None)),
        ((2, "x" * 100), ("23514", "items_name_short", None)),
        ((None, "x"), ("23502", None, "id")),
    ],
)
async def test_a_violated_constraint_is_named(reader: Reader, row, found) -> None:
    await reader.run(INSERT, 1, "x")
    with pytest.raises(ConstraintViolation) as caught:
        await reader.run(INSERT, *row)
    error = caught.value
    assert (error.sqlstate, error.name, error.column) == found
    assert error.table == "items"


async def test_what_a_function_raises_comes_with_its_code_and_hint(reader: Reader) -> None:
    with pytest.raises(Raised) as caught:
        await reader.run(RAISE)
    error = caught.value
    assert (error.sqlstate, error.message, error.detail, error.hint) == ("KJ001", "no room", "full", "wait")


async def test_the_failing_statement_is_named_in_the_notes(reader: Reader) -> None:
    with pytest.raises(Raised) as caught:
        await reader.gather(TEXT.bind("fine"), RAISE.bind())
    assert caught.value.__notes__ == [f"in the statement at {RAISE.label}"]
    assert RAISE.label.startswith(f"{__name__}:")


async def test_a_statement_that_takes_too_long_is_ended_in_time(connect) -> None:
    db: Database = await connect(statement_timeout_ms=100)
    with pytest.raises(StatementTimeout):
        async with asyncio.timeout(2):
            await db.reader(NONE).run(Statement("select pg_sleep(10)"))


async def test_a_deadlock_ends_one_of_the_two_and_asks_to_run_it_again(db: Database, reader: Reader) -> None:
    await reader.gather(INSERT.bind(1, "a"), INSERT.bind(2, "b"))
    both = asyncio.Barrier(2)

    async def lock(first: int, second: int) -> None:
        async with db.transaction(NONE) as tx:
            await tx.run(LOCK, first)
            await both.wait()
            await tx.run(LOCK, second)

    results = await asyncio.gather(lock(1, 2), lock(2, 1), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["NoneType", "SerializationFailure"]
    assert issubclass(SerializationFailure, DatabaseError)


@pytest.mark.parametrize(
    "value",
    [
        "a\0b",
        ["fine", "a\0b"],
        "\ud800",
        {1, 2},
        {"a": 1},
        datetime(2026, 1, 1),  # noqa: DTZ001
        object(),
        [1, "a"],
    ],
)
async def test_a_value_that_cannot_be_sent_is_refused_before_a_connection_is_touched(db: Database, value) -> None:
    before = db.trips
    with pytest.raises(InvalidArgument):
        await db.reader(NONE).one(TEXT, value)
    assert db.trips == before
    assert issubclass(InvalidArgument, ValueError)


async def test_a_nul_inside_json_is_an_invalid_argument_too(reader: Reader) -> None:
    with pytest.raises(InvalidArgument):
        await reader.one(JSON, Jsonb({"a": "b\0"}))


async def test_a_wrong_number_of_parameters_is_an_error_of_the_statement(reader: Reader) -> None:
    with pytest.raises(Raised) as caught:
        await reader.one(TEXT)
    assert not isinstance(caught.value, DatabaseUnavailable)
    assert await reader.one(TEXT, "still works") == "still works"


async def test_bad_sql_is_an_error_of_the_statement(reader: Reader) -> None:
    for text in (Statement("selec 1"), Statement("select from nowhere"), Statement("copy items to stdout")):
        with pytest.raises(DatabaseError):
            await reader.run(text)
    assert await reader.one(COUNT) == 0


async def test_a_value_beyond_python_is_named_rather_than_crashing(reader: Reader) -> None:
    with pytest.raises(DatabaseError, match="cannot be read"):
        await reader.one(Scalar(datetime, "select 'infinity'::timestamptz"))
    assert await reader.one(TEXT, "still works") == "still works"


async def test_a_wrong_login_or_address_is_said_when_connecting(dsn: str) -> None:
    settings = {"pool_size": 1, "statement_timeout_ms": 1000, "connect_timeout_s": 2, "acquire_timeout_s": 1}
    for wrong in (make_conninfo(dsn, user="nobody"), "postgresql://u:p@127.0.0.1:1/x", "host=/nowhere"):
        with pytest.raises(DatabaseUnavailable, match="cannot be reached"):
            await Database.connect(wrong, prepared=True, application_name="tests", **settings)


async def test_a_server_that_accepts_and_says_nothing_is_given_up_on_in_time() -> None:
    settings = {"pool_size": 1, "statement_timeout_ms": 1000, "connect_timeout_s": 0.2, "acquire_timeout_s": 1}
    held: list[asyncio.StreamWriter] = []  # from Python 3.12 on, a writer that nobody holds closes its connection
    server = await asyncio.start_server(lambda _, writer: held.append(writer), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    with pytest.raises(DatabaseUnavailable, match=r"within 0\.2 s"):
        await Database.connect(f"postgresql://u@{host}:{port}/x", prepared=True, application_name="tests", **settings)
    server.close()


async def test_a_database_that_is_not_eager_connects_with_the_first_call(connect, sql) -> None:
    db: Database = await connect(eager=False)
    connections = "select count(*) from pg_stat_activity where application_name = current_schema()"
    assert sql(connections) == [(0,)]
    assert await db.reader(NONE).one(TEXT, "now") == "now"
    assert sql(connections) == [(1,)]
