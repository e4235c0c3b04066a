"""Many callers over a few connections: right answers, bounded waits, nothing left behind."""

import asyncio
import random
import time

import pytest

from kijko.core.db import Context, Database, Scalar, Statement
from kijko.core.db.errors import AcquireTimeout, DatabaseUnavailable, MisuseError

NONE = Context()
ECHO = Scalar(int, "select $1::int")
SLOW_ECHO = Scalar(int, "select $1::int from pg_sleep($2::float8)")
SLEEP = Statement("select pg_sleep($1::float8)")
INSERT = Statement("insert into items (id) values ($1::int)")
ORG = Scalar(str, "select current_user || ':' || coalesce(current_setting('app.org', true), '')")
CONNECTIONS = "select count(*) from pg_stat_activity where application_name = current_schema()"
BUSY = f"{CONNECTIONS} and (state <> 'idle' or xact_start is not null)"


async def test_an_exhausted_pool_says_so_in_bounded_time(connect) -> None:
    db: Database = await connect(pool_size=2, acquire_timeout_s=0.2)
    reader = db.reader(NONE)
    holders = [asyncio.create_task(reader.run(SLEEP, 1.0)) for _ in range(2)]
    await asyncio.sleep(0.05)
    begun = time.monotonic()
    with pytest.raises(AcquireTimeout):
        await reader.one(ECHO, 1)
    assert 0.15 < time.monotonic() - begun < 0.8
    assert issubclass(AcquireTimeout, DatabaseUnavailable)
    await asyncio.gather(*holders)
    assert await reader.one(ECHO, 1) == 1


async def test_no_more_connections_are_opened_than_allowed(connect, sql) -> None:
    db: Database = await connect(pool_size=3)
    await asyncio.gather(*[db.reader(NONE).run(SLEEP, 0.01) for _ in range(30)])
    assert sql(CONNECTIONS) == [(3,)]


async def test_who_waited_longest_comes_first(connect) -> None:
    db: Database = await connect(pool_size=1)
    served: list[int] = []

    async def work(number: int) -> None:
        served.append(await db.reader(NONE).one(SLOW_ECHO, number, 0.002))

    await asyncio.gather(*[work(number) for number in range(20)])
    assert served == list(range(20))


@pytest.mark.parametrize("prepared", [True, False])
async def test_each_of_200_tasks_over_8_connections_gets_its_own_answer(connect, prepared) -> None:
    db: Database = await connect(pool_size=8, prepared=prepared)

    async def work(number: int) -> list[object]:
        context = Context("select set_config('role', 'tenant', true), set_config('app.org', $1, true)", (str(number),))
        reader, answers = db.reader(context), []
        for _ in range(5):
            answers += await reader.gather(ECHO.bind_one(number), ORG.bind_one())
            async with db.transaction(context) as tx:
                answers += [await tx.one(ORG), await tx.one(ECHO, number)]
        return answers

    results = await asyncio.gather(*[work(number) for number in range(200)])
    for number, answers in enumerate(results):
        assert answers == [number, f"tenant:{number}", f"tenant:{number}", number] * 5


async def test_a_storm_of_cancelled_tasks_leaves_the_pool_healthy(connect, sql) -> None:
    db: Database = await connect(pool_size=8)
    context = Context("select set_config('role', 'tenant', true), set_config('app.org', 'storm', true)")
    chance = random.Random(7)

    async def read(number: int) -> None:
        assert await db.reader(context).one(SLOW_ECHO, number, chance.random() / 50) == number

    async def write(number: int) -> None:
        async with db.transaction(context) as tx:
            await tx.run(INSERT, number)
            await asyncio.sleep(chance.random() / 100)
            await tx.run(SLEEP, chance.random() / 100)

    async def stuck() -> None:
        await db.reader(context).run(SLEEP, 3.0)

    def start(number: int) -> asyncio.Task[None]:
        work = stuck() if number % 50 == 0 else chance.choice((read, write))(number)
        return asyncio.create_task(work)

    tasks = [start(number) for number in range(1000)]
    while any(not task.done() for task in tasks):
        await asyncio.sleep(chance.random() / 200)
        for task in chance.sample(tasks, 20):
            task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(result, asyncio.CancelledError) for result in results) > 300
    assert [error for error in results if isinstance(error, Exception)] == []

    written = [number for number, task in enumerate(tasks) if not task.cancelled()]
    kept = {number for (number,) in sql("select id from items")}
    assert kept <= set(range(1000))
    answers = await asyncio.gather(*[db.reader(NONE).gather(ECHO.bind_one(n), ORG.bind_one()) for n in written])
    assert answers == [(number, "supabase_admin:") for number in written]
    await asyncio.sleep(0.3)
    assert sql(BUSY) == [(0,)]
    async with asyncio.timeout(10):  # Postgres takes its time to forget one that was hung up
        while sql(CONNECTIONS)[0][0] > 8:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert sql("select count(*) from pg_locks where locktype = 'relation' and relation = 'items'::regclass") == [(0,)]


async def test_callers_cancelled_while_connecting_leave_no_connection_behind(connect, sql) -> None:
    """Their errors are kept here with their frames, as a log or a debugger would: no garbage collection helps."""
    kept: list[object] = []
    for step in range(12):
        db: Database = await connect(pool_size=4, eager=False)
        tasks = [asyncio.create_task(db.reader(NONE).one(ECHO, number)) for number in range(4)]
        await asyncio.sleep(step / 1000)
        for task in tasks:
            task.cancel()
        kept += await asyncio.gather(*tasks, return_exceptions=True)
        assert await db.reader(NONE).one(ECHO, 1) == 1
        await db.close()
    async with asyncio.timeout(10):  # Postgres takes its time to forget one that was hung up
        while sql(CONNECTIONS)[0][0] > 0:  # noqa: ASYNC110  # and tells nobody
            await asyncio.sleep(0.05)


async def test_a_cancelled_statement_stops_on_the_server(connect, sql) -> None:
    db: Database = await connect()
    task = asyncio.create_task(db.reader(NONE).run(SLEEP, 4.0))
    await asyncio.sleep(0.1)
    assert sql(BUSY) == [(1,)]
    task.cancel()
    await asyncio.sleep(0.4)
    assert sql(BUSY) == [(0,)]


async def test_a_caller_cancelled_while_waiting_takes_no_connection_along(connect) -> None:
    db: Database = await connect(pool_size=1)
    reader = db.reader(NONE)
    for _ in range(20):
        holder = asyncio.create_task(reader.run(SLEEP, 0.005))
        waiters = [asyncio.create_task(reader.one(ECHO, n)) for n in range(5)]
        await asyncio.sleep(0.004)
        for waiter in waiters[::2]:
            waiter.cancel()
        await asyncio.gather(holder, *waiters, return_exceptions=True)
    assert await reader.one(ECHO, 9) == 9


async def test_a_closed_database_leaves_no_connection_and_takes_no_more_calls(connect, sql) -> None:
    db: Database = await connect(pool_size=2)
    busy = [asyncio.create_task(db.reader(NONE).one(SLOW_ECHO, n, 0.1)) for n in range(3)]
    await asyncio.sleep(0.05)
    await db.close()
    results = await asyncio.gather(*busy, return_exceptions=True)
    assert [result if isinstance(result, int) else type(result) for result in results] == [0, 1, MisuseError]
    with pytest.raises(MisuseError):
        await db.reader(NONE).one(ECHO, 1)
    await asyncio.sleep(0.1)
    assert sql(CONNECTIONS) == [(0,)]
