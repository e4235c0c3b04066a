"""Cancelling: a run ends at once, its call is dropped at the provider, and nothing overwrites it."""

import asyncio
import time
import uuid
from collections.abc import Callable

import pytest

from tests.conftest import Person, Shared
from tests.executions import providers
from tests.executions.providers import Owner
from tests.executions.test_http import ended
from tests.projects.making import hire
from tests.skills.test_http import make_skill

Make = Callable[..., Person]


async def cancel(one: Person, execution_id: str) -> tuple[int, dict[str, object]]:
    answer = await one.http.post(f"/executions/{execution_id}/cancel")
    return answer.status_code, answer.json()


@pytest.mark.parametrize("model", sorted(providers.MODELS.values()))
@pytest.mark.parametrize("said", ["[slow 100 0.1]", "[hang]", "[stall]"])
async def test_the_call_of_a_running_one_is_dropped_within_a_second_and_what_it_used_is_kept(
    person: Make, shared: Shared, owner: Owner, model: str, said: str
) -> None:
    one = person()
    prompt = f"{uuid.uuid4()} {said}"
    execution_id = await providers.start(one, await providers.skill_on(one, model), prompt)
    await providers.asked(shared, prompt)
    await asyncio.sleep(0.3)
    assert await cancel(one, execution_id) == (200, {"success": True})
    asked = time.time()
    read = (await one.http.get(f"/executions/{execution_id}")).json()
    assert (read["status"], read["errorCode"], read["output"]) == ("cancelled", "CANCELLED", None)
    assert read["completedAt"] is not None
    closed = await providers.hung_up(shared, prompt)
    assert closed is not None
    assert closed - asked < 1
    for _ in range(50):
        if "settle" in providers.entries(owner, execution_id):
            break
        await asyncio.sleep(0.1)
    tokens, cost = providers.adds_up(owner, execution_id)
    assert tokens
    assert cost
    (attempt,) = providers.attempts(owner, execution_id)
    assert (attempt["status"], attempt["error_code"], attempt["estimated"]) == ("cancelled", "CANCELLED", True)
    settled = providers.entries(owner, execution_id)
    assert (settled["settle"]["outcome"], "release" in settled) == ("cancelled", False)  # the model worked


async def test_a_pending_one_ends_at_once_and_gives_its_quota_back(person: Make, owner: Owner) -> None:
    one = person(plan="free")
    skill = await make_skill(one, promptTemplate="{{text}}")
    ids = [await providers.start(one, skill, "sleep:3 x") for _ in range(3)]
    await providers.until(owner, ids[0], "running")
    await providers.until(owner, ids[1], "running")
    assert (await cancel(one, ids[2]))[0] == 200
    kept = providers.entries(owner, ids[2])
    assert (kept["reserve"]["quantity"], kept["release"]["quantity"]) == (1, -1)
    assert (kept["settle"]["outcome"], kept["settle"]["cost_cents"]) == ("cancelled", None)
    assert (await ended(one, ids[2]))["attempts"] == 0
    assert providers.attempts(owner, ids[2]) == []
    for each in ids[:2]:
        assert (await ended(one, each))["status"] == "completed"
    used = owner.execute(
        "select used from usage_counters where organization_id = %s and metric = 'oracle_queries'",
        (one.organization_id,),
    ).fetchone()
    assert used == (2,)
    assert (await one.http.get(f"/skills/{skill['id']}")).json()["executionCount"] == 3


async def test_a_cancelled_one_makes_room_for_the_next_at_once(person: Make, owner: Owner) -> None:
    one = person(plan="free")
    skill = await make_skill(one, promptTemplate="{{text}}")
    ids = [await providers.start(one, skill, "sleep:30 x") for _ in range(2)]
    for each in ids:
        await providers.until(owner, each, "running")
    waiting = await providers.start(one, skill, "soon")
    await cancel(one, ids[0])
    began = time.monotonic()
    assert (await ended(one, waiting))["status"] == "completed"
    assert time.monotonic() - began < 5
    await cancel(one, ids[1])


@pytest.mark.parametrize("text", ["x", "fail: x"])
async def test_one_that_has_ended_cannot_be_cancelled(person: Make, text: str) -> None:
    one = person()
    execution_id = await providers.start(one, await make_skill(one, promptTemplate="{{text}}"), text)
    before = await ended(one, execution_id)
    status, told = await cancel(one, execution_id)
    assert (status, told["code"]) == (409, "CANNOT_CANCEL")
    assert await ended(one, execution_id) == before


async def test_who_may(person: Make, shared: Shared, owner: Owner) -> None:
    boss, stranger = person(), person()
    member, other = hire(owner, shared, boss, person()), hire(owner, shared, boss, person())
    skill = await make_skill(member, promptTemplate="{{text}}")
    first, second = [await providers.start(member, skill, "sleep:30 x") for _ in range(2)]
    assert (await cancel(stranger, first))[1]["code"] == "EXECUTION_NOT_FOUND"
    assert (await cancel(stranger, str(uuid.uuid4())))[0] == 404
    status, told = await cancel(other, first)
    assert (status, told["code"]) == (403, "FORBIDDEN")
    assert "Only who ran it" in str(told["detail"])
    assert (await cancel(member, first))[0] == 200
    assert (await cancel(boss, second))[0] == 200
    assert "managers" in (await ended(member, second))["errorMessage"]


async def test_of_two_that_cancel_at_once_one_does(person: Make, owner: Owner) -> None:
    one = person()
    execution_id = await providers.start(one, await make_skill(one, promptTemplate="{{text}}"), "sleep:30 x")
    await providers.until(owner, execution_id, "running")
    answers = await asyncio.gather(*(cancel(one, execution_id) for _ in range(8)))
    assert sorted(status for status, _ in answers) == [200, *[409] * 7]


async def test_whoever_races_a_cancellation_each_run_has_one_end(person: Make, owner: Owner) -> None:
    """Against claims, results, retries: wherever it comes, what was told stands, and the ledger has one settlement."""
    one = person(plan="enterprise")
    echo = await make_skill(one, promptTemplate="{{text}}")
    claude = await providers.skill_on(one, "claude-sonnet-5")
    told: dict[str, int] = {}

    async def race(number: int) -> None:
        skill, text = (echo, f"sleep:0.{number % 4} x") if number % 3 else (claude, f"{uuid.uuid4()} [529]")
        execution_id = await providers.start(one, skill, text)
        await asyncio.sleep((number % 10) * 0.03)
        told[execution_id] = (await cancel(one, execution_id))[0]

    await asyncio.gather(*(race(number) for number in range(60)))
    for execution_id, status in told.items():
        read = await ended(one, execution_id)
        assert (status == 200) == (read["status"] == "cancelled"), (status, read)
    assert set(told.values()) == {200, 409}
    await asyncio.sleep(3)
    for execution_id, status in told.items():
        assert ((await ended(one, execution_id))["status"] == "cancelled") == (status == 200)
        assert set(providers.entries(owner, execution_id)) >= {"reserve", "settle"}
        if providers.attempts(owner, execution_id):
            providers.adds_up(owner, execution_id)


async def test_what_waits_for_another_attempt_is_cancelled_with_what_it_used(person: Make, owner: Owner) -> None:
    one = person()
    skill = await providers.skill_on(one, "claude-sonnet-5")
    execution_id = await providers.start(one, skill, f"{uuid.uuid4()} [cut]")
    for _ in range(200):
        if providers.attempts(owner, execution_id):
            break
        await asyncio.sleep(0.05)
    assert (await cancel(one, execution_id))[0] == 200
    tokens, cost = providers.adds_up(owner, execution_id)
    assert tokens
    assert cost
    assert set(providers.entries(owner, execution_id)) == {"reserve", "settle"}  # a model ran: the quota counts


async def test_a_cancelled_run_of_a_dead_worker_is_settled_by_the_sweeper(person: Make, owner: Owner) -> None:
    one = person()
    execution_id = await providers.start(one, await make_skill(one, promptTemplate="{{text}}"), "sleep:50 x")
    await providers.until(owner, execution_id, "running")
    # As if its worker had died some time ago, and a person cancelled it since.
    owner.execute(
        "update executions set status = 'cancelled', completed_at = now(), error_code = 'CANCELLED', lease_owner = %s, "
        "lease_expires_at = now() - interval '1 s' where id = %s",
        (uuid.uuid4(), execution_id),
    )
    for _ in range(100):
        if "settle" in providers.entries(owner, execution_id):
            break
        await asyncio.sleep(0.1)
    assert (await ended(one, execution_id))["status"] == "cancelled"
    assert providers.entries(owner, execution_id)["settle"]["outcome"] == "cancelled"
    assert [one["status"] for one in providers.attempts(owner, execution_id)] == ["cancelled"]
