"""What a client that polls may do to a process: leave without a word, never fetch, say things twice or by halves."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack

import pytest
from redis import Redis

from tests.conftest import Person
from tests.projects.making import make_project
from tests.realtime.making import Owner, publish
from tests.realtime.node import node
from tests.realtime.poller import poller
from tests.realtime.socketio import client, returning

Make = Callable[..., Person]


@pytest.fixture
def redis(stack_env: dict[str, str]) -> Iterator[Redis]:
    with Redis.from_url(stack_env["KIJKO_REDIS_URL"]) as found:
        yield found


async def test_a_page_that_is_loaded_anew_again_and_again_does_not_use_up_its_persons_places(
    person: Make, stack_env: dict[str, str]
) -> None:
    one = person()
    for _ in range(int(stack_env["KIJKO_EVENTS_CONNECTIONS"]) + 3):
        async with poller(stack_env, one.token) as page:
            waiting = asyncio.create_task(page.poll())
            await asyncio.sleep(0.02)
            waiting.cancel()
            await asyncio.wait([waiting])
    async with client(stack_env, one.token, transports=["polling"]) as listening:
        assert (await listening.next())[0] == "joined"


async def test_who_asks_for_answers_and_never_fetches_them_is_let_go(
    person: Make, owner: Owner, stack_env: dict[str, str], redis: Redis
) -> None:
    one = person()
    project = await make_project(one)
    async with poller(stack_env, one.token) as silent:
        await silent.say("420" + json.dumps(["join", {"room": f"project:{project['id']}"}]))
        await silent.until("430[")
        nearly = {"text": "x" * 19_790}  # with what is around it, 4,000 bytes less than may wait
        await asyncio.to_thread(publish, owner, project, 1, 200, tell=redis, more=nearly)
        await asyncio.sleep(1)
        await silent.say(*['42["ping"]'] * 90)
        assert "TOO_SLOW" in (await silent.poll())[0]
        assert await silent.status() == 400


async def test_a_handshake_that_comes_twice_at_once_counts_once(person: Make, stack_env: dict[str, str]) -> None:
    async with poller(stack_env, None) as twice:
        handshake = "40" + json.dumps({"token": person().token})
        await asyncio.gather(*(twice.http.get("/health/live") for _ in range(4)))  # opens connections
        await asyncio.gather(*(twice.say(handshake) for _ in range(4)))
        told = await twice.until('"joined"')
        await twice.say('420["ping"]')
        told += await twice.until("430[")
        assert [one[:2] for one in told].count("40") == 1
        assert sum('"joined"' in one for one in told) == 1


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("b4AAAA", 422),
        ("\x1e", 422),
        ('451-["x",{"_placeholder":true,"num":0}]\x1ebAAAA', 422),
        ('451-["x",{"_placeholder":true,"num":0}]', 200),
        ("42" + json.dumps(["x", "x" * 70_000]), 413),
        ("42" + json.dumps(["x", "x" * 2_000_000]), 413),
    ],
)
async def test_who_sends_what_is_no_packet_has_to_begin_anew_and_is_not_left_waiting(
    person: Make, stack_env: dict[str, str], sent: str, status: int
) -> None:
    async with poller(stack_env, person().token) as wrong:
        waiting = asyncio.create_task(wrong.poll())
        await asyncio.sleep(0.2)
        assert (await wrong.say(sent)).status_code == status
        await asyncio.wait_for(waiting, 5)
        assert await wrong.status() == 400


@pytest.mark.parametrize("transports", [["polling"], ["websocket"]])
async def test_who_was_too_loud_comes_back_by_itself(
    person: Make, owner: Owner, stack_env: dict[str, str], redis: Redis, transports: list[str]
) -> None:
    one = person()
    project = await make_project(one)
    room = f"project:{project['id']}"
    async with AsyncExitStack() as stack:
        url = stack_env["KIJKO_API_URL"]
        python = await stack.enter_async_context(returning(url, one.token, room, transports=transports))
        script = await stack.enter_async_context(node(url, one, rooms=[room], transports=transports))
        await asyncio.to_thread(publish, owner, project, 1, 5, tell=redis)
        for each in (python, script):
            assert await each.numbers(5) == [1, 2, 3, 4, 5]
        for _ in range(199):  # what a client keeps back meanwhile, and says when it is back, is not too loud again
            await python.raw.emit("ping")
            script.say("emit", "ping")
        assert "RATE_LIMITED" in str(await python.until("closed"))
        assert "RATE_LIMITED" in str(await script.until("event", "closed"))
        await asyncio.to_thread(publish, owner, project, 6, 9, tell=redis)
        for each in (python, script):
            assert await each.numbers(9) == [6, 7, 8, 9]
            assert each.drops == 1


@pytest.mark.parametrize("room", ["project:\u0000", "project:" + "x" * 60_000, "user:\ud7ff", {}, [1], None, 7])
async def test_a_room_that_is_none_is_refused(person: Make, stack_env: dict[str, str], room: object) -> None:
    async with poller(stack_env, person().token) as asking:
        await asking.say("420" + json.dumps(["join", {"room": room}]))
        told = (await asking.until("430["))[-1]
        assert json.loads(told[3:])[0]["code"] == "ROOM_NOT_FOUND"


@pytest.mark.parametrize("packet", ["40/" + "a" * 65_000 + ",", "40/" + "a" * 101])
async def test_a_long_namespace_is_no_packet(stack_env: dict[str, str], packet: str) -> None:
    async with poller(stack_env, None) as stranger:
        assert (await stranger.say(packet)).status_code == 200
        assert await stranger.status() == 400


async def test_a_stranger_who_fetches_nothing_is_let_go_soon(stack_env: dict[str, str]) -> None:
    async with poller(stack_env, None) as stranger:
        for _ in range(3):
            await stranger.say(*["40/" + "a" * 90 + ","] * 60)
            await asyncio.sleep(1)
        assert (await stranger.say("40/a,")).status_code == 400


async def test_who_signs_in_and_says_goodbye_at_once_leaves_no_session(person: Make, stack_env: dict[str, str]) -> None:
    handshake = "40" + json.dumps({"token": person().token})
    async with poller(stack_env, None) as one:
        assert (await one.say(handshake, "1")).status_code == 200
        assert await one.status() == 400


async def test_who_goes_on_talking_to_a_session_that_was_closed_still_hears_why(
    person: Make, stack_env: dict[str, str]
) -> None:
    async with poller(stack_env, person().token) as loud:
        await loud.say(*['42["ping"]'] * 250)
        assert (await loud.say('42["ping"]')).status_code == 200
        assert "RATE_LIMITED" in (await loud.until('"closed"'))[-1]
        assert [(await loud.say("3")).status_code, await loud.status()] == [400, 400]
