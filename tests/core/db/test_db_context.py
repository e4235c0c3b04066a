"""The role and the tenant of a transaction end with it, however it ends."""

import asyncio
import itertools
from dataclasses import dataclass

import pytest

from kijko.core.db import Context, Database, Query, Scalar, Statement
from kijko.core.db.errors import ConstraintViolation, MisuseError, Raised, StatementTimeout


@dataclass(frozen=True, slots=True)
class Session:
    role: str
    organization: str
    backend: int


AS_TENANT = Context("select set_config('role', 'tenant', true), set_config('app.org', $1, true)", ("acme",))
BROKEN = Context("select set_config('role', $1, true)", ("nobody_of_that_name",))
NONE = Context()
WHO = Query(Session, "select current_user::text, coalesce(current_setting('app.org', true), ''), pg_backend_pid()")
INSERT = Statement("insert into items (id) values ($1::int)")
COUNT = Scalar(int, "select count(*) from items")
SLEEP = Statement("select pg_sleep($1::float8)")
DIVIDE = Statement("select 1 / $1::int")


@pytest.fixture(params=[True, False], ids=["prepared", "unnamed"])
async def single(connect, request: pytest.FixtureRequest) -> Database:
    """A database with one connection only, so that whoever comes next meets it."""
    return await connect(pool_size=1, statement_timeout_ms=400, prepared=request.param)


async def assert_clean(db: Database) -> None:
    session = await db.reader(NONE).one(WHO)
    assert (session.role, session.organization) == ("supabase_admin", "")


async def test_the_statements_of_a_call_run_under_its_context(single: Database) -> None:
    session = await single.reader(AS_TENANT).one(WHO)
    assert (session.role, session.organization) == ("tenant", "acme")
    await assert_clean(single)


async def test_every_statement_of_a_transaction_runs_under_its_context(single: Database) -> None:
    async with single.transaction(AS_TENANT) as tx:
        for _ in range(3):
            session = await tx.one(WHO)
            assert (session.role, session.organization) == ("tenant", "acme")
    await assert_clean(single)


async def test_the_context_ends_with_an_error(single: Database) -> None:
    backend = (await single.reader(NONE).one(WHO)).backend
    with pytest.raises(Raised):
        await single.reader(AS_TENANT).run(DIVIDE, 0)
    await assert_clean(single)
    with pytest.raises(Raised):
        async with single.transaction(AS_TENANT) as tx:
            await tx.one(WHO)
            await tx.run(DIVIDE, 0)
    await assert_clean(single)
    assert (await single.reader(NONE).one(WHO)).backend == backend


async def test_the_context_ends_when_the_caller_fails_between_statements(single: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with single.transaction(AS_TENANT) as tx:
            await tx.run(INSERT, 1)
            raise ZeroDivisionError
    await assert_clean(single)
    assert await single.reader(NONE).one(COUNT) == 0


async def test_the_context_ends_with_a_timeout(single: Database) -> None:
    with pytest.raises(StatementTimeout):
        await single.reader(AS_TENANT).run(SLEEP, 3.0)
    await assert_clean(single)
    with pytest.raises(StatementTimeout):
        async with single.transaction(AS_TENANT) as tx:
            await tx.run(SLEEP, 3.0)
    await assert_clean(single)


@pytest.mark.parametrize("seconds", [0.02, 0.3], ids=["soon over", "to be cancelled"])
async def test_the_context_ends_with_a_cancelled_task(single: Database, seconds: float) -> None:
    ids = itertools.count(1)

    async def in_transaction() -> None:
        async with single.transaction(AS_TENANT) as tx:
            await tx.run(INSERT, next(ids))
            await tx.run(SLEEP, seconds)

    async def alone() -> None:
        await single.reader(AS_TENANT).run(SLEEP, seconds)

    before = 0
    for work in (alone, in_transaction):
        task = asyncio.create_task(work())
        await asyncio.sleep(0.01)
        while not task.cancel():  # a busy machine let it end before
            before = await single.reader(NONE).one(COUNT)
            task = asyncio.create_task(work())
            await asyncio.sleep(0.01)
        with pytest.raises(asyncio.CancelledError):
            await task
        await assert_clean(single)
    assert await single.reader(NONE).one(COUNT) == before


async def test_a_task_cancelled_between_statements_leaves_nothing(single: Database) -> None:
    async def wait_inside() -> None:
        async with single.transaction(AS_TENANT) as tx:
            await tx.run(INSERT, 1)
            await asyncio.sleep(5)

    task = asyncio.create_task(wait_inside())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await assert_clean(single)
    assert await single.reader(NONE).one(COUNT) == 0


async def test_a_failing_context_stops_what_follows_and_is_the_error_one_sees(single: Database) -> None:
    with pytest.raises(Raised, match="nobody_of_that_name"):
        await single.reader(BROKEN).run(INSERT, 1)
    with pytest.raises(Raised, match="nobody_of_that_name"):
        async with single.transaction(BROKEN) as tx:
            await tx.run(INSERT, 1)
    await assert_clean(single)
    assert await single.reader(NONE).one(COUNT) == 0


async def test_a_statement_that_begins_a_transaction_is_refused_and_its_connection_not_used_again(
    single: Database,
) -> None:
    backend = (await single.reader(NONE).one(WHO)).backend
    with pytest.raises(MisuseError):
        await single.reader(NONE).gather(Statement("begin").bind(), INSERT.bind(1))
    assert (await single.reader(NONE).one(WHO)).backend != backend
    assert await single.reader(NONE).one(COUNT) == 0


async def test_the_statement_timeout_does_not_depend_on_the_context(single: Database) -> None:
    with pytest.raises(StatementTimeout):
        await single.reader(NONE).run(SLEEP, 3.0)
    with pytest.raises(ConstraintViolation):
        async with single.transaction(NONE) as tx:
            await tx.run(INSERT, 1)
            await tx.run(INSERT, 1)
