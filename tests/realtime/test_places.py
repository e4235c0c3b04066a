"""How many connections a person and an organization have is counted over all processes, and with Redis away in each."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from socketio.exceptions import SocketIOError

from kijko.core.places import Kind, Places
from kijko.core.redis import connect
from kijko.settings import Redis as RedisSettings
from tests.conftest import Person, Shared
from tests.projects.making import hire, make_project
from tests.realtime.balancer import copy
from tests.realtime.making import Owner, close_of
from tests.realtime.node import node
from tests.realtime.processes import Api, apis
from tests.realtime.socketio import client, full

Make = Callable[..., Person]


def _at(process: Api) -> dict[str, str]:
    return {"KIJKO_API_URL": process.url}


async def _let_in(stack: AsyncExitStack, process: Api, one: Person) -> AsyncExitStack:
    """A connection, at the latest when whoever was before it is forgotten. It ends with the stack, or before."""
    connection = await stack.enter_async_context(AsyncExitStack())
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(SocketIOError):
                await connection.enter_async_context(client(_at(process), one.token))
                return connection
            await asyncio.sleep(0.1)


async def _refused(process: Api, one: Person) -> str:
    """What it says at the latest when it knows of all connections."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(AssertionError):
                code, reason = await full(_at(process), one.token)
                assert code == 4029
                return reason
            await asyncio.sleep(0.1)


async def test_the_limit_holds_over_processes_and_a_killed_ones_places_come_free(
    person: Make, shared: Shared, owner: Owner, stack_env: dict[str, str], tmp_path: Path
) -> None:
    one = person()
    colleague = hire(owner, shared, one, person())
    project = await make_project(one)
    redis_url = stack_env["KIJKO_REDIS_URL"].rstrip("/") + "/5"
    settings = {
        "KIJKO_REDIS_URL": redis_url,
        "KIJKO_EVENTS_CONNECTIONS": "3",
        "KIJKO_EVENTS_ORGANIZATION_CONNECTIONS": "4",
        "KIJKO_EVENTS_COUNT_TIMEOUT_S": "10",
        "KIJKO_EVENTS_SILENCE_S": "3",
    }
    async with apis(stack_env, shared, tmp_path, **settings) as (first, second), AsyncExitStack() as stack:
        await asyncio.gather(first.ready(), second.ready())
        await stack.enter_async_context(client(_at(first), one.token))
        leaving = await _let_in(stack, first, one)
        await stack.enter_async_context(client(_at(second), one.token))
        told = [await full(_at(each), one.token) for each in (first, second)]
        assert told[0] == told[1]
        assert (told[0][0], "connections" in told[0][1]) == (4029, True)
        assert await close_of(_at(second), project["id"], one.token) == told[0]

        await stack.enter_async_context(client(_at(second), colleague.token))
        assert "organization" in (await full(_at(first), colleague.token))[1]

        await leaving.aclose()
        await _let_in(stack, second, one)
        with Redis.from_url(redis_url) as redis:
            redis.flushdb()  # each process tells again what it has
        assert await _refused(first, one) == told[0][1]

        second.kill()
        await _let_in(stack, first, one)
        await _let_in(stack, first, one)
        assert await _refused(first, one) == told[0][1]


class _Line:
    """A way to Redis that can be stopped: who goes it then gets no answer, and no error either."""

    def __init__(self, url: str) -> None:
        self.open = asyncio.Event()
        self.losing = False
        """Whether the next answer does not arrive; its connection breaks."""
        self._target = urlsplit(url)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        with contextlib.suppress(OSError):
            await self.open.wait()
            target = await asyncio.open_connection(self._target.hostname, self._target.port)
            await asyncio.gather(copy(reader, target[1]), self._answer(target[0], writer))

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (some := await reader.read(65_536)) and not self.losing:
            writer.write(some)
        self.losing = False
        writer.close()


@asynccontextmanager
async def _line(url: str) -> AsyncIterator[tuple[_Line, str]]:
    line = _Line(url)
    server = await asyncio.start_server(line.serve, "127.0.0.1", 0)
    try:
        yield line, url.replace(f":{urlsplit(url).port}", f":{server.sockets[0].getsockname()[1]}")
    finally:
        server.close()


async def test_nobody_waits_for_a_redis_that_does_not_answer_and_it_is_told_later(
    person: Make, shared: Shared, stack_env: dict[str, str], tmp_path: Path
) -> None:
    one = person()
    settings = {"KIJKO_EVENTS_CONNECTIONS": "3", "KIJKO_REDIS_TIMEOUT_S": "60"}
    async with _line(stack_env["KIJKO_REDIS_URL"]) as (line, url), AsyncExitStack() as stack:
        settings["KIJKO_REDIS_URL"] = url
        (cut,) = await stack.enter_async_context(apis(stack_env, shared, tmp_path, many=1, **settings))
        await cut.ready()
        await stack.enter_async_context(client(stack_env, one.token))
        began = time.monotonic()
        opened = [await _let_in(stack, cut, one) for _ in range(3)]
        assert time.monotonic() - began < 15
        assert (await full(_at(cut), one.token))[0] == 4029
        line.open.set()
        await opened[0].aclose()
        await _refused(cut, one)  # it has two itself, and hears of the third at another process


@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["polling", "websocket"]])
async def test_who_was_full_comes_back_by_itself_when_the_process_that_died_is_forgotten(
    person: Make, shared: Shared, stack_env: dict[str, str], tmp_path: Path, transports: list[str]
) -> None:
    one = person()
    settings = {"KIJKO_EVENTS_CONNECTIONS": "2", "KIJKO_EVENTS_COUNT_TIMEOUT_S": "10"}
    async with apis(stack_env, shared, tmp_path, **settings) as (first, second), AsyncExitStack() as stack:
        await asyncio.gather(first.ready(), second.ready())
        for _ in range(2):
            await stack.enter_async_context(client(_at(second), one.token))
        async with node(first.url, one, rooms=[], transports=transports) as waiting:
            await waiting.until("connect_error" if transports == ["polling"] else "disconnect")
            second.kill()
            began = time.monotonic()
            await waiting.until("connect")
            assert time.monotonic() - began < 12


async def test_what_a_trip_that_was_made_twice_counted_twice_is_put_right(stack_env: dict[str, str]) -> None:
    kinds = (Kind("person", "connections_at_once", 2, "You have two. Close one."),)
    async with _line(stack_env["KIJKO_REDIS_URL"]) as (line, url), connect(RedisSettings(url=url)) as redis:
        line.open.set()
        places = Places(redis, kinds, silence_s=6, deadline_s=5)
        running = asyncio.create_task(places.run())
        for whose in ("a", "b"):
            (await places.take((whose,)))()
        await asyncio.sleep(0.5)
        line.losing = True  # the answer: Redis has counted, and is asked once more
        free = await places.take(("a",))
        assert not line.losing
        await _until_counted(redis, {"a": 1})
        line.losing = True
        (await places.take(("b",)))()
        await _until_counted(redis, {"a": 1, "b": 0})
        free()
        await _until_counted(redis, {"a": 0, "b": 0})
        running.cancel()
        await asyncio.wait([running])


async def _until_counted(redis: AsyncRedis, wanted: dict[str, int]) -> None:
    async with asyncio.timeout(5):
        while True:
            found = {whose: await redis.hvals(f"{{kijko:places}}:person:{whose}") for whose in wanted}
            if {whose: sum(map(int, counted)) for whose, counted in found.items()} == wanted:
                return
            await asyncio.sleep(0.1)
