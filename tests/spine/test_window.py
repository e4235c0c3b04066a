"""Attempts are counted exactly, in a window that slides."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from kijko.core.redis import connect
from kijko.core.window import take
from kijko.settings import Redis as RedisSettings


@pytest.fixture
async def redis(stack_env: dict[str, str]) -> AsyncIterator[Redis]:
    client = connect(RedisSettings(url=stack_env["KIJKO_REDIS_URL"]))  # type: ignore[arg-type]  # pydantic takes a str
    yield client
    await client.aclose()


async def test_so_many_are_allowed_and_not_one_more_however_many_come_at_once(redis: Redis) -> None:
    key = f"test:{uuid4()}"
    taken = await asyncio.gather(*(take(redis, [key], limit=5, span_s=60) for _ in range(40)))
    assert sorted(one.remaining for one in taken if one.allowed) == [0, 1, 2, 3, 4]
    refused = [one for one in taken if not one.allowed]
    assert len(refused) == 35
    assert all(one.used == 5 and 55 < one.wait_s <= 60 for one in refused)


async def test_a_place_comes_free_when_its_span_is_over_and_no_sooner(redis: Redis) -> None:
    key = f"test:{uuid4()}"
    assert (await take(redis, [key], limit=2, span_s=1)).allowed
    await asyncio.sleep(0.6)
    assert (await take(redis, [key], limit=2, span_s=1)).allowed
    assert not (await take(redis, [key], limit=2, span_s=1)).allowed
    await asyncio.sleep(0.5)  # the first is 1.1 s old, the second 0.5
    assert (await take(redis, [key], limit=2, span_s=1)).allowed
    assert not (await take(redis, [key], limit=2, span_s=1)).allowed


async def test_an_attempt_refused_for_one_key_is_not_counted_for_the_other(redis: Redis) -> None:
    full, free = f"test:{uuid4()}", f"test:{uuid4()}"
    for _ in range(2):
        await take(redis, [full], limit=2, span_s=60)
    assert not (await take(redis, [full, free], limit=2, span_s=60)).allowed
    assert (await take(redis, [free], limit=2, span_s=60)).used == 1


async def test_a_refused_attempt_does_not_lengthen_the_wait(redis: Redis) -> None:
    key = f"test:{uuid4()}"
    await take(redis, [key], limit=1, span_s=1)
    for _ in range(5):
        await asyncio.sleep(0.1)
        assert not (await take(redis, [key], limit=1, span_s=1)).allowed
    await asyncio.sleep(0.6)
    assert (await take(redis, [key], limit=1, span_s=1)).allowed


async def test_nothing_is_left_behind(redis: Redis) -> None:
    key = f"test:{uuid4()}"
    await take(redis, [key], limit=1, span_s=60)
    assert 0 < await redis.pttl(key) <= 60_000
