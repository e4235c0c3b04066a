"""Socket.IO with its standard JavaScript client, which the web app uses."""

import asyncio
from collections.abc import Callable, Iterator

import pytest
from redis import Redis

from tests.conftest import Person
from tests.projects.making import make_project
from tests.realtime.making import Owner, publish
from tests.realtime.node import node

Make = Callable[..., Person]


@pytest.fixture
def redis(stack_env: dict[str, str]) -> Iterator[Redis]:
    with Redis.from_url(stack_env["KIJKO_REDIS_URL"]) as found:
        yield found


@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["polling", "websocket"]])
async def test_it_hears_everything_and_goes_on_where_it_was_dropped(
    person: Make, owner: Owner, stack_env: dict[str, str], redis: Redis, transports: list[str]
) -> None:
    one = person()
    project = await make_project(one)
    publish(owner, project, 1, 40)
    room = f"project:{project['id']}"
    async with node(stack_env["KIJKO_API_URL"], one, rooms=[room], transports=transports) as client:
        assert await client.numbers(40) == list(range(1, 41))
        await asyncio.to_thread(publish, owner, project, 41, 80, tell=redis)
        assert await client.numbers(80) == list(range(41, 81))
        client.say("transport")
        assert (await client.until("transport"))[-1] == ["transport", transports[-1]]
        client.say("drop")
        await client.until("disconnect")
        await asyncio.to_thread(publish, owner, project, 81, 100, tell=redis)
        client.say("connect")
        assert await client.numbers(100) == list(range(81, 101))


async def test_a_refused_handshake_has_its_code(person: Make, stack_env: dict[str, str]) -> None:
    async with node(stack_env["KIJKO_API_URL"], person(), rooms=[], token="nonsense") as client:
        what, message, data = (await client.until("connect_error"))[-1]
        assert (what, data) == ("connect_error", {"code": "UNAUTHENTICATED"})
        assert message
