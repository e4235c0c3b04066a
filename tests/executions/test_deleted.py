"""Runs that are deleted with their skill: their calls are dropped, and their quota is given back where no model ran."""

import asyncio
import time
import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.conftest import Person, Shared
from tests.executions import providers
from tests.executions.providers import Owner
from tests.postgres import become, claims_of
from tests.projects.making import make_project
from tests.search.conftest import Indexed
from tests.search.test_vectors import CARS, done
from tests.skills.test_http import make_skill

Make = Callable[..., Person]


def used(owner: Owner, one: Person) -> int:
    """Oracle queries that are counted today."""
    row = owner.execute(
        "select used::int from kijko.usage_of(%s) where metric = 'oracle_queries'", (one.organization_id,)
    ).fetchone()
    assert row is not None
    found: int = row[0]
    return found


async def becomes(owner: Owner, one: Person, wanted: int, *, seconds: float = 15) -> None:
    """Returns when so many are counted."""
    deadline = time.monotonic() + seconds
    while used(owner, one) != wanted:
        assert time.monotonic() < deadline, f"{used(owner, one)} and not {wanted}"
        await asyncio.sleep(0.05)


def entries(owner: Owner, execution_id: str) -> list[str]:
    """The kinds of the ledger's entries of a run, each as often as it is there."""
    found = owner.execute("select entry from usage_ledger where subject_id = %s order by entry", (execution_id,))
    return [row[0] for row in found]


def is_open(owner: Owner, execution_id: str) -> bool:
    found = owner.execute("select from open_reservations where subject_id = %s", (execution_id,)).fetchone()
    return found is not None


async def delete(one: Person, skill: dict[str, Any], *, many: bool = False) -> None:
    if many:
        answer = await one.http.request("DELETE", "/skills/bulk", json={"skillIds": [skill["id"]]})
    else:
        answer = await one.http.delete(f"/skills/{skill['id']}")
    assert answer.status_code == 200, answer.text


async def test_one_that_is_asked_for_while_its_skill_is_deleted_gives_its_quota_back(
    person: Make, owner: Owner, stack_env: dict[str, str]
) -> None:
    """The deletion has looked for what waits; the run is committed before the skill goes."""
    one = person(plan="free")
    skill = await make_skill(one, promptTemplate="{{text}}")
    execution_id = str(uuid.uuid4())
    with psycopg.connect(stack_env["KIJKO_DATABASE_URL"]) as asking:
        become(asking, claims_of(one.id), one.organization_id)
        asking.execute(
            "select kijko.request_execution(%s, %s, 1, 'manual', null, '{\"text\": \"x\"}', null, 'echo', null)",
            (execution_id, skill["id"]),
        )
        deleting = asyncio.create_task(delete(one, skill))
        for _ in range(100):
            waits = owner.execute(
                "select from pg_stat_activity where %s = any (pg_blocking_pids(pid))", (asking.info.backend_pid,)
            ).fetchone()
            if waits is not None:
                break
            await asyncio.sleep(0.05)
        assert waits is not None
        asking.commit()
    await deleting
    await becomes(owner, one, 0)
    owner.execute("select kijko.close_reservations(100)")
    assert entries(owner, execution_id) == ["release", "reserve", "settle"]
    assert not is_open(owner, execution_id)


async def test_one_that_is_held_before_its_model_is_asked_gives_its_quota_back(
    person: Make, indexed: Indexed, owner: Owner
) -> None:
    one = person(plan="free")
    project = await make_project(one, settings={"outputFormat": "vector"})
    await indexed(one, project).ingest(CARS)
    await done(owner, project)
    context = {"projectId": project["id"], "query": "what is slow to understand [hang]"}
    skill = await make_skill(one, promptTemplate="{{context}} {{text}}", context=context)
    execution_id = await providers.start(one, skill, "x")
    await providers.until(owner, execution_id, "running")  # and waits for the question's vector
    await delete(one, skill)
    assert used(owner, one) == 1
    await becomes(owner, one, 0, seconds=2)  # by its worker's word: the lease has 20 s and more
    assert entries(owner, execution_id) == ["release", "reserve", "settle"]
    assert not is_open(owner, execution_id)


@pytest.mark.parametrize("status", ["running", "cancelled"])
async def test_one_that_a_dead_worker_held_gives_its_quota_back_when_the_lease_is_over(
    person: Make, owner: Owner, status: str
) -> None:
    one = person(plan="free")
    skill = await make_skill(one, promptTemplate="{{text}}")
    execution_id, dead, other = str(uuid.uuid4()), uuid.uuid4(), uuid.uuid4()
    owner.execute(
        "select kijko.reserve_for(%s, 'oracle_queries', 1, %s, %s)", (one.organization_id, execution_id, one.id)
    )
    owner.execute(
        "insert into executions (id, organization_id, skill_id, skill_version, user_id, status, model, attempts, "
        "lease_owner, lease_expires_at, completed_at) "
        "values (%s, %s, %s, 1, %s, %s, 'echo', 1, %s, now() + interval '3 s', %s)",
        (
            execution_id,
            one.organization_id,
            skill["id"],
            one.id,
            status,
            dead,
            "now" if status == "cancelled" else None,
        ),
    )
    await delete(one, skill)
    said = owner.execute("select kijko.close_deleted(%s, %s, false)", (execution_id, other)).fetchone()
    assert said == (False,)  # not by one that held it before
    assert used(owner, one) == 1
    await becomes(owner, one, 0)
    for ran in (False, True):  # what the dead one says, should it live after all, comes too late
        said = owner.execute("select kijko.close_deleted(%s, %s, %s)", (execution_id, dead, ran)).fetchone()
        assert said == (False,)
    assert entries(owner, execution_id) == ["release", "reserve", "settle"]


async def test_one_whose_model_has_worked_counts(person: Make, shared: Shared, owner: Owner) -> None:
    one = person(plan="free")
    skill = await providers.skill_on(one, "claude-sonnet-5")
    prompt, cut = f"{uuid.uuid4()} [slow 100 0.1]", f"{uuid.uuid4()} [cut]"
    running, waiting = [await providers.start(one, skill, each) for each in (prompt, cut)]
    await providers.asked(shared, prompt)
    for _ in range(400):
        if providers.attempts(owner, waiting):
            break
        await asyncio.sleep(0.05)
    await delete(one, skill)
    assert await providers.hung_up(shared, prompt) is not None
    for _ in range(100):
        if not is_open(owner, running):
            break
        await asyncio.sleep(0.05)
    assert not is_open(owner, running)
    assert not is_open(owner, waiting)
    assert (entries(owner, running), entries(owner, waiting)) == (["reserve", "settle"], ["reserve", "settle"])
    assert used(owner, one) == 2


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("said", ["[slow 100 0.1]", "[hang]"])
async def test_the_call_of_one_that_runs_is_dropped_within_a_second_and_what_it_used_is_kept(
    person: Make, shared: Shared, owner: Owner, said: str, many: bool
) -> None:
    one = person()
    prompt = f"{uuid.uuid4()} {said}"
    skill = await providers.skill_on(one, "claude-sonnet-5")
    await providers.start(one, skill, prompt)
    await providers.asked(shared, prompt)
    await asyncio.sleep(0.3)
    await delete(one, skill, many=many)
    asked = time.time()
    closed = await providers.hung_up(shared, prompt)
    assert closed is not None
    assert closed - asked < 1
    for _ in range(50):
        costs = owner.execute(
            "select cost_cents > 0, outcome from usage_ledger where organization_id = %s and cost_cents is not null",
            (one.organization_id,),
        ).fetchall()
        if costs:
            break
        await asyncio.sleep(0.1)
    assert costs == [(True, "cancelled")]


async def test_deleting_while_runs_come_and_go_counts_those_whose_model_was_asked_and_no_other(
    person: Make, owner: Owner
) -> None:
    """Wherever the deletion comes: before the claim, after it, before or after the end."""
    one = person(plan="pro")
    ids: list[str] = []

    async def race(number: int) -> None:
        skill = await providers.skill_on(one, "claude-sonnet-5")
        texts = [f"{uuid.uuid4()} {'[401]' if number % 2 else '[429 after 9]'}" for _ in range(4)]
        started = asyncio.gather(*(providers.start(one, skill, text) for text in texts), return_exceptions=True)
        await asyncio.sleep((number % 8) * 0.03)
        await delete(one, skill)
        ids.extend(each for each in await started if isinstance(each, str))

    await asyncio.gather(*(race(number) for number in range(16)))
    assert ids
    for _ in range(450):
        if not any(is_open(owner, each) for each in ids):
            break
        await asyncio.sleep(0.1)
    asked = 0
    for execution_id in ids:
        # A call that was dropped before its refusal came may have been at work, and is told by itself.
        told = entries(owner, str(uuid.uuid5(uuid.UUID(execution_id), "1")))
        assert entries(owner, execution_id).count("release") == 1 - len(told), execution_id
        asked += len(told)
    assert asked < len(ids)
    assert used(owner, one) == asked
