"""Transactions of several trips: what is kept, what is undone, and what runs afterwards."""

import asyncio

import pytest

from kijko.core.db import Call, Context, Database, Reader, Scalar, Statement, Tx
from kijko.core.db.errors import ConstraintViolation, MisuseError, TransactionAborted

NONE = Context()
INSERT = Statement("insert into items (id, name) values ($1::int, $2)")
CHILD = Statement("insert into items (id, parent) values ($1::int, $2::int)")
IDS = Scalar(list[int], "select coalesce(array_agg(id order by id), '{}') from items")
SLEEP = Statement("select pg_sleep($1::float8)")


class Told(list[str]):
    """Notes in which order hooks ran."""

    def hook(self, name: str):
        return lambda: self.append(name)


async def insert(tx: Tx, number: int, name: str = "x") -> None:
    await tx.run(INSERT, number, name)


async def test_work_is_seen_by_others_after_the_commit_and_not_before(db: Database, reader: Reader) -> None:
    async with db.transaction(NONE) as tx:
        await insert(tx, 1)
        assert await reader.one(IDS) == []
        assert await tx.one(IDS) == [1]
    assert await reader.one(IDS) == [1]


@pytest.mark.parametrize("statements", [1, 2, 5])
async def test_a_transaction_makes_one_trip_more_than_it_has_statements(db: Database, statements: int) -> None:
    before = db.trips
    async with db.transaction(Context("select set_config('app.org', 'acme', true)")) as tx:
        for number in range(statements):
            await insert(tx, number)
    assert db.trips - before == statements + 1


async def test_a_transaction_that_runs_nothing_makes_no_trip_but_runs_its_hooks(db: Database) -> None:
    told, before = Told(), db.trips
    async with db.transaction(NONE) as tx:
        tx.after_commit(told.hook("ran"))
    assert db.trips == before
    assert told == ["ran"]


async def test_an_error_undoes_everything(db: Database, reader: Reader) -> None:
    with pytest.raises(ConstraintViolation):
        async with db.transaction(NONE) as tx:
            await insert(tx, 1)
            await insert(tx, 1)
    assert await reader.one(IDS) == []


async def test_a_swallowed_error_is_not_taken_for_success(db: Database, reader: Reader) -> None:
    told = Told()
    with pytest.raises(TransactionAborted):
        async with db.transaction(NONE) as tx:
            tx.after_commit(told.hook("ran"))
            await insert(tx, 1)
            with pytest.raises(ConstraintViolation):
                await insert(tx, 1)
            with pytest.raises(TransactionAborted):
                await insert(tx, 2)
    assert await reader.one(IDS) == []
    assert told == []


async def test_hooks_run_in_order_after_the_commit(db: Database, reader: Reader) -> None:
    told, seen = Told(), []

    async def look() -> None:
        seen.append(await reader.one(IDS))

    async with db.transaction(NONE) as tx:
        tx.after_commit(told.hook("first"))
        tx.after_commit(look)
        tx.after_commit(told.hook("second"))
        await insert(tx, 1)
        assert told == []
    assert told == ["first", "second"]
    assert seen == [[1]]


async def test_hooks_do_not_run_after_a_rollback(db: Database) -> None:
    told = Told()
    with pytest.raises(ZeroDivisionError):
        async with db.transaction(NONE) as tx:
            tx.after_commit(told.hook("ran"))
            await insert(tx, 1)
            raise ZeroDivisionError
    assert told == []


async def test_a_failing_hook_is_logged_and_stops_neither_the_others_nor_the_caller(
    db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    told = Told()
    async with db.transaction(NONE) as tx:
        tx.after_commit(lambda: 1 // 0)
        tx.after_commit(told.hook("ran"))
        await insert(tx, 1)
    assert told == ["ran"]
    assert "ZeroDivisionError" in caplog.text


async def test_a_deferred_constraint_fails_the_commit_and_drops_the_hooks(db: Database, reader: Reader) -> None:
    told = Told()
    with pytest.raises(ConstraintViolation) as caught:
        async with db.transaction(NONE) as tx:
            tx.after_commit(told.hook("ran"))
            await tx.run(CHILD, 1, 77)
    assert caught.value.name == "items_parent"
    assert told == []
    assert await reader.one(IDS) == []


async def test_a_commit_under_way_is_seen_through_when_its_task_is_cancelled(db: Database, reader: Reader) -> None:
    told = Told()

    async def work() -> None:
        async with db.transaction(NONE) as tx:
            tx.after_commit(told.hook("ran"))
            await insert(tx, 1, "slow")

    task = asyncio.create_task(work())
    await asyncio.sleep(0.25)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert told == []
    await db.close()
    assert told == ["ran"]


async def test_hooks_still_run_when_the_task_is_cancelled_during_one_of_them(db: Database) -> None:
    told = Told()

    async def work() -> None:
        async with db.transaction(NONE) as tx:
            tx.after_commit(lambda: asyncio.sleep(5))
            tx.after_commit(told.hook("ran"))
            await insert(tx, 1)

    task = asyncio.create_task(work())
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await db.close()
    assert told == ["ran"]


async def test_the_last_call_commits_in_its_own_trip(db: Database, reader: Reader) -> None:
    told, before = Told(), db.trips
    async with db.transaction(NONE) as tx:
        tx.after_commit(told.hook("ran"))
        await insert(tx, 1)
        assert await tx.last(INSERT.bind(2, "x")) == 1
        assert told == ["ran"]
        with pytest.raises(MisuseError):
            await insert(tx, 3)
    assert db.trips == before + 2
    assert await reader.one(IDS) == [1, 2]


async def test_a_last_call_that_is_the_first_commits_at_the_end(db: Database, reader: Reader) -> None:
    async with db.transaction(NONE) as tx:
        await tx.last(INSERT.bind(1, "x"))
    assert await reader.one(IDS) == [1]


@pytest.mark.parametrize("last", [INSERT.bind(1, "x"), CHILD.bind(2, 77)])
async def test_a_last_call_that_fails_or_whose_commit_does_undoes_everything(
    db: Database, reader: Reader, last: Call[int]
) -> None:
    told = Told()
    with pytest.raises(ConstraintViolation):
        async with db.transaction(NONE) as tx:
            tx.after_commit(told.hook("ran"))
            await insert(tx, 1)
            await tx.last(last)
    assert await reader.one(IDS) == []
    assert told == []


@pytest.mark.parametrize("last", [INSERT.bind(1, "x"), CHILD.bind(2, 77)])
async def test_a_failed_last_call_that_is_swallowed_is_not_taken_for_success(db: Database, last: Call[int]) -> None:
    with pytest.raises(TransactionAborted):
        async with db.transaction(NONE) as tx:
            await insert(tx, 1)
            with pytest.raises(ConstraintViolation):
                await tx.last(last)


async def test_a_last_call_under_way_is_seen_through_when_its_task_is_cancelled(db: Database, reader: Reader) -> None:
    told = Told()

    async def work() -> None:
        async with db.transaction(NONE) as tx:
            tx.after_commit(told.hook("ran"))
            await insert(tx, 1)
            await tx.last(SLEEP.bind(0.4))

    task = asyncio.create_task(work())
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert told == []
    await asyncio.sleep(0.5)
    assert told == ["ran"]
    assert await reader.one(IDS) == [1]


async def test_a_savepoint_undoes_its_part_only(db: Database, reader: Reader) -> None:
    told = Told()
    async with db.transaction(NONE) as tx:
        tx.after_commit(told.hook("outer"))
        await insert(tx, 1)
        with pytest.raises(ConstraintViolation):
            async with tx.savepoint():
                tx.after_commit(told.hook("undone"))
                await insert(tx, 2)
                await insert(tx, 1)
        async with tx.savepoint():
            tx.after_commit(told.hook("inner"))
            await insert(tx, 3)
    assert await reader.one(IDS) == [1, 3]
    assert told == ["outer", "inner"]


async def test_savepoints_may_stand_inside_one_another(db: Database, reader: Reader) -> None:
    async with db.transaction(NONE) as tx, tx.savepoint():
        async with tx.savepoint():
            pass
        async with tx.savepoint():
            await insert(tx, 1)
        with pytest.raises(KeyError):
            async with tx.savepoint():
                async with tx.savepoint():
                    await insert(tx, 2)
                raise KeyError
        with pytest.raises(KeyError):
            async with tx.savepoint():
                raise KeyError
        await insert(tx, 3)
    assert await reader.one(IDS) == [1, 3]


async def test_a_savepoint_costs_no_trip_of_its_own(db: Database) -> None:
    before = db.trips
    async with db.transaction(NONE) as tx:
        async with tx.savepoint():
            await insert(tx, 1)
        async with tx.savepoint():
            pass
    assert db.trips - before == 2


async def test_a_transaction_is_of_no_use_after_its_end(db: Database) -> None:
    async with db.transaction(NONE) as tx:
        await insert(tx, 1)
    with pytest.raises(MisuseError, match="over"):
        await insert(tx, 2)
    with pytest.raises(MisuseError):
        async with tx:
            pass


async def test_a_transaction_belongs_to_one_task_at_a_time(db: Database, reader: Reader) -> None:
    async with db.transaction(NONE) as tx:
        results = await asyncio.gather(tx.run(SLEEP, 0.05), tx.run(SLEEP, 0.05), return_exceptions=True)
        assert [type(result) for result in results] == [int, MisuseError]
        await insert(tx, 1)
    assert await reader.one(IDS) == [1]


async def test_a_deadline_inside_a_transaction_ends_it(db: Database, reader: Reader) -> None:
    with pytest.raises(TransactionAborted):
        async with db.transaction(NONE) as tx:
            await insert(tx, 1)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await tx.run(SLEEP, 3.0)
            with pytest.raises(MisuseError):
                await insert(tx, 2)
    assert await reader.one(IDS) == []


async def test_a_subclass_of_tx_is_made_when_asked_for(db: Database) -> None:
    class OrgTx(Tx):
        pass

    async with db.transaction(NONE, OrgTx) as tx:
        assert type(tx) is OrgTx
