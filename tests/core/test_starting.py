"""Starting a process: a cancellation, at whatever moment, ends it and gets out."""

import asyncio
import uuid

import psutil
import pytest

from kijko.core.starting import started


def running(mark: str) -> list[int]:
    return [each.pid for each in psutil.process_iter(["cmdline"]) if mark in (each.info["cmdline"] or ())]


async def cancelled_after(turns: int, times: int, *command: str) -> BaseException | None:
    async def start() -> None:
        await (await started(*command, stdin=asyncio.subprocess.PIPE)).wait()

    task = asyncio.create_task(start())
    for _ in range(turns):
        await asyncio.sleep(0)
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    async with asyncio.timeout(10):
        (result,) = await asyncio.gather(task, return_exceptions=True)
    return result


@pytest.mark.parametrize("times", [1, 2])
async def test_a_process_whose_starter_is_cancelled_while_it_starts_ends(times: int) -> None:
    mark = uuid.uuid4().hex
    for turns in range(1, 5):
        result = await cancelled_after(turns, times, "/bin/sh", "-c", "sleep 60; :", mark)
        assert isinstance(result, asyncio.CancelledError)
    async with asyncio.timeout(10):
        while running(mark):  # noqa: ASYNC110  # a process that ends tells nobody here
            await asyncio.sleep(0.05)


async def test_who_is_cancelled_is_not_told_of_a_start_that_fails() -> None:
    assert isinstance(await cancelled_after(1, 1, "/no/such/program"), asyncio.CancelledError)
    with pytest.raises(FileNotFoundError):
        await started("/no/such/program")
