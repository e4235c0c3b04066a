"""Socket.IO with its standard Python client: rooms are joined by who may see them; nothing is missed or told twice."""

import asyncio
import random
import time
from collections.abc import Callable, Iterator

import pytest
from redis import Redis

from tests.conftest import Person, Shared
from tests.projects.making import hire, join, make_project
from tests.realtime.making import Owner, publish, stranger
from tests.realtime.socketio import client, refusal

Make = Callable[..., Person]
TRANSPORTS = [["websocket"], ["polling"], ["polling", "websocket"]]


@pytest.fixture
def redis(stack_env: dict[str, str]) -> Iterator[Redis]:
    with Redis.from_url(stack_env["KIJKO_REDIS_URL"]) as found:
        yield found


@pytest.mark.parametrize("transports", TRANSPORTS)
async def test_what_happens_is_told_in_order_on_every_transport(
    person: Make, owner: Owner, stack_env: dict[str, str], redis: Redis, transports: list[str]
) -> None:
    one = person()
    project = await make_project(one)
    publish(owner, project, 1, 300)
    async with client(stack_env, one.token, transports=transports) as listening:
        own = await listening.next()
        assert own[0] == "joined"
        assert own[1] in [{"room": f"user:{one.id}", "lastId": told} for told in ("0", "1")]  # the project was made
        assert set(own[2]) == {"room", "id", "timestamp"}
        joined = await listening.join(project, last_id=0)
        assert joined == {"ok": True, "room": f"project:{project['id']}", "lastId": "300"}
        await asyncio.to_thread(publish, owner, project, 301, 420, tell=redis)
        assert await listening.numbers(420) == list(range(1, 421))
        assert listening.raw.transport() == transports[-1]


async def test_who_comes_back_again_and_again_gets_each_event_once(
    person: Make, owner: Owner, stack_env: dict[str, str], redis: Redis
) -> None:
    one = person()
    project = await make_project(one)
    publish(owner, project, 1, 250)
    publishing = asyncio.create_task(asyncio.to_thread(publish, owner, project, 251, 500, tell=redis))
    heard: list[int] = []
    while not heard or heard[-1] < 500:
        async with client(stack_env, one.token, transports=random.choice(TRANSPORTS)) as listening:
            await listening.next()
            asking = asyncio.create_task(listening.join(project, last_id=str(heard[-1] if heard else 0)))
            for _ in range(random.randint(1, 150)):
                event, data, _ = await listening.next()
                assert event == "progress_update"
                heard.append(data["number"])
                if heard[-1] == 500:
                    break
            asking.cancel()
    await publishing
    assert heard == list(range(1, 501))


async def test_an_id_that_the_log_does_not_follow_on_gets_one_gap_first(
    person: Make, owner: Owner, stack_env: dict[str, str]
) -> None:
    one = person()
    project = await make_project(one)
    room = f"project:{project['id']}"
    publish(owner, project, 1, 12)
    owner.execute("delete from room_events where room = %s and id <= 10", (room,))
    owner.execute("update room_heads set trimmed_id = 10 where room = %s", (room,))
    async with client(stack_env, one.token) as listening:
        await listening.next()
        assert (await listening.join(project, last_id="3"))["lastId"] == "12"
        event, data, about = await listening.next()
        assert (event, data, about["id"]) == ("gap", {"room": room, "oldestId": "11"}, "10")
        assert await listening.numbers(12) == [11, 12]


async def test_ones_own_room_goes_on_from_the_id_in_the_handshake(
    person: Make, owner: Owner, stack_env: dict[str, str]
) -> None:
    one = person()
    for number in (1, 2, 3):
        owner.execute(
            "select kijko.write_event(%s, %s, null, 'user:status', jsonb_build_object('number', %s::integer))",
            (f"user:{one.id}", one.organization_id, number),
        )
    async with client(stack_env, one.token, lastId="1") as listening:
        told = await listening.until("joined")
        assert [(event, about["id"]) for event, _, about in told] == [
            ("user:status", "2"),
            ("user:status", "3"),
            ("joined", "3"),
        ]


async def test_a_handshake_is_refused_with_its_reason(
    person: Make, shared: Shared, owner: Owner, stack_env: dict[str, str]
) -> None:
    one = person()
    old = shared.issuer.token(one.id, one.organization_id, exp=int(time.time()) - 600)
    ended = shared.issuer.token(one.id, one.organization_id, sid=f"over-{one.id}")
    owner.execute("select kijko.end_session(%s, %s, 600)", (f"over-{one.id}", one.id))
    for token in (None, "", "nonsense", old, ended):
        refused = await refusal(stack_env, token)
        assert refused["data"]["code"] == "UNAUTHENTICATED"
        assert refused["message"]
    refused = await refusal(stack_env, one.token, lastId="x")
    assert (refused["data"]["code"], "lastId" in refused["message"]) == ("VALIDATION_ERROR", True)


async def test_rooms_are_closed_to_strangers_and_unknown_ones_alike(
    person: Make, shared: Shared, owner: Owner, stack_env: dict[str, str]
) -> None:
    boss, other = person(), person()
    colleague = hire(owner, shared, boss, person())
    private = await make_project(boss, privacy="private")
    forbidden = [
        f"project:{private['id']}",
        f"project:{stranger()}",
        f"user:{boss.id}",
        f"organization:{other.organization_id}",
        "project:no-uuid",
        "",
        "constructor",
    ]
    async with client(stack_env, colleague.token) as listening:
        await listening.next()
        answers = [await listening.ask("join", room=room) for room in forbidden]
        assert {(answer["ok"], answer["code"]) for answer in answers} == {(False, "ROOM_NOT_FOUND")}
        assert len({answer["message"] for answer in answers}) == 1
        own = await listening.ask("join", room=f"organization:{boss.organization_id}")
        assert own["ok"] is True
        join(owner, private, colleague, "viewer")
        assert (await listening.join(private))["ok"] is True


async def test_a_room_that_was_left_is_not_heard(
    person: Make, owner: Owner, stack_env: dict[str, str], redis: Redis
) -> None:
    one = person()
    left, kept = await make_project(one), await make_project(one)
    async with client(stack_env, one.token) as listening:
        await listening.next()
        await listening.join(left)
        await listening.join(kept)
        assert (await listening.ask("leave", room=f"project:{left['id']}"))["ok"] is True
        await asyncio.to_thread(publish, owner, left, 1, 3, tell=redis)
        await asyncio.to_thread(publish, owner, kept, 1, 1, tell=redis)
        event, _, about = await listening.next()
        assert (event, about["room"]) == ("progress_update", f"project:{kept['id']}")
        await listening.join(left, last_id=1)
        assert [(await listening.next())[2]["id"] for _ in range(2)] == ["2", "3"]


async def test_a_member_who_is_removed_leaves_that_room_and_stays_in_others(
    person: Make, shared: Shared, owner: Owner, stack_env: dict[str, str], redis: Redis
) -> None:
    boss = person()
    colleague = hire(owner, shared, boss, person())
    private, public = await make_project(boss, privacy="private"), await make_project(boss)
    join(owner, private, colleague, "viewer")
    async with client(stack_env, colleague.token) as listening:
        await listening.next()
        assert (await listening.join(private))["ok"] is True
        join(owner, public, colleague, "viewer")
        assert (await listening.join(public))["ok"] is True
        owner.execute(
            "delete from project_members where project_id = %s and user_id = %s", (private["id"], colleague.id)
        )
        await asyncio.to_thread(publish, owner, private, 1, 1, tell=redis)
        event, data, _ = await listening.next()
        assert (event, data["room"], data["code"]) == ("left", f"project:{private['id']}", "ROOM_NOT_FOUND")
        await asyncio.to_thread(publish, owner, public, 1, 1, tell=redis)
        assert await listening.numbers(1) == [1]


@pytest.mark.parametrize("transports", TRANSPORTS[:2])
async def test_an_ended_session_is_told_and_disconnected(
    person: Make, shared: Shared, owner: Owner, stack_env: dict[str, str], transports: list[str]
) -> None:
    one = person()
    token = shared.issuer.token(one.id, one.organization_id, sid=f"s-{one.id}")
    async with client(stack_env, token, transports=transports) as listening:
        await listening.next()
        owner.execute("select kijko.end_session(%s, %s, 600)", (f"s-{one.id}", one.id))
        event, data, _ = await listening.next()
        assert (event, data["code"]) == ("closed", "UNAUTHENTICATED")
        await listening.ended()


@pytest.mark.parametrize("transports", TRANSPORTS[:2])
async def test_a_token_is_announced_renewed_and_ends(
    person: Make, shared: Shared, stack_env: dict[str, str], transports: list[str]
) -> None:
    one, other = person(), person()

    def token(seconds: int, whose: Person = one) -> str:
        return shared.issuer.token(whose.id, whose.organization_id, sid="t", exp=int(time.time()) + seconds)

    async with client(stack_env, token(5), transports=transports) as listening:
        assert [event for event, _, _ in await listening.until("token:expiring")] == ["joined", "token:expiring"]
        assert (await listening.ask("token:refresh", token=token(600, other)))["ok"] is False
        assert (await listening.ask("token:refresh", token=token(6)))["ok"] is True
        assert [event for event, _, _ in await listening.until("token:expired")] == ["token:expiring", "token:expired"]
        await listening.ended()
