"""Text between a worker and who follows its runs: nothing lost, nothing twice, nothing said to nobody."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from redis.asyncio import Redis

from kijko.clients.llm import Progress
from kijko.core.notices import Notice
from kijko.services.executions.hearing import Heard, Texts
from kijko.services.executions.speaking import Speaker
from kijko.services.executions.words import Words, channel_of
from tests.executions.test_attempts import claimed


def said(offset: int, text: str, claims: int = 1) -> Words:
    return Words(claims, claims, offset, False, text)


def test_what_is_heard_twice_counts_once_and_what_was_missed_is_noticed() -> None:
    heard = Heard()
    assert heard.take(said(0, "abc"))
    assert heard.take(said(0, "abcde"))
    assert heard.take(said(2, "cd"))
    assert not heard.take(said(7, "h"))
    assert heard.take(said(5, "fg"))
    assert (heard.behind(0, 100), heard.length) == ("abcdefg", 7)


@pytest.mark.parametrize("most", [1, 2, 3, 100])
@pytest.mark.parametrize("offset", range(9))
def test_the_text_behind_a_place_is_the_same_however_it_came(offset: int, most: int) -> None:
    heard = Heard()
    for place, piece in ((0, "ab"), (2, "c"), (3, "defg")):
        heard.take(said(place, piece))
    assert heard.behind(offset, most) == "abcdefg"[offset:][:most]


def test_another_attempt_says_another_text_and_an_earlier_one_nothing_any_more() -> None:
    heard = Heard()
    heard.take(said(0, "first"))
    assert heard.take(said(0, "2nd", claims=2))
    assert heard.take(said(5, "late", claims=1))
    assert (heard.claims, heard.behind(0, 100)) == (2, "2nd")
    assert not heard.take(said(4, "d", claims=3))
    assert heard.length == 0


@pytest.fixture
async def redis(stack_env: dict[str, str]) -> AsyncIterator[Redis]:
    made = Redis.from_url(stack_env["KIJKO_REDIS_URL"])
    yield made
    await made.aclose()


@pytest.fixture
async def speaker(redis: Redis) -> AsyncIterator[Speaker]:
    made = Speaker(redis)
    speaking = asyncio.create_task(made.speak())
    await asyncio.sleep(0.2)
    yield made
    speaking.cancel()
    await asyncio.wait([speaking])
    await made.close()


@pytest.fixture
async def texts(redis: Redis) -> AsyncIterator[Texts]:
    made = Texts(redis)
    yield made
    await made.close()


async def has(heard: Heard, notice: Notice, length: int) -> str:
    async with asyncio.timeout(5):
        while heard.length < length:
            await notice.wait(1)
    return heard.behind(0, 10_000_000)


async def test_who_listens_before_and_who_comes_late_hear_the_same(speaker: Speaker, texts: Texts) -> None:
    run, progress, notice = claimed("echo", "x", since_s=0), Progress(), Notice()
    pieces: Sequence[str] = ["one ", "two \U0001f600", "lone \ud800 ", "x" * 200_000, " end"]
    whole = "".join(pieces).replace("\ud800", "?")
    with speaker.voice(run, progress):
        async with texts.expect(run.id, notice) as heard:
            for piece in pieces:
                progress.say(piece)
                await asyncio.sleep(0.01)
            assert await has(heard, notice, len(whole)) == whole
        late = Texts(texts._redis)  # another process's
        async with late.expect(run.id, notice) as heard:
            assert heard.length == 0
            await late.ask(run.id)
            assert await has(heard, notice, len(whole)) == whole
            progress.say(" more")
            assert (await has(heard, notice, len(whole) + 5)).endswith(" end more")
        await late.close()


async def test_where_nobody_listens_one_message_is_said_and_no_more(speaker: Speaker, redis: Redis) -> None:
    run, progress = claimed("echo", "x", since_s=0), Progress()
    quick, at_once = claimed("echo", "x", since_s=0), Progress()
    before = await _published(redis)
    with speaker.voice(run, progress):
        for _ in range(20):
            progress.say("word ")
            await asyncio.sleep(0.01)
    for _ in range(50):
        with speaker.voice(quick, at_once):
            at_once.say("all of it")
    await asyncio.sleep(0.1)
    assert await redis.pubsub_numsub(channel_of(run.id)) == [(channel_of(run.id).encode(), 0)]
    # Others of the stack publish, too: not seventy times in a third of a second.
    assert (await _published(redis)) - before < 30


async def _published(redis: Redis) -> int:
    found: int = (await redis.info("commandstats")).get("cmdstat_publish", {}).get("calls", 0)
    return found


async def test_a_listener_hears_its_own_run_only_and_nothing_once_it_has_left(speaker: Speaker, texts: Texts) -> None:
    mine, other = claimed("echo", "x", since_s=0), claimed("echo", "x", since_s=0)
    progress, another, notice = Progress(), Progress(), Notice()
    with speaker.voice(mine, progress), speaker.voice(other, another):
        async with texts.expect(mine.id, notice) as heard:
            another.say("not mine")
            progress.say("mine")
            assert await has(heard, notice, 4) == "mine"
        progress.say(" and more")
        await asyncio.sleep(0.1)
        assert heard.length == 4
