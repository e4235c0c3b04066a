"""Many organizations on one worker: each in its turn, as many at once as its plan allows, and nobody stops the rest."""

import asyncio
import time
import uuid
from collections.abc import Callable
from typing import Any

import psycopg

from tests.conftest import Person
from tests.executions.test_http import ended, execute
from tests.skills.test_http import make_skill

PersonFactory = Callable[..., Person]
Owner = psycopg.Connection[Any]


def by_status(owner: Owner, one: Person) -> dict[str, int]:
    rows = owner.execute(
        "select status, count(*) from executions where organization_id = %s group by status", (one.organization_id,)
    )
    return dict(rows.fetchall())


async def queue(one: Person, skill: dict[str, object], many: int, text: str) -> list[str]:
    answers = await asyncio.gather(*(execute(one, skill, wait=0, input={"text": text}) for _ in range(many)))
    return [answer["executionId"] for answer in answers]


async def test_no_more_run_at_once_than_the_plan_allows_and_the_rest_wait(person: PersonFactory, owner: Owner) -> None:
    one = person(plan="free")
    skill = await make_skill(one)
    ids = await queue(one, skill, 5, "sleep:2 x")
    most, seen = 0, set()
    deadline = time.monotonic() + 60
    while by_status(owner, one).get("completed", 0) < 5 and time.monotonic() < deadline:
        now = by_status(owner, one)
        most = max(most, now.get("running", 0))
        seen.add(now.get("pending", 0) > 0)
        await asyncio.sleep(0.1)
    assert most == 2
    assert seen == {True, False}
    assert [(await ended(one, each))["attempts"] for each in ids] == [1] * 5


async def test_who_queues_many_does_not_delay_who_queues_one(person: PersonFactory, owner: Owner) -> None:
    many, single = person(plan="teams"), person(plan="free")
    hers, his = await make_skill(many), await make_skill(single)
    await queue(many, hers, 500, "sleep:4 x")
    before = by_status(owner, many)
    assert before["pending"] > 0
    done = await execute(single, his, input={"text": "one"})
    assert done["status"] == "completed"
    assert by_status(owner, many).get("completed", 0) - before.get("completed", 0) < 60


async def test_large_results_of_one_organization_hold_up_nobody(person: PersonFactory) -> None:
    large, other = person(plan="pro"), person()
    skill = await make_skill(large, promptTemplate="{{w}}" + "{{x}}" * 15)
    plain = await make_skill(other)
    given = {"w": "sleep:1 .", "x": "\U0001f600" * 250_000}
    ids = [(await execute(large, skill, wait=0, input=given))["executionId"] for _ in range(8)]
    for _ in range(10):
        # Within the time that it is waited for.
        assert (await execute(other, plain, input={"text": "x"}))["status"] == "completed"
        await asyncio.sleep(0.3)
    for each in ids:
        read = await ended(large, each)
        assert (read["status"], read["attempts"]) == ("completed", 1), read["errorMessage"]
        assert len(read["output"]) > 3_750_000


async def test_a_run_that_is_lost_for_good_is_accounted_for_and_given_back(person: PersonFactory, owner: Owner) -> None:
    one = person(plan="pro")
    skill = await make_skill(one)
    (lost,) = await queue(one, skill, 1, "sleep:50 x")
    for _ in range(300):
        if by_status(owner, one).get("running") == 1:
            break
        await asyncio.sleep(0.1)
    # As if its third worker had died some time ago.
    owner.execute(
        "update executions set attempts = 3, lease_owner = %s, lease_expires_at = now() - interval '1 s' where id = %s",
        (uuid.uuid4(), lost),
    )
    read = await ended(one, lost)
    assert (read["status"], read["errorCode"]) == ("failed", "WORKER_LOST")
    entries = owner.execute(
        "select entry, quantity, outcome from usage_ledger where subject_id = %s order by id", (lost,)
    ).fetchall()
    assert [(entry, int(quantity), outcome) for entry, quantity, outcome in entries] == [
        ("reserve", 1, None),
        ("settle", 0, "failed"),
        ("release", -1, None),
    ]
    assert (await one.http.get(f"/skills/{skill['id']}")).json()["executionCount"] == 1
