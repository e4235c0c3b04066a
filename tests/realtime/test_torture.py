"""What listeners depend on dies again and again: each has heard 1..N in the end, with no hole and no double."""

import asyncio
import os
import random
import signal
import time
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import httpx
import psycopg
import pytest
from redis import Redis, RedisError

from tests.conftest import Person, Shared, read_status
from tests.journeys.test_kills import own_stack  # noqa: F401  # a fixture
from tests.projects.making import make_project
from tests.realtime.balancer import balanced
from tests.realtime.making import publish
from tests.realtime.node import Node, node
from tests.realtime.processes import Api, Environment, apis

Make = Callable[..., Person]


class Listener:
    """A client, and what it has heard: numbers, or how far a gap reached."""

    def __init__(self, client: Node) -> None:
        self.client = client
        self.heard: list[int] = []
        self.gaps = 0
        self.dropped = 0

    async def hear(self, upto: int) -> None:
        """Returns when it has heard that number."""
        while not self.heard or self.heard[-1] < upto:
            line = await self.client.next()
            if line[0] == "disconnect":
                self.dropped += 1
            if line[:2] == ["event", "gap"]:
                self.gaps += 1
                self.heard.extend(range((self.heard or [0])[-1] + 1, int(line[2]["oldestId"])))
            if line[:2] == ["event", "progress_update"]:
                self.heard.append(line[2]["number"])


async def _disturb(listeners: list[Listener], processes: list[Api], redis_pid: Callable[[], int | None]) -> None:
    """Drops clients, kills processes, and Redis where there is one to kill, until it is cancelled."""
    turn = 0
    while True:
        await asyncio.sleep(random.uniform(0.3, 1.0))
        for one in random.sample(listeners, max(1, len(listeners) // 3)):
            one.client.say("drop")
        turn += 1
        if turn % 4 == 0:
            victim = processes[turn // 4 % len(processes)]
            await asyncio.to_thread(victim.kill, random.choice([signal.SIGKILL, signal.SIGTERM]))
            victim.start()
        if turn % 6 == 3 and (pid := await asyncio.to_thread(redis_pid)) is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _publish(url: str, redis_url: str, project: dict[str, object], first: int, last: int, seconds: float) -> None:
    """Numbers events over that time; whether a notice arrives is left to luck."""
    with psycopg.connect(url, autocommit=True) as owner:
        for number in range(first, last + 1):
            publish(owner, project, number, number)
            if number % 3 == 0:
                with suppress(RedisError), Redis.from_url(redis_url, socket_timeout=1) as redis:
                    redis.publish("kijko:notices", f"room:project:{project['id']}")
            time.sleep(seconds / (last - first + 1))


async def torture(
    one: Person,
    stack_env: Environment,
    processes: list[Api],
    *,
    events: int,
    seconds: float,
    clients: int,
    redis_pid: Callable[[], int | None] = lambda: None,
) -> list[Listener]:
    """Runs it, and checks what everybody heard."""
    project = await make_project(one)
    room = f"project:{project['id']}"
    await asyncio.gather(*(each.ready() for each in processes))
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(balanced([each.port for each in processes]))
        listeners = [
            Listener(await stack.enter_async_context(node(url, one, rooms=[room], transports=["websocket"])))
            for _ in range(clients)
        ]
        for each in listeners:
            await each.client.until("connect")
        hearing = [asyncio.create_task(each.hear(events)) for each in listeners]
        disturbing = asyncio.create_task(_disturb(listeners, processes, redis_pid))
        where = (stack_env["KIJKO_DATABASE_URL"], stack_env["KIJKO_REDIS_URL"])
        await asyncio.to_thread(_publish, *where, project, 1, events, seconds)
        disturbing.cancel()
        await asyncio.gather(disturbing, return_exceptions=True)
        for each in processes:
            if each.process.poll() is not None:
                each.start()
        async with asyncio.timeout(60):
            await asyncio.gather(*hearing)
    for each in listeners:
        assert each.heard == list(range(1, events + 1))
    return listeners


async def test_clients_are_dropped_and_processes_killed_and_nothing_is_missed_or_told_twice(
    person: Make, shared: Shared, stack_env: Environment, tmp_path: Path
) -> None:
    async with apis(stack_env, shared, tmp_path) as processes:
        listeners = await torture(person(), stack_env, processes, events=400, seconds=12, clients=4)
    assert sum(each.dropped for each in listeners) > 4
    assert sum(each.gaps for each in listeners) == 0


@pytest.mark.soak
async def test_the_same_for_minutes_with_redis_killed_too(own_stack: Path, shared: Shared, tmp_path: Path) -> None:  # noqa: F811
    environ = read_status(own_stack)
    one = await _somebody(environ, shared)
    async with apis(environ, shared, tmp_path, many=3) as processes:
        listeners = await torture(
            one,
            environ,
            processes,
            events=6000,
            seconds=240,
            clients=20,
            redis_pid=lambda: _pid(read_status(own_stack).get("KIJKO_PID_REDIS")),
        )
    assert sum(each.dropped for each in listeners) > 200
    assert sum(each.gaps for each in listeners) == 0


async def _somebody(environ: Environment, shared: Shared) -> Person:
    """A person of a stack of its own."""
    user = uuid.uuid4()
    with psycopg.connect(environ["KIJKO_DATABASE_URL"], autocommit=True) as owner:
        row = owner.execute("select kijko.register(%s, 's@people.test', '', '', true, 'S')", (user,)).fetchone()
        assert row is not None
        owner.execute("select kijko.grant_plan(%s, 'enterprise', 'a test')", (row[0],))
    token = shared.issuer.token(user, row[0])
    http = httpx.AsyncClient(base_url=environ["KIJKO_API_URL"] + "/api", headers={"Authorization": f"Bearer {token}"})
    return Person(user, row[0], "s@people.test", token, http)


def _pid(told: str | None) -> int | None:
    return int(told) if told and told.isdigit() else None
