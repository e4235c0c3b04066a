"""Values go in and come out the same."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from uuid import UUID, uuid4

import pytest

from kijko.core.db import Context, Database, Jsonb, Reader, Scalar

NONE = Context()
AMSTERDAM = timezone(timedelta(hours=1))
NOON = datetime(2026, 2, 3, 12, 0, 0, 123456, tzinfo=UTC)


class Status(StrEnum):
    DONE = "done"


TEXT, TEXTS = Scalar(str, "select $1::text"), Scalar(list[str], "select $1::text[]")
INT, INTS = Scalar(int, "select $1::int8"), Scalar(list[int], "select $1::int8[]")
FLOAT, BOOL = Scalar(float, "select $1::float8"), Scalar(bool, "select $1::bool")
NUMERIC, UUID_, UUIDS = (
    Scalar(Decimal, "select $1::numeric"),
    Scalar(UUID, "select $1::uuid"),
    Scalar(list[UUID], "select $1::uuid[]"),
)
MOMENT, MOMENTS = Scalar(datetime, "select $1::timestamptz"), Scalar(list[datetime], "select $1::timestamptz[]")
DAY, HOUR, SPAN = (
    Scalar(date, "select $1::date"),
    Scalar(time, "select $1::time"),
    Scalar(timedelta, "select $1::interval"),
)
BYTES, BYTESS = Scalar(bytes, "select $1::bytea"), Scalar(list[bytes], "select $1::bytea[]")
JSON = Scalar(object, "select $1::jsonb")
IDS = [uuid4(), uuid4()]


@pytest.mark.parametrize(
    ("query", "value"),
    [
        (TEXT, "Zoë 🦉 \\ ' \" {} \n"),
        (TEXT, ""),
        (TEXT, None),
        (TEXTS, ["a", "", 'q"\\', "{x,y}", "null", None, "🦉"]),
        (TEXTS, []),
        (INT, -(2**63)),
        (INTS, [1, 2**40, None]),
        (FLOAT, 0.1 + 0.2),
        (FLOAT, float("inf")),
        (BOOL, True),
        (BOOL, False),
        (NUMERIC, Decimal("12345678901234567890.000000000000000001")),
        (UUID_, IDS[0]),
        (UUIDS, IDS),
        (MOMENT, NOON),
        (MOMENTS, [NOON, NOON]),
        (DAY, date(2026, 2, 3)),
        (HOUR, time(1, 2, 3, 4)),
        (SPAN, timedelta(days=-3, seconds=5, microseconds=7)),
        (BYTES, bytes(range(256))),
        (BYTES, b""),
        (BYTESS, [b"\0\\", b'"']),
        (INTS, [[1, 2], [3, 4]]),
    ],
)
async def test_a_value_comes_back_as_it_went_in(reader: Reader, query: Scalar[object], value: object) -> None:
    back = await reader.one(query, value)
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("value", [{"a": [1, 2.5, None, True, "ü"]}, [], "text", 5, None])
async def test_json_comes_back_as_it_went_in(reader: Reader, value: object) -> None:
    assert await reader.one(JSON, Jsonb(value)) == value


async def test_moments_come_back_in_utc(reader: Reader) -> None:
    back = await reader.one(MOMENT, NOON.astimezone(AMSTERDAM))
    assert back == NOON
    assert back.utcoffset() == timedelta(0)


@pytest.mark.parametrize("prepared", [True, False])
async def test_moments_are_in_utc_when_the_server_is_elsewhere(connect, sql, prepared: bool) -> None:
    sql("alter role supabase_admin set timezone = 'Asia/Tokyo'")
    try:
        db: Database = await connect(prepared=prepared)
        back = await db.reader(NONE).one(MOMENT, NOON)
    finally:
        sql("alter role supabase_admin reset timezone")
    assert (back, back.utcoffset()) == (NOON, timedelta(0))


async def test_a_tuple_is_an_array_and_a_str_enum_its_value(reader: Reader) -> None:
    assert await reader.one(TEXTS, ("a", "b")) == ["a", "b"]
    assert await reader.one(TEXT, Status.DONE) == "done"
