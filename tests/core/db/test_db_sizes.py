"""Big statements and big answers pass in pieces, both ways at once."""

import asyncio

from kijko.core.db import Database, Json, Reader, Scalar

TEN_MB = 10 * 1024 * 1024
REPEAT = Scalar(str, "select repeat('ü', $1::int)")
LENGTH = Scalar(int, "select octet_length($1::text)")
ECHO = Scalar(str, "select $1::text")
ROWS = Scalar(int, "select generate_series(1, $1::int)")
JSON = Json("select to_json(repeat('x', $1::int))")


async def test_an_answer_of_10_mb_arrives_whole(reader: Reader) -> None:
    assert await reader.one(REPEAT, TEN_MB // 2) == "ü" * (TEN_MB // 2)
    assert await reader.json(JSON, TEN_MB) == b'"' + b"x" * TEN_MB + b'"'
    assert sum(await reader.all(ROWS, 300_000)) == 300_000 * 300_001 // 2


async def test_a_parameter_of_10_mb_arrives_whole(reader: Reader) -> None:
    assert await reader.one(LENGTH, "x" * TEN_MB) == TEN_MB


async def test_both_directions_may_be_full_at_once(reader: Reader) -> None:
    texts = [str(n) * 3_000_000 for n in range(6)]
    assert list(await reader.gather(*[ECHO.bind_one(text) for text in texts])) == texts


async def test_a_big_statement_cancelled_half_way_does_no_harm(db: Database, reader: Reader) -> None:
    for pause in (0, 0.001, 0.005, 0.02):
        calls = [ECHO.bind_one("x" * 3_000_000) for _ in range(6)]
        task = asyncio.create_task(reader.gather(*calls))
        await asyncio.sleep(pause)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    answers = await asyncio.gather(*[reader.one(ECHO, str(n)) for n in range(20)])
    assert answers == [str(n) for n in range(20)]
