"""The plain WebSocket of a project: what is missed is sent first, then what happens, each once and in order."""

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis

from tests.conftest import Person, Shared
from tests.ingestion.making import ingest, project_of, served
from tests.projects.making import hire, join, make_project
from tests.realtime.making import Owner, close_of, publish, socket, stranger

Make = Callable[..., Person]


@pytest.fixture
def redis(stack_env: dict[str, str]) -> Iterator[Redis]:
    with Redis.from_url(stack_env["KIJKO_REDIS_URL"]) as found:
        yield found


async def test_an_ingestion_is_heard_as_it_goes(person: Make, shared: Shared, stack_env: dict[str, str]) -> None:
    one = person()
    project = await project_of(one, served(shared, {"a.py": "def a():\n    return 1\n"}))
    async with socket(stack_env, project["id"], one.token) as listening:
        joined = await listening.next()
        assert (joined["event"], joined["data"]) == ("joined", {"room": f"project:{project['id']}", "lastId": "0"})
        done = await ingest(one, project)
        told = await listening.until("ingestion_complete")
    assert [message["id"] for message in told] == [str(number) for number in range(1, len(told) + 1)]
    assert {frozenset(message) for message in told} == {frozenset({"event", "data", "timestamp", "id"})}
    assert [message["timestamp"] for message in told] == sorted(message["timestamp"] for message in told)
    assert told[0]["event"] == "phase_started"
    assert told[-1]["data"]["finalMetrics"] == done["metrics"]
    async with socket(stack_env, project["id"], one.token, last_id=0) as again:
        replayed = await again.until("joined")
    assert replayed[:-1] == told


async def test_who_comes_back_gets_what_was_missed_and_then_what_is_new_with_no_seam(
    person: Make, owner: Owner, stack_env: dict[str, str], redis: Redis
) -> None:
    one = person()
    project = await make_project(one)
    publish(owner, project, 1, 450)
    publishing = asyncio.create_task(asyncio.to_thread(publish, owner, project, 451, 700, tell=redis))
    heard: list[int] = []
    while not heard or heard[-1] < 700:
        async with socket(stack_env, project["id"], one.token, last_id=heard[-1] if heard else 0) as listening:
            for _ in range(random.randint(1, 200)):
                message = await listening.next()
                if message["event"] == "progress_update":
                    assert message["id"] == str(message["data"]["number"])
                    heard.append(message["data"]["number"])
                    if heard[-1] == 700:
                        break
    await publishing
    assert heard == list(range(1, 701))


async def test_much_that_was_missed_is_no_reason_to_be_called_slow(
    person: Make, owner: Owner, stack_env: dict[str, str]
) -> None:
    one = person()
    project = await make_project(one)
    publish(owner, project, 1, 190, more={"text": "x" * 100_000})  # more than may wait for a slow reader
    async with socket(stack_env, project["id"], one.token, last_id=0) as listening:
        await asyncio.sleep(1)
        assert await listening.numbers(190) == list(range(1, 191))


async def test_without_an_id_one_hears_what_is_new(person: Make, owner: Owner, stack_env: dict[str, str]) -> None:
    one = person()
    project = await make_project(one)
    publish(owner, project, 1, 5)
    async with socket(stack_env, project["id"], one.token) as listening:
        joined = await listening.next()
        assert (joined["data"]["lastId"], joined["id"]) == ("5", "5")
        publish(owner, project, 6, 8)  # with no notice: it is found all the same
        assert await listening.numbers(8) == [6, 7, 8]


@pytest.mark.parametrize(("last_id", "oldest", "rest"), [(3, "11", [11, 12]), (99, "13", [])])
async def test_an_id_that_the_log_does_not_follow_on_gets_one_gap_first(
    person: Make, owner: Owner, stack_env: dict[str, str], last_id: int, oldest: str, rest: list[int]
) -> None:
    one = person()
    project = await make_project(one)
    room = f"project:{project['id']}"
    publish(owner, project, 1, 12)
    owner.execute("delete from room_events where room = %s and id <= 10", (room,))
    owner.execute("update room_heads set trimmed_id = 10 where room = %s", (room,))
    async with socket(stack_env, project["id"], one.token, last_id=last_id) as listening:
        first, *told = await listening.until("joined")
        assert (first["event"], first["data"]) == ("gap", {"room": room, "oldestId": oldest})
        assert [message["data"]["number"] for message in told[:-1]] == rest
        publish(owner, project, 13, 14)
        assert await listening.numbers(14) == [13, 14]


async def test_a_log_that_was_forgotten_whole_is_a_gap(person: Make, owner: Owner, stack_env: dict[str, str]) -> None:
    one = person()
    project = await make_project(one)
    publish(owner, project, 1, 3)
    owner.execute("delete from room_events where room = %s", (f"project:{project['id']}",))
    async with socket(stack_env, project["id"], one.token, last_id=1) as listening:
        told = await listening.until("joined")
        assert [(message["event"], message["id"]) for message in told] == [("gap", "3"), ("joined", "3")]


async def test_many_in_a_room_hear_the_same(
    person: Make, owner: Owner, stack_env: dict[str, str], redis: Redis
) -> None:
    one = person()
    project = await make_project(one)

    async def hear() -> list[int]:
        async with socket(stack_env, project["id"], one.token) as listening:
            await listening.until("joined")
            await ready.wait()
            return await listening.numbers(60)

    ready = asyncio.Barrier(21)
    hearing = [asyncio.create_task(hear()) for _ in range(20)]
    await ready.wait()
    await asyncio.to_thread(publish, owner, project, 1, 60, tell=redis)
    assert await asyncio.gather(*hearing) == [list(range(1, 61))] * 20


@pytest.mark.parametrize("bad", ["x", "-1", "1.5", "9" * 30, "%C2%B2"])
async def test_an_id_that_is_none_is_refused(person: Make, stack_env: dict[str, str], bad: str) -> None:
    one = person()
    project = await make_project(one)
    code, reason = await close_of(stack_env, project["id"], one.token, last_id=bad)
    assert (code, "lastId" in reason) == (4400, True)


async def test_a_handshake_is_refused_with_its_reason(person: Make, shared: Shared, stack_env: dict[str, str]) -> None:
    one = person()
    project = await make_project(one)
    old = shared.issuer.token(one.id, one.organization_id, exp=int(time.time()) - 600)
    for token in (None, "", "nonsense", old):
        code, reason = await close_of(stack_env, project["id"], token)
        assert code == 4001
        assert reason


async def test_a_room_is_closed_to_strangers_and_unknown_ones_alike(
    person: Make, shared: Shared, owner: Owner, stack_env: dict[str, str]
) -> None:
    boss, other = person(), person()
    colleague = hire(owner, shared, boss, person())
    private = await make_project(boss, privacy="private")
    refused = {
        await close_of(stack_env, private["id"], other.token),
        await close_of(stack_env, private["id"], colleague.token),
        await close_of(stack_env, stranger(), boss.token),
        await close_of(stack_env, "no-uuid", boss.token),
    }
    assert len(refused) == 1
    assert refused.pop()[0] == 4004
    join(owner, private, colleague, "viewer")
    async with socket(stack_env, private["id"].upper(), colleague.token) as listening:
        assert (await listening.next())["event"] == "joined"


async def private_project(person: Make, shared: Shared, owner: Owner) -> tuple[dict[str, Any], Person]:
    """A private project, and a colleague of its maker's who is a viewer there."""
    boss = person()
    colleague = hire(owner, shared, boss, person())
    project = await make_project(boss, privacy="private")
    join(owner, project, colleague, "viewer")
    return project, colleague


async def _removed(one: Person, project: dict[str, Any], owner: Owner) -> None:
    owner.execute("delete from project_members where project_id = %s and user_id = %s", (project["id"], one.id))


async def _gone(one: Person, project: dict[str, Any], owner: Owner) -> None:
    owner.execute("delete from projects where id = %s", (project["id"],))


async def _out_of_organization(one: Person, project: dict[str, Any], owner: Owner) -> None:
    owner.execute("delete from memberships where user_id = %s and organization_id = %s", (one.id, one.organization_id))


@pytest.mark.parametrize("happens", [_removed, _gone, _out_of_organization])
async def test_whoever_may_not_see_it_any_more_leaves_at_once(
    person: Make, shared: Shared, owner: Owner, stack_env: dict[str, str], happens: Callable[..., Any]
) -> None:
    project, colleague = await private_project(person, shared, owner)
    async with socket(stack_env, project["id"], colleague.token) as listening:
        await listening.until("joined")
        await happens(colleague, project, owner)
        began = time.monotonic()
        assert (await listening.closed())[0] == 4004
        assert time.monotonic() - began < 4


async def test_what_happens_after_a_removal_is_not_heard(
    person: Make, shared: Shared, owner: Owner, stack_env: dict[str, str], redis: Redis
) -> None:
    project, colleague = await private_project(person, shared, owner)
    async with socket(stack_env, project["id"], colleague.token) as listening:
        await listening.until("joined")
        await _removed(colleague, project, owner)
        await asyncio.to_thread(publish, owner, project, 1, 1, tell=redis)
        assert (await listening.closed())[0] == 4004
        assert listening.rest == []


async def test_an_ended_session_leaves(person: Make, shared: Shared, owner: Owner, stack_env: dict[str, str]) -> None:
    one = person()
    project = await make_project(one)
    token = shared.issuer.token(one.id, one.organization_id, sid="a-session")
    async with socket(stack_env, project["id"], token) as listening:
        await listening.until("joined")
        owner.execute("select kijko.end_session('a-session', %s, 600)", (one.id,))
        assert (await listening.closed())[0] == 4001
    assert (await close_of(stack_env, project["id"], token))[0] == 4001


async def test_a_slow_reader_is_let_go_and_holds_up_nobody(
    person: Make, owner: Owner, stack_env: dict[str, str], redis: Redis
) -> None:
    one = person()
    project = await make_project(one)
    filling = {"text": "x" * 20_000}
    async with socket(stack_env, project["id"], one.token) as slow, socket(stack_env, project["id"], one.token) as good:
        await slow.until("joined")
        await good.until("joined")
        hearing = asyncio.create_task(good.numbers(1500))
        await asyncio.to_thread(publish, owner, project, 1, 1500, tell=redis, more=filling)  # `slow` reads nothing
        assert await hearing == list(range(1, 1501))
        code, reason = await slow.closed()
        assert (code, "slowly" in reason) == (4008, True)
