"""What a reader gives back, and in how many trips."""

from dataclasses import dataclass

import pytest

from kijko.core.db import Context, Database, Json, Query, Reader, Scalar, Statement
from kijko.core.db.errors import ConstraintViolation, NoRow, TooManyRows


@dataclass(frozen=True, slots=True)
class Pair:
    number: int
    name: str


PAIRS = Query(Pair, "select n, 'n' || n from generate_series(1, $1::int) n")
XID = Scalar(int, "select txid_current()::text::int8", writes=True)
JSON = Json("select json_build_object('a', $1::int)")
NO_JSON = Json("select null::jsonb where $1::bool")
INSERT = Statement("insert into items (id) select generate_series($1::int, $2::int)")
COUNT = Scalar(int, "select count(*) from items")
CONTEXT = Context("select set_config('app.org', $1, true)", ("acme",))


async def test_rows_become_the_dataclass_of_the_query(reader: Reader) -> None:
    assert await reader.all(PAIRS, 2) == [Pair(1, "n1"), Pair(2, "n2")]
    assert await reader.all(PAIRS, 0) == []


async def test_one_row_is_given_or_its_absence_said(reader: Reader) -> None:
    assert await reader.one(PAIRS, 1) == Pair(1, "n1")
    with pytest.raises(NoRow):
        await reader.one(PAIRS, 0)
    with pytest.raises(TooManyRows):
        await reader.one(PAIRS, 2)


async def test_the_first_row_is_given_or_none(reader: Reader) -> None:
    assert await reader.first(PAIRS, 2) == Pair(1, "n1")
    assert await reader.first(PAIRS, 0) is None


async def test_json_comes_as_the_bytes_that_postgres_wrote(reader: Reader) -> None:
    assert await reader.json(JSON, 5) == b'{"a" : 5}'
    assert await reader.json(NO_JSON, True) is None
    assert await reader.json(NO_JSON, False) is None


async def test_a_statement_tells_how_many_rows_it_changed(reader: Reader) -> None:
    assert await reader.run(INSERT, 1, 3) == 3
    assert await reader.one(COUNT) == 3


@pytest.mark.parametrize("prepared", [True, False])
async def test_a_call_is_one_trip_from_its_first_time_on(connect, prepared) -> None:
    db: Database = await connect(prepared=prepared)
    reader = db.reader(CONTEXT)
    for _ in range(3):
        before = db.trips
        await reader.all(PAIRS, 3)
        assert db.trips - before == 1


async def test_gathered_calls_share_a_trip_and_a_transaction(db: Database) -> None:
    reader, before = db.reader(CONTEXT), db.trips
    first, pair, json, second = await reader.gather(XID.bind_one(), PAIRS.bind(1), JSON.bind(1), XID.bind_one())
    assert db.trips - before == 1
    assert first == second
    assert (pair, json) == ([Pair(1, "n1")], b'{"a" : 1}')
    assert await reader.one(XID) != first


async def test_an_error_later_in_the_trip_undoes_the_work_before_it(reader: Reader) -> None:
    with pytest.raises(ConstraintViolation):
        await reader.gather(INSERT.bind(1, 2), INSERT.bind(2, 2))
    assert await reader.one(COUNT) == 0
    assert await reader.run(INSERT, 1, 1) == 1


async def test_any_number_of_calls_can_be_gathered(db: Database, reader: Reader) -> None:
    before = db.trips
    rows = await reader.gather(*[PAIRS.bind_first(n) for n in range(300)])
    assert len(rows) == 300
    assert db.trips - before == 1
    assert await reader.gather(*[PAIRS.bind(1) for _ in range(0)]) == ()


async def test_a_subclass_of_reader_is_made_when_asked_for(db: Database) -> None:
    class OrgReader(Reader):
        pass

    assert type(db.reader(CONTEXT, OrgReader)) is OrgReader
