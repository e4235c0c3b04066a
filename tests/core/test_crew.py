"""Processes that take jobs: results in order, one that breaks costs what it worked on, none is left behind."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import psutil
import pytest

from kijko.core.crew import Broke, Crew


@pytest.fixture
async def crew(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Crew]:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))  # where a process finds the tests' jobs
    made = Crew("tests.core.crew_jobs", 2, memory_bytes=150_000_000, address_bytes=1_000_000_000)
    yield made
    await made.close()


async def done(crew: Crew, job: str, *arguments: Any, seconds: float = 20) -> list[Any]:
    return [one async for one in crew.run(job, *arguments, seconds=seconds)]


async def test_results_come_in_order_and_of_any_size(crew: Crew) -> None:
    assert await done(crew, "count", 1000) == list(range(1000))
    assert [len(one) for one in await done(crew, "pieces", 5, 3_000_000)] == [3_000_000] * 5


async def test_a_process_serves_many_jobs_and_no_more_than_its_size_live(crew: Crew) -> None:
    found = await asyncio.gather(*(done(crew, "pid") for _ in range(20)))
    assert 1 <= len({pid for (pid,) in found}) <= 2
    assert len(crew.pids) <= 2


async def test_what_a_job_prints_does_not_come_between_its_results(crew: Crew) -> None:
    assert await done(crew, "chat") == ["the result"]


async def test_a_process_is_given_no_setting_of_ours(crew: Crew, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIJKO_AUTH_ENCRYPTION_KEY", "a secret")
    assert await done(crew, "secrets") == [[]]


async def test_a_jobs_own_error_comes_out_and_the_process_goes_on(crew: Crew) -> None:
    (before,) = await done(crew, "pid")
    with pytest.raises(LookupError, match="no such thing"):
        await done(crew, "fail")
    assert await done(crew, "pid") == [before]


async def test_one_that_was_killed_while_it_waited_costs_no_job(crew: Crew) -> None:
    (before,) = await done(crew, "pid")
    waiting = psutil.Process(before)
    waiting.kill()
    while waiting.is_running() and waiting.status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110  # the system tells nobody
        await asyncio.sleep(0.01)
    (after,) = await done(crew, "pid")
    assert after != before
    assert before not in crew.pids


async def test_a_crash_tells_what_was_worked_on_and_the_next_job_gets_another_process(crew: Crew) -> None:
    (before,) = await done(crew, "pid")
    results = crew.run("crash", 3, seconds=20)
    assert [await anext(results), await anext(results)] == [1, 2]
    with pytest.raises(Broke) as broke:
        await anext(results)
    assert broke.value.mark == 3
    assert await done(crew, "pid") != [before]


async def test_what_says_nothing_for_too_long_is_ended(crew: Crew) -> None:
    with pytest.raises(Broke) as broke:
        await done(crew, "hang", 7, seconds=1)
    assert broke.value.mark == 8
    assert await done(crew, "count", 2) == [0, 1]


async def test_one_that_does_not_even_take_a_large_job_is_ended(crew: Crew) -> None:
    (stopped,) = await done(crew, "pid")
    psutil.Process(stopped).suspend()
    with pytest.raises(Broke) as broke:
        await done(crew, "size", bytes(8_000_000), seconds=1)
    assert (broke.value.mark, broke.value.why) == (0, "it took longer than 1 second")
    assert await done(crew, "size", bytes(8_000_000)) == [8_000_000]


async def test_a_job_may_take_long_as_long_as_it_gets_on(crew: Crew) -> None:
    assert await done(crew, "slow", 8, seconds=1) == [8]


async def test_what_needs_more_memory_than_there_may_be_fails_alone(crew: Crew) -> None:
    with pytest.raises(MemoryError):
        await done(crew, "eat", 5_000_000_000)
    assert await done(crew, "count", 1) == [0]


async def test_a_process_that_keeps_too_much_is_replaced(crew: Crew) -> None:
    (first,) = await done(crew, "keep", 200_000_000)
    assert await done(crew, "pid") != [first]
    assert first not in crew.pids


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_whoever_stops_reading_stops_the_job(crew: Crew) -> None:
    async with aclosing(crew.run("pieces", 1000, 1_000_000, seconds=20)) as results:
        await anext(results)
        (pid,) = crew.pids
    assert pid not in crew.pids
    async with asyncio.timeout(10):
        while _lives(pid):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_whoever_goes_away_while_a_process_starts_leaves_nothing_behind(crew: Crew) -> None:
    for wait in (0, 0.05, 0.2, 0.4):
        starting = asyncio.create_task(done(crew, "pid"))
        await asyncio.sleep(wait)
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
    found = await asyncio.gather(*(done(crew, "pid") for _ in range(4)))
    assert {pid for (pid,) in found} <= crew.pids
    async with asyncio.timeout(10):  # one that was still starting is ended when it has started
        while len(crew.pids) > 2:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_the_loop_goes_on_while_a_process_works(crew: Crew) -> None:
    working = asyncio.create_task(done(crew, "slow", 3, seconds=20))
    turns = 0
    while not working.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert turns > 10


async def test_no_process_is_left_when_the_crew_is_closed(crew: Crew) -> None:
    await done(crew, "count", 1)
    pids = crew.pids
    await crew.close()
    assert not crew.pids
    assert all(not psutil.pid_exists(pid) or psutil.Process(pid).ppid() != os.getpid() for pid in pids)


async def test_a_process_that_does_not_start_is_an_error_and_not_a_broken_item() -> None:
    crew = Crew("tests.no_such_module", 1)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="does not start"):
            await done(crew, "count", 1)
    assert not crew.pids
    await crew.close()
