"""One organization's day with three providers of which each goes wrong in every way: followed, cancelled, paid for."""

import asyncio
import uuid
from collections.abc import Callable

import pytest

from tests.conftest import Person
from tests.executions import providers
from tests.executions.providers import Owner
from tests.executions.test_stream import Listener, text_of

Make = Callable[..., Person]
# What is said to the model; how the run ends, after how many attempts, and whether a model worked for it.
_DAY = {
    "[slow 5 0.1]": ("completed", None, 1, True),
    "[429 after 1 once]": ("completed", None, 2, True),
    "[529 once]": ("completed", None, 2, True),
    "[cut once]": ("completed", None, 2, True),
    "[stall once]": ("completed", None, 2, True),
    "[no usage]": ("completed", None, 1, True),
    "[wrong usage]": ("completed", None, 1, True),
    "[529]": ("failed", "PROVIDER_OVERLOADED", 3, False),
    "[401]": ("failed", "PROVIDER_AUTH", 1, False),
    "[too long]": ("failed", "CONTEXT_TOO_LONG", 1, False),
    "[refuse]": ("failed", "CONTENT_REFUSED", 1, True),
    "[slow 200 0.1]": ("cancelled", "CANCELLED", 1, True),
}


@pytest.mark.parametrize("model", sorted(providers.MODELS.values()))
async def test_a_day_adds_up_to_the_cent(person: Make, owner: Owner, model: str) -> None:
    one = person(plan="teams")
    skill = await providers.skill_on(one, model)
    runs = {said: await providers.start(one, skill, f"{uuid.uuid4()} {said}") for said in _DAY}
    following = {said: Listener(one, execution_id) for said, execution_id in runs.items()}
    await following["[slow 200 0.1]"].has(2)
    assert (await one.http.post(f"/executions/{runs['[slow 200 0.1]']}/cancel")).status_code == 200
    await asyncio.wait_for(asyncio.gather(*(each.task for each in following.values())), 60)
    for said, expected in _DAY.items():
        done = following[said].events[-1][2]
        assert (done["status"], done["errorCode"], done["attempts"]) == expected[:3], said
        restarts = [place for place, (_, event, _) in enumerate(following[said].events) if event == "restart"]
        if done["status"] == "completed":
            assert text_of(following[said].events[restarts[-1] if restarts else 0 :]) == done["output"], said
        else:
            assert done["errorMessage"].endswith("."), said
    await _settled(owner, runs["[slow 200 0.1]"])
    for said, execution_id in runs.items():
        tokens, cost = providers.adds_up(owner, execution_id)
        kept = providers.entries(owner, execution_id)
        assert (bool(tokens), bool(cost), "release" not in kept) == (_DAY[said][3],) * 3, said
    total = owner.execute(
        "select (select sum(cost_cents) from executions where organization_id = %(id)s), "
        "(select sum(cost_cents) from execution_attempts where organization_id = %(id)s), "
        "(select sum(cost_cents) from usage_ledger where organization_id = %(id)s), "
        "(select sum(quantity) from usage_ledger where organization_id = %(id)s and metric = 'oracle_queries')",
        {"id": one.organization_id},
    ).fetchone()
    assert total is not None
    assert total[0] == total[1] == total[2] > 0
    assert total[3] == sum(worked for *_, worked in _DAY.values())


async def _settled(owner: Owner, execution_id: str) -> None:
    for _ in range(50):
        if "settle" in providers.entries(owner, execution_id):
            return
        await asyncio.sleep(0.1)
