"""Servers restart, die, fall silent and change their schema under us."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import psutil
import pytest

from kijko.core.db import Context, Database, Query, Reader, Scalar, Statement, Tx
from kijko.core.db.errors import CommitUnknown, DatabaseUnavailable, StaleStatement, TransactionAborted
from kijko.local.stack import Stack

NONE = Context()
ECHO = Scalar(int, "select $1::int")
SLOW = Scalar(int, "select 7 from pg_sleep($1::float8)")
INSERT = Statement("insert into items (id) values ($1::int)")
SLOW_INSERT = Statement("insert into items (id, name) values ($1::int, 'slow')")
COUNT = Scalar(int, "select count(*) from items")
BACKENDS = "from pg_stat_activity where application_name = current_schema()"
TERMINATE = f"select pg_terminate_backend(pid, 2000) {BACKENDS}"


@dataclass(frozen=True, slots=True)
class Item:
    id: int


STAR = Query(Item, "select * from flexible")


async def warm(db: Database, connections: int = 4) -> None:
    """Have that many connections open and idle."""
    await asyncio.gather(*[db.reader(NONE).one(SLOW, 0.02) for _ in range(connections)])


async def test_idle_connections_cut_by_the_server_are_not_noticed_by_callers(db: Database, reader: Reader, sql) -> None:
    await warm(db)
    assert len(sql(TERMINATE)) == 4
    assert await asyncio.gather(*[reader.one(ECHO, n) for n in range(20)]) == list(range(20))
    sql(TERMINATE)
    assert await reader.run(INSERT, 1) == 1
    sql(TERMINATE)
    async with db.transaction(NONE) as tx:
        await tx.run(INSERT, 2)
    assert await reader.one(COUNT) == 2


async def test_a_read_cut_under_way_is_repeated_once(reader: Reader, sql) -> None:
    task = asyncio.create_task(reader.one(SLOW, 0.4))
    await asyncio.sleep(0.15)
    sql(TERMINATE)
    assert await task == 7


async def test_a_read_cut_twice_is_given_up(reader: Reader, sql) -> None:
    task = asyncio.create_task(reader.one(SLOW, 0.4))
    for _ in range(2):
        await asyncio.sleep(0.2)
        sql(TERMINATE)
    with pytest.raises(DatabaseUnavailable):
        await task


async def test_a_write_cut_under_way_is_never_repeated(reader: Reader, sql) -> None:
    task = asyncio.create_task(reader.run(SLOW_INSERT, 1))
    await asyncio.sleep(0.2)
    sql(TERMINATE)
    with pytest.raises(CommitUnknown):
        await task
    assert sql("select count(*) from items") == [(0,)]


async def test_the_first_trip_of_a_transaction_is_repeated_and_its_work_done_once(db: Database, reader, sql) -> None:
    told: list[str] = []

    async def work() -> None:
        async with db.transaction(NONE) as tx:
            tx.after_commit(lambda: told.append("ran"))
            await tx.gather(INSERT.bind(1), SLOW.bind(0.4))

    task = asyncio.create_task(work())
    await asyncio.sleep(0.15)
    sql(TERMINATE)
    await task
    assert (await reader.one(COUNT), told) == (1, ["ran"])


async def test_a_transaction_cut_later_keeps_nothing_and_says_so(db: Database, reader: Reader, sql) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with db.transaction(NONE) as tx:
            await tx.run(INSERT, 1)
            sql(TERMINATE)
            await tx.run(INSERT, 2)
    with pytest.raises(TransactionAborted):
        async with db.transaction(NONE) as tx:
            await tx.run(INSERT, 1)
            sql(TERMINATE)
            with pytest.raises(DatabaseUnavailable):
                await tx.run(INSERT, 2)
    assert await reader.one(COUNT) == 0


async def _slow_commit(tx: Tx) -> None:
    await tx.run(SLOW_INSERT, 1)


async def _slow_last_call(tx: Tx) -> None:
    await tx.run(INSERT, 1)
    await tx.last(SLOW.bind_one(0.4))


@pytest.mark.parametrize("slow", [_slow_commit, _slow_last_call])
async def test_a_commit_cut_under_way_is_of_unknown_outcome(
    db: Database, sql, slow: Callable[[Tx], Awaitable[None]]
) -> None:
    told: list[str] = []

    async def work() -> None:
        async with db.transaction(NONE) as tx:
            tx.after_commit(lambda: told.append("ran"))
            await slow(tx)

    task = asyncio.create_task(work())
    await asyncio.sleep(0.25)
    sql(TERMINATE)
    with pytest.raises(CommitUnknown):
        await task
    assert told == []


async def test_a_killed_server_is_said_to_be_gone_and_used_again_when_it_is_back(connect, dsn, stack: Stack) -> None:
    db: Database = await connect()
    reader = db.reader(NONE)
    await warm(db)
    running = asyncio.create_task(reader.run(SLOW_INSERT, 1))
    await asyncio.sleep(0.05)
    postmaster = psutil.Process(int(stack.environment()["KIJKO_PID_POSTGRES"]))
    backends = postmaster.children(recursive=True)
    postmaster.kill()
    for backend in backends:
        with suppress(psutil.NoSuchProcess):
            backend.kill()
    with pytest.raises((CommitUnknown, DatabaseUnavailable)):
        await running
    begun = time.monotonic()
    with pytest.raises(DatabaseUnavailable):
        await reader.one(ECHO, 1)
    with pytest.raises(DatabaseUnavailable):
        await db.ping(1)
    assert time.monotonic() - begun < 3
    stack.stop()
    stack.start()
    await db.ping(2)
    assert await asyncio.gather(*[reader.one(ECHO, n) for n in range(20)]) == list(range(20))
    assert await reader.one(COUNT) == 0


async def test_a_restarted_server_is_used_again(connect, dsn, stack: Stack) -> None:
    db: Database = await connect()
    await warm(db)
    stack.stop()
    stack.start()
    reader = db.reader(NONE)
    assert await asyncio.gather(*[reader.one(ECHO, n) for n in range(20)]) == list(range(20))


@pytest.mark.parametrize("waits", [True, False], ids=["the caller waits", "the caller gives up"])
async def test_a_server_that_falls_silent_is_given_up_on_in_bounded_time(connect, sql, waits: bool) -> None:
    db: Database = await connect(pool_size=1, statement_timeout_ms=100)
    [[backend]] = sql(f"select pid {BACKENDS}")
    os.kill(backend, signal.SIGSTOP)
    try:
        if not waits:
            with pytest.raises(DatabaseUnavailable):
                await db.ping(0.2)
        async with asyncio.timeout(7):
            assert await db.reader(NONE).one(ECHO, 5) == 5
    finally:
        os.kill(backend, signal.SIGCONT)


async def test_a_migration_under_prepared_statements_is_not_noticed_by_callers(db: Database, reader, sql) -> None:
    sql("create table flexible (id text)")
    sql("insert into flexible values ('1')")
    await asyncio.gather(*[reader.gather(SLOW.bind(0.02), STAR.bind()) for _ in range(4)])
    sql("alter table flexible alter id type int using id::int")
    assert await asyncio.gather(*[reader.all(STAR) for _ in range(8)]) == [[Item(1)]] * 8
    sql("alter table flexible alter id type int8")
    async with db.transaction(NONE) as tx:
        assert await tx.all(STAR) == [Item(1)]


async def test_a_migration_in_the_middle_of_a_transaction_asks_to_run_it_again(db: Database, reader, sql) -> None:
    sql("create table flexible (id text)")
    await asyncio.gather(*[reader.gather(SLOW.bind(0.02), STAR.bind()) for _ in range(4)])
    with pytest.raises(StaleStatement):
        async with db.transaction(NONE) as tx:
            await tx.run(INSERT, 1)
            sql("alter table flexible alter id type int using id::int")
            await tx.all(STAR)
    assert await reader.all(STAR) == []
    assert await reader.one(COUNT) == 0


async def test_named_statements_that_vanished_are_prepared_anew(db: Database, reader: Reader) -> None:
    await reader.one(ECHO, 1)
    await reader.run(Statement("deallocate all"))
    assert await reader.one(ECHO, 2) == 2


async def test_ping_answers_when_the_server_does(db: Database) -> None:
    before = db.trips
    await db.ping(1)
    assert db.trips - before == 1
