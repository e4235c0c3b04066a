"""Polling over several API processes: its sessions live in one process each, so a balancer has to be sticky."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import httpx
import pytest
from redis import Redis

from tests.conftest import Person, Shared
from tests.projects.making import make_project
from tests.realtime.balancer import sticky
from tests.realtime.making import Owner, publish
from tests.realtime.node import Node, node
from tests.realtime.processes import apis
from tests.realtime.socketio import Returning, returning

Make = Callable[..., Person]
_PATH = "/socket.io/?EIO=4&transport=polling"
_WAYS = [["polling"], ["polling", "websocket"]]


@pytest.fixture
def redis(stack_env: dict[str, str]) -> Iterator[Redis]:
    with Redis.from_url(stack_env["KIJKO_REDIS_URL"]) as found:
        yield found


async def test_clients_on_both_processes_hear_everything_though_all_are_sent_elsewhere_and_one_is_killed(
    person: Make, shared: Shared, owner: Owner, stack_env: dict[str, str], redis: Redis, tmp_path: Path
) -> None:
    one = person()
    project = await make_project(one)
    room = f"project:{project['id']}"

    async def more(first: int, last: int) -> None:
        await asyncio.to_thread(publish, owner, project, first, last, tell=redis)
        for each in listening:
            assert await each.numbers(last) == list(range(first, last + 1))

    async with apis(stack_env, shared, tmp_path) as processes, AsyncExitStack() as stack:
        await asyncio.gather(*(each.ready() for each in processes))
        balancer = await stack.enter_async_context(sticky([each.port for each in processes]))
        listening: list[Returning | Node] = []
        for transports in _WAYS:  # the first two only poll, each at another process
            listening.append(
                await stack.enter_async_context(returning(balancer.url, one.token, room, transports=transports))
            )
            listening.append(
                await stack.enter_async_context(node(balancer.url, one, rooms=[room], transports=transports))
            )
        await more(1, 30)
        assert min(balancer.served.values()) > 4
        balancer.move()  # who polls comes to a process that does not know it
        await more(31, 60)
        assert min(each.drops for each in listening[:2]) >= 1
        processes[0].kill()
        await more(61, 90)
        assert sum(each.drops for each in listening) >= 4


async def test_a_process_that_does_not_know_a_session_says_so_as_the_protocol_does(stack_env: dict[str, str]) -> None:
    url = stack_env["KIJKO_API_URL"] + _PATH + "&sid=of-another-process"
    async with httpx.AsyncClient(timeout=30) as http:
        answers = [await http.get(url), await http.post(url, content='42["ping"]')]
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (400, "UNKNOWN_SESSION")
        assert "sticky" in answer.json()["detail"]
    # Refused, and not opened and closed: then a client stays with polling.
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(url.replace("transport=polling", "transport=websocket"))
    assert refused.value.status == 400
