"""What a client of Socket.IO may ask for has bounds, and who reaches one is told: slow readers, floods, sizes."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
from redis import Redis
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.conftest import Person, Shared
from tests.projects.making import hire, make_project
from tests.realtime.making import Owner, publish
from tests.realtime.poller import poller
from tests.realtime.socketio import client, full

Make = Callable[..., Person]
_PATH = "/socket.io/?EIO=4&transport="


@pytest.fixture
def redis(stack_env: dict[str, str]) -> Iterator[Redis]:
    with Redis.from_url(stack_env["KIJKO_REDIS_URL"]) as found:
        yield found


@asynccontextmanager
async def raw(stack_env: dict[str, str], token: str | None) -> AsyncIterator[ClientConnection]:
    """A WebSocket after the handshake of Engine.IO, and of Socket.IO where there is a token."""
    address = stack_env["KIJKO_API_URL"].replace("http", "ws", 1) + _PATH + "websocket"
    async with connect(address, close_timeout=1, max_size=2**24) as found:
        assert str(await found.recv()).startswith("0{")
        if token is not None:
            await found.send("40" + json.dumps({"token": token}))
            assert str(await found.recv()).startswith("40")
            assert '"joined"' in str(await found.recv())
        yield found


async def rest(socket: ClientConnection) -> tuple[list[str], int, str]:
    """What comes until the server closes it, with which code and reason."""
    found: list[str] = []
    try:
        async with asyncio.timeout(20):
            while True:
                found.append(str(await socket.recv()))
    except ConnectionClosed:
        assert socket.close_code is not None
        return found, socket.close_code, socket.close_reason or ""


async def test_a_slow_reader_is_told_and_let_go_and_holds_up_nobody(
    person: Make, owner: Owner, stack_env: dict[str, str], redis: Redis
) -> None:
    one = person()
    project = await make_project(one)
    filling = {"text": "x" * 20_000}
    async with raw(stack_env, one.token) as slow, client(stack_env, one.token) as good:
        await slow.send("42" + json.dumps(["join", {"room": f"project:{project['id']}"}]))
        await good.next()
        await good.join(project)
        hearing = asyncio.create_task(good.numbers(1500))
        await asyncio.to_thread(publish, owner, project, 1, 1500, tell=redis, more=filling)  # `slow` reads nothing
        assert await hearing == list(range(1, 1501))
        told, code, reason = await rest(slow)
    assert json.loads(told[-1][2:])[:2] == ["closed", {"code": "TOO_SLOW", "message": reason}]
    assert code == 4008


async def test_a_slow_poller_is_told_and_let_go(
    person: Make, owner: Owner, stack_env: dict[str, str], redis: Redis
) -> None:
    one = person()
    project = await make_project(one)
    async with httpx.AsyncClient(base_url=stack_env["KIJKO_API_URL"], timeout=30) as http:
        opened = (await http.get(_PATH + "polling")).text
        address = f"{_PATH}polling&sid={json.loads(opened[1:])['sid']}"
        assert (await http.post(address, content="40" + json.dumps({"token": one.token}))).text == "ok"
        joining = "42" + json.dumps(["join", {"room": f"project:{project['id']}"}])
        assert (await http.post(address, content=joining)).text == "ok"
        assert '"joined"' in (await http.get(address)).text
        await asyncio.to_thread(publish, owner, project, 1, 1500, tell=redis)
        await asyncio.sleep(1.5)
        (told,) = (await http.get(address)).text.split("\x1e")
        assert json.loads(told[2:])[1]["code"] == "TOO_SLOW"
        gone = await http.get(address)
        assert (gone.status_code, gone.json()["code"]) == (400, "UNKNOWN_SESSION")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (["9"], 4400),
        (["4"], 4400),
        (["42{"], 4400),
        (["42[7]"], 4400),
        (["451-[]"], 4400),
        ([b"x"], 4400),
        (["x" * 70_000], 1009),
    ],
)
async def test_what_is_no_packet_closes_the_connection(
    person: Make, stack_env: dict[str, str], sent: list[Any], code: int
) -> None:
    async with raw(stack_env, person().token) as socket:
        for one in sent:
            await socket.send(one)
        assert (await rest(socket))[1] == code


async def test_a_flood_is_told_and_closed(person: Make, stack_env: dict[str, str]) -> None:
    async with raw(stack_env, person().token) as socket:
        for _ in range(400):
            await socket.send('42["ping"]')
        told, code, _ = await rest(socket)
    assert json.loads(told[-1][2:])[1]["code"] == "RATE_LIMITED"
    assert code == 4029


async def test_an_unknown_event_and_namespace_are_told(person: Make, stack_env: dict[str, str]) -> None:
    async with raw(stack_env, person().token) as socket:
        await socket.send('427["project:delete",{}]')
        assert json.loads(str(await socket.recv())[3:])[0]["code"] == "UNKNOWN_EVENT"
        await socket.send("40/admin,")
        assert str(await socket.recv()).startswith('44/admin,{"message":')
        await socket.send('42["ping"]')
        assert '"pong"' in str(await socket.recv())


async def test_who_brings_no_handshake_or_never_ends_an_upgrade_is_let_go(
    person: Make, stack_env: dict[str, str]
) -> None:
    await asyncio.gather(_no_handshake(stack_env), _upgrade_without_end(stack_env, person().token))


async def _upgrade_without_end(stack_env: dict[str, str], token: str) -> None:
    """The WebSocket is closed; polls, which are answered at once meanwhile, wait again."""
    async with poller(stack_env, token) as polling:
        address = stack_env["KIJKO_API_URL"].replace("http", "ws", 1) + polling.address
        async with connect(address.replace("=polling", "=websocket"), close_timeout=1) as probing:
            await probing.send("2probe")
            assert await probing.recv() == "3probe"
            assert await polling.poll() == ["6"]
            assert (await rest(probing))[1] == 4400
        await polling.say('420["ping"]')
        assert await polling.until("430[") == ['430[{"ok":true}]']


async def _no_handshake(stack_env: dict[str, str]) -> None:
    async with raw(stack_env, None) as socket:
        await socket.send('42["join",{"room":"user:x"}]')  # nothing before the handshake counts
        began = time.monotonic()
        told, code, _ = await rest(socket)
    assert (told[-1][:2], code) == ("44", 4001)
    assert time.monotonic() - began < 15


async def test_a_person_has_only_so_many_connections(person: Make, stack_env: dict[str, str]) -> None:
    one = person()
    async with AsyncExitStack() as stack:
        for _ in range(int(stack_env["KIJKO_EVENTS_CONNECTIONS"])):
            await stack.enter_async_context(raw(stack_env, one.token))
        code, reason = await full(stack_env, one.token)
        assert (code, "connections" in reason) == (4029, True)
        async with poller(stack_env, None) as polling:
            await polling.say("40" + json.dumps({"token": one.token}))
            told = await polling.http.get(polling.address)
            assert (told.status_code, told.json()["code"]) == (429, "RATE_LIMITED")
            assert await polling.status() == 400
    await asyncio.sleep(0.5)
    async with raw(stack_env, one.token):
        pass


async def test_an_organization_has_only_so_many_connections(
    person: Make, shared: Shared, owner: Owner, stack_env: dict[str, str]
) -> None:
    boss = person()
    people = [boss, *(hire(owner, shared, boss, person()) for _ in range(2))]
    most = int(stack_env["KIJKO_EVENTS_ORGANIZATION_CONNECTIONS"])
    async with AsyncExitStack() as stack:
        for number in range(most):
            await stack.enter_async_context(raw(stack_env, people[number % 3].token))
        code, reason = await full(stack_env, boss.token)
        assert (code, "organization" in reason) == (4029, True)


async def test_people_without_an_organization_do_not_count_together(
    person: Make, shared: Shared, stack_env: dict[str, str]
) -> None:
    tokens = [shared.issuer.token(person().id, None) for _ in range(3)]
    most = int(stack_env["KIJKO_EVENTS_ORGANIZATION_CONNECTIONS"])
    async with AsyncExitStack() as stack:
        for number in range(most + 3):
            await stack.enter_async_context(raw(stack_env, tokens[number % 3]))


async def test_addresses_of_no_use_say_so(stack_env: dict[str, str]) -> None:
    async with httpx.AsyncClient(base_url=stack_env["KIJKO_API_URL"], timeout=30) as http:
        answers = [
            await http.get("/socket.io/?EIO=3&transport=polling"),
            await http.get("/socket.io/?EIO=4&transport=pigeon"),
            await http.get("/socket.io/?EIO=4&transport=polling&sid=nobody"),
            await http.delete("/socket.io/?EIO=4&transport=polling"),
        ]
        for content in ("b4AAAA", "x" * 70_000):
            sid = json.loads((await http.get(_PATH + "polling")).text[1:])["sid"]
            answers.append(await http.post(f"{_PATH}polling&sid={sid}", content=content))
    assert [answer.status_code for answer in answers] == [422, 422, 400, 405, 422, 413]
    assert {answer.headers["content-type"] for answer in answers} == {"application/problem+json"}


async def test_an_upgrade_that_is_refused_is_no_error_in_the_log(shared: Shared, stack_env: dict[str, str]) -> None:
    address = stack_env["KIJKO_API_URL"].replace("http", "ws", 1) + _PATH
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"{address}websocket&sid=nope")
    answer = refused.value.response
    assert (answer.status_code, json.loads(answer.body)["code"]) == (400, "UNKNOWN_SESSION")
    await asyncio.sleep(0.2)
    assert "completing handshake" not in "".join(log.read_text() for log in (shared.home / "logs").glob("*.log"))


async def test_no_line_of_a_log_has_the_token(person: Make, shared: Shared, stack_env: dict[str, str]) -> None:
    one = person()
    for transports in (["websocket"], ["polling", "websocket"]):
        async with client(stack_env, one.token, transports=transports) as listening:
            await listening.next()
            await listening.ask("token:refresh", token=one.token)
    logs = "".join(log.read_text() for log in (shared.home / "logs").glob("*.log"))
    assert one.token.split(".")[1] not in logs
