"""Attempts: which failures are tried again and when, what is kept of each, and what all of them cost together."""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

import pytest

from kijko.clients import llm
from kijko.core.tenancy import Tenants
from kijko.services.executions.room import Room
from kijko.services.executions.run import Again, Attempt, Ended, Limits, With
from kijko.services.executions.work_queries import Claimed
from kijko.services.search import Questions
from kijko.settings import Models
from tests.conftest import Person, Shared
from tests.executions import providers
from tests.executions.providers import Owner
from tests.executions.test_http import ended

Make = Callable[..., Person]


async def run(one: Person, model: str, text: str) -> dict[str, Any]:
    """Runs it to its end; the execution as it is read."""
    skill = await providers.skill_on(one, model)
    return await ended(one, await providers.start(one, skill, f"{uuid.uuid4()} {text}"))


@pytest.mark.parametrize("model", sorted(providers.MODELS.values()))
@pytest.mark.parametrize("said", ["[cut once]", "[stall once]", "[error once]", "[garbage once]"])
async def test_what_an_attempt_used_that_broke_off_is_paid_for_and_the_quota_counts_once(
    person: Make, owner: Owner, model: str, said: str
) -> None:
    one = person()
    done = await run(one, model, f"some text {said}")
    assert (done["status"], done["attempts"], done["errorCode"]) == ("completed", 2, None)
    first, second = providers.attempts(owner, done["id"])
    assert [(each["attempt"], each["status"], each["estimated"]) for each in (first, second)] == [
        (1, "failed", True),
        (2, "completed", False),
    ]
    assert first["error_code"] == ("TIMEOUT" if "stall" in said else "PROVIDER_OVERLOADED")
    assert first["error_message"].endswith(".")
    assert first["cost_cents"] > 0
    assert (first["model"], first["worker_id"] is not None) == (model, True)
    assert first["started_at"] < first["ended_at"] < second["started_at"] < second["ended_at"]
    tokens, cost = providers.adds_up(owner, done["id"])
    assert (tokens, cost) == (done["tokensUsed"], first["cost_cents"] + second["cost_cents"])
    assert Decimal(str(done["costCents"])) == cost
    kept = providers.entries(owner, done["id"])
    assert set(kept) == {"reserve", "settle"}
    assert kept["reserve"]["quantity"] + kept["settle"]["quantity"] == 1


@pytest.mark.parametrize("model", sorted(providers.MODELS.values()))
async def test_a_provider_that_says_when_to_come_back_is_heeded(person: Make, owner: Owner, model: str) -> None:
    done = await run(person(), model, "[429 after 6 once]")
    assert (done["status"], done["attempts"]) == ("completed", 2)
    first, second = providers.attempts(owner, done["id"])
    assert (first["error_code"], first["prompt_tokens"]) == ("PROVIDER_RATE_LIMITED", None)
    assert second["started_at"] - first["ended_at"] >= timedelta(seconds=5.9)


@pytest.mark.parametrize(
    ("said", "code", "attempts", "model_ran"),
    [
        ("[429]", "PROVIDER_RATE_LIMITED", 3, False),
        ("[529]", "PROVIDER_OVERLOADED", 3, False),
        ("[cut]", "PROVIDER_OVERLOADED", 3, True),
        ("[hang]", "TIMEOUT", 3, True),
        ("[401]", "PROVIDER_AUTH", 1, False),
        ("[403]", "PROVIDER_AUTH", 1, False),
        ("[400]", "INTERNAL", 1, False),
        ("[too long]", "CONTEXT_TOO_LONG", 1, False),
        ("[refuse]", "CONTENT_REFUSED", 1, True),
    ],
)
async def test_each_class_of_failure_ends_with_its_code_a_sentence_and_its_quota(
    person: Make, owner: Owner, said: str, code: str, attempts: int, model_ran: bool
) -> None:
    done = await asyncio.wait_for(run(person(), "claude-sonnet-5", said), 60)
    assert (done["status"], done["errorCode"], done["attempts"]) == ("failed", code, attempts)
    assert done["errorMessage"].endswith(".")
    assert done["output"] is None
    assert len(providers.attempts(owner, done["id"])) == attempts
    tokens, cost = providers.adds_up(owner, done["id"])
    assert ((tokens or 0) > 0, (cost or 0) > 0) == (model_ran, model_ran)
    assert ("release" in providers.entries(owner, done["id"])) == (not model_ran)


async def test_what_waits_for_another_attempt_takes_no_place_of_those_at_once(person: Make, owner: Owner) -> None:
    one = person(plan="free")
    skill = await providers.skill_on(one, "claude-sonnet-5")
    waiting = [await providers.start(one, skill, f"{uuid.uuid4()} [429 after 20 once]") for _ in range(2)]
    for each in waiting:
        await asyncio.wait_for(_has_attempt(owner, each), 20)
    assert (await asyncio.wait_for(run(one, "echo", "x"), 10))["status"] == "completed"
    for each in waiting:
        assert (await one.http.post(f"/executions/{each}/cancel")).status_code == 200


async def _has_attempt(owner: Owner, execution_id: str) -> None:
    for _ in range(400):
        if providers.attempts(owner, execution_id):
            return
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("said", ["[slow 20 0.1]", "[stall]"])
async def test_what_was_used_is_kept_where_a_run_is_deleted_before_its_end(
    person: Make, shared: Shared, owner: Owner, said: str
) -> None:
    one = person()
    skill = await providers.skill_on(one, "claude-sonnet-5")
    again, running = f"{uuid.uuid4()} [cut]", f"{uuid.uuid4()} {said}"
    waiting = await providers.start(one, skill, again)
    await providers.start(one, skill, running)
    await _has_attempt(owner, waiting)
    await providers.asked(shared, running)
    owner.execute("delete from skills where id = %s", (skill["id"],))
    kept = providers.entries(owner, waiting)["settle"]
    assert kept["cost_cents"] > 0
    costs: list[Any] = []
    for _ in range(150):  # until its end, its deadline, or until its worker finds it gone
        costs = owner.execute(
            "select cost_cents > 0, outcome from usage_ledger where organization_id = %s and cost_cents is not null",
            (one.organization_id,),
        ).fetchall()
        if len(costs) > 1:
            break
        await asyncio.sleep(0.1)
    assert costs == [(True, "cancelled"), (True, "cancelled")]


def claimed(model: str, text: str, *, since_s: float) -> Claimed:
    return Claimed(
        id=uuid.uuid4(),
        organization_id=uuid.uuid4(),
        user_id=uuid.uuid4(),
        input={"text": text},
        context=None,
        model=model,
        prompt_template="{{text}}",
        parameters={},
        attempts=1,
        request_id=None,
        model_ran=False,
        claims=1,
        since_s=since_s,
        has_own_keys=False,
    )


@pytest.fixture
async def given(shared: Shared, tenants: Tenants) -> With:
    models = llm.Models(
        Models.model_validate(
            {"anthropic_api_key": "k", "anthropic_base_url": shared.models_url, "timeout_s": 30},
        )
    )
    # No context is read here, so the search is not asked.
    return With(uuid.uuid4(), models, tenants, cast(Questions, None), Room(10_000), Limits(3, call_s=30, run_s=60))


async def test_all_attempts_together_have_a_deadline_too(given: With) -> None:
    late = await Attempt(claimed("echo", "sleep:9 x", since_s=59.5), llm.Progress()).run(given)
    assert isinstance(late, Ended)
    assert late.ending.error_code == "TIMEOUT"
    assert "all attempts together" in (late.ending.error_message or "")


async def test_what_would_wait_beyond_that_is_not_tried_again(given: With) -> None:
    text = f"{uuid.uuid4()} [429 after 30]"
    outcome = await Attempt(claimed("claude-sonnet-5", text, since_s=0), llm.Progress()).run(given)
    assert isinstance(outcome, Again)
    assert outcome.delay_s == 30
    outcome = await Attempt(claimed("claude-sonnet-5", text, since_s=40), llm.Progress()).run(given)
    assert isinstance(outcome, Ended)
    assert (outcome.ending.error_code, outcome.ran) == ("PROVIDER_RATE_LIMITED", False)


async def test_one_call_has_a_deadline(given: With) -> None:
    quick = replace(given, limits=Limits(1, call_s=0.3, run_s=60))
    attempt = Attempt(claimed("claude-sonnet-5", f"{uuid.uuid4()} [stall]", since_s=0), llm.Progress())
    outcome = await attempt.run(quick)
    assert isinstance(outcome, Ended)
    assert outcome.ending.error_code == "TIMEOUT"
    assert "0.3 s" in (outcome.ending.error_message or "")
    assert outcome.ending.completion_tokens


async def test_a_worker_that_stops_keeps_what_was_used_and_begins_anew_as_if_it_had_not_tried(given: With) -> None:
    attempt = Attempt(claimed("claude-sonnet-5", f"{uuid.uuid4()} [stall]", since_s=0), llm.Progress())
    said = asyncio.Event()
    attempt.progress.on_text = lambda _: said.set()
    task = asyncio.create_task(attempt.run(given))
    await asyncio.wait_for(said.wait(), 20)
    task.cancel()
    await asyncio.wait([task])
    outcome = await attempt.interrupted(cancelled=False)
    assert isinstance(outcome, Again)
    assert (outcome.counts, outcome.delay_s, outcome.ran) == (False, 0, True)
    assert (outcome.ending.prompt_tokens, outcome.ending.estimated) == (1800, True)
