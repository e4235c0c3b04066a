"""Running a skill through the API, the queue and the worker."""

import asyncio
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from kijko.models.executions import ExecuteSkillResponse, SkillExecution
from tests.conftest import Person, Shared
from tests.skills.test_http import make_skill

PersonFactory = Callable[..., Person]


async def execute(one: Person, skill: dict[str, object], wait: float = 30, **body: object) -> dict[str, Any]:
    """Runs the skill and waits for its end; the ExecuteSkillResponse."""
    answer = await one.http.post(f"/skills/{skill['id']}/execute", params={"wait": wait} if wait else {}, json=body)
    assert answer.status_code in (200, 202), answer.text
    done: dict[str, Any] = answer.json()
    return done


async def ended(one: Person, execution_id: str) -> dict[str, Any]:
    """The execution as it is read, once it has ended; 60 s are plenty on a busy machine."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        answer = await one.http.get(f"/executions/{execution_id}")
        read: dict[str, Any] = answer.json()
        if read["status"] in ("completed", "failed", "cancelled"):
            return read
        await asyncio.sleep(0.1)
    raise AssertionError(f"did not end: {read}")


async def test_a_run_is_accepted_then_done_by_the_worker_and_read_back(person: PersonFactory) -> None:
    one = person()
    skill = await make_skill(one, promptTemplate="Hello {{name}}, {{name}}!")
    accepted = await one.http.post(f"/skills/{skill['id']}/execute", json={"input": {"name": "Ann"}})
    assert accepted.status_code == 202
    assert accepted.json()["status"] == "pending"
    assert set(accepted.json()) == {field.alias for field in ExecuteSkillResponse.model_fields.values()}
    done = await ended(one, accepted.json()["executionId"])
    assert SkillExecution.model_validate(done).model_dump(mode="json", by_alias=True) == done
    expected = {
        "skillId": skill["id"],
        "userId": str(one.id),
        "executionType": "manual",
        "input": {"name": "Ann"},
        "output": "Hello Ann, Ann!",
        "renderedPrompt": "Hello Ann, Ann!",
        "status": "completed",
        "promptTokens": 4,
        "completionTokens": 4,
        "tokensUsed": 8,
        "costCents": 0,
        "model": "echo",
        "skillVersion": 1,
        "attempts": 1,
        "errorCode": None,
        "errorMessage": None,
    }
    assert {name: done[name] for name in expected} == expected
    counted = (await one.http.get(f"/skills/{skill['id']}")).json()
    assert counted["executionCount"] == 1
    assert counted["lastExecutedAt"] is not None


async def test_waiting_gives_the_result_at_once_when_it_ends_in_time(person: PersonFactory) -> None:
    one = person()
    skill = await make_skill(one)
    began = time.monotonic()
    answer = await one.http.post(
        f"/skills/{skill['id']}/execute", params={"wait": 30}, json={"input": {"text": "sleep:1 now"}}
    )
    assert answer.status_code == 200
    assert answer.json()["output"] == "sleep:1 now"
    assert answer.json()["durationMs"] >= 1000
    assert time.monotonic() - began < 30


async def test_waiting_gives_up_after_its_seconds_and_the_run_goes_on(person: PersonFactory) -> None:
    one = person()
    skill = await make_skill(one)
    answer = await one.http.post(
        f"/skills/{skill['id']}/execute", params={"wait": 1}, json={"input": {"text": "sleep:3 later"}}
    )
    assert answer.status_code == 202
    assert answer.json()["status"] in ("pending", "running")
    assert (await ended(one, answer.json()["executionId"]))["status"] == "completed"


async def test_a_failed_run_says_why(person: PersonFactory) -> None:
    one = person()
    done = await execute(one, await make_skill(one), input={"text": "fail: out of luck"})
    assert (done["status"], done["error"], done["output"]) == ("failed", "out of luck", None)
    full = (await one.http.get(f"/executions/{done['executionId']}")).json()
    assert (full["errorCode"], full["costCents"], full["tokensUsed"]) == ("INTERNAL", None, None)
    assert full["completedAt"] is not None


async def test_a_value_with_a_placeholder_in_it_stays_text(person: PersonFactory) -> None:
    one = person()
    skill = await make_skill(one, promptTemplate="{{a}} {{b}}")
    done = await execute(one, skill, input={"a": "{{b}}", "b": "secret"})
    assert done["output"] == "{{b}} secret"


async def test_input_is_checked_against_the_schema_with_an_error_per_field(person: PersonFactory) -> None:
    one = person()
    schema = [
        {"name": "text", "type": "string", "required": True},
        {"name": "count", "type": "number", "default": 2},
    ]
    skill = await make_skill(one, promptTemplate="{{text}} x{{count}}", inputSchema=schema)
    refused = await one.http.post(f"/skills/{skill['id']}/execute", json={"input": {"count": "many"}})
    assert (refused.status_code, refused.json()["code"]) == (422, "INVALID_INPUT")
    assert [entry["field"] for entry in refused.json()["details"]] == ["input.text", "input.count"]
    assert (await execute(one, skill, input={"text": "a"}))["output"] == "a x2"


async def test_an_inactive_skill_does_not_run(person: PersonFactory) -> None:
    one = person()
    skill = await make_skill(one, isActive=False)
    refused = await one.http.post(f"/skills/{skill['id']}/execute", json={"input": {"text": "x"}})
    assert (refused.status_code, refused.json()["code"]) == (409, "SKILL_INACTIVE")


@pytest.mark.parametrize("executed_by", ["habit", "reflex", "nobody"])
async def test_a_caller_may_not_pretend_to_be_a_habit_or_a_reflex(person: PersonFactory, executed_by: str) -> None:
    one = person()
    skill = await make_skill(one)
    refused = await one.http.post(f"/skills/{skill['id']}/execute", json={"executionType": executed_by})
    assert (refused.status_code, refused.json()["field"]) == (422, "executionType")


@pytest.mark.parametrize("wait", ["-1", "121", "soon", "nan"])
async def test_a_wait_out_of_bounds_is_refused_before_anything_runs(
    person: PersonFactory, owner: psycopg.Connection, wait: str
) -> None:
    one = person()
    skill = await make_skill(one)
    refused = await one.http.post(f"/skills/{skill['id']}/execute?wait={wait}", json={"input": {"text": "x"}})
    assert (refused.status_code, refused.json()["field"]) == (422, "wait")
    row = owner.execute("select count(*) from executions where organization_id = %s", (one.organization_id,)).fetchone()
    assert row == (0,)


async def test_the_quota_is_exact_under_a_race_and_told(person: PersonFactory) -> None:
    one = person(plan="free")
    skill = await make_skill(one)
    answers = await asyncio.gather(
        *(one.http.post(f"/skills/{skill['id']}/execute", json={"input": {"text": "x"}}) for _ in range(40))
    )
    refused = [answer for answer in answers if answer.status_code == 429]
    assert [answer.status_code for answer in answers].count(202) == 10
    assert len(refused) == 30
    problem = refused[0].json()
    assert problem["code"] == "QUOTA_EXCEEDED"
    assert problem["details"]["metric"] == "oracle_queries"
    assert (problem["details"]["limit"], problem["details"]["used"]) == (10, 10)
    assert problem["details"]["resetsAt"][11:19] == "00:00:00"
    assert 0 < int(refused[0].headers["Retry-After"]) <= 86_400
    assert (refused[0].headers["RateLimit-Limit"], refused[0].headers["RateLimit-Remaining"]) == ("10", "0")
    left = sorted(int(answer.headers["RateLimit-Remaining"]) for answer in answers if answer.status_code == 202)
    assert left == list(range(10))


async def test_without_a_limit_no_limit_is_told(person: PersonFactory) -> None:
    one = person(plan="enterprise")
    skill = await make_skill(one)
    answer = await one.http.post(f"/skills/{skill['id']}/execute", json={"input": {"text": "x"}})
    assert (answer.status_code, answer.headers.get("RateLimit-Limit")) == (202, None)


async def test_a_run_whose_model_never_ran_is_given_back_and_a_failed_one_is_not(
    person: PersonFactory, owner: psycopg.Connection
) -> None:
    one = person()
    echo, claude = await make_skill(one), await make_skill(one, model="claude-sonnet-5")
    assert (await execute(one, echo, input={"text": "fail: ran"}))["status"] == "failed"
    refused = await execute(one, claude, input={"text": f"[401] {uuid.uuid4()}"})
    full = (await one.http.get(f"/executions/{refused['executionId']}")).json()
    assert (full["status"], full["errorCode"]) == ("failed", "PROVIDER_AUTH")
    row = owner.execute(
        "select sum(quantity) from usage_ledger where organization_id = %s and metric = 'oracle_queries'",
        (one.organization_id,),
    ).fetchone()
    assert row == (1,)


async def test_a_run_that_a_model_worked_for_once_is_not_given_back_however_it_ends(
    person: PersonFactory, owner: psycopg.Connection
) -> None:
    one = person()
    skill = await make_skill(one, model="claude-sonnet-5")
    accepted = await execute(one, skill, wait=0, input={"text": f"[hang once] [401] {uuid.uuid4()}"})
    full = await ended(one, accepted["executionId"])
    assert (full["status"], full["errorCode"], full["attempts"]) == ("failed", "PROVIDER_AUTH", 2)
    row = owner.execute("select sum(quantity) from usage_ledger where subject_id = %s", (full["id"],)).fetchone()
    assert row == (1,)


async def test_a_prompt_that_no_model_takes_ends_as_too_long(person: PersonFactory) -> None:
    one = person()
    skill = await make_skill(one, promptTemplate="{{text}}" * 1000)
    done = await execute(one, skill, input={"text": "x" * 5000})
    full = await ended(one, done["executionId"])
    assert (full["status"], full["errorCode"]) == ("failed", "CONTEXT_TOO_LONG")
    assert full["errorMessage"].startswith("The prompt would have 5,000,000 characters")


async def test_the_workers_log_is_json_and_names_the_request_and_the_error(
    person: PersonFactory, shared: Shared
) -> None:
    one = person()
    skill = await make_skill(one)
    answer = await one.http.post(
        f"/skills/{skill['id']}/execute", params={"wait": 30}, json={"input": {"text": "fail: on purpose"}}
    )
    lines: list[dict[str, Any]] = []
    for _ in range(50):  # whoever waits for the end is told before it is logged
        log = (shared.home / "logs" / "worker.log").read_text().splitlines()
        lines = [json.loads(each) for each in log if answer.json()["executionId"] in each]
        if lines:
            break
        await asyncio.sleep(0.1)
    (line,) = lines
    assert (line["event"], line["status"], line["error_code"]) == ("execution.ended", "failed", "INTERNAL")
    assert line["request_id"] == answer.headers["X-Request-ID"]


async def test_a_provider_that_recovers_is_tried_again_and_costs_once(
    person: PersonFactory, owner: psycopg.Connection
) -> None:
    one = person()
    skill = await make_skill(one, model="claude-sonnet-5")
    done = await execute(one, skill, wait=60, input={"text": f"[529 once] {uuid.uuid4()}"})
    full = (await one.http.get(f"/executions/{done['executionId']}")).json()
    assert (full["status"], full["attempts"]) == ("completed", 2)
    # 1,000 fresh, 500 read, 300 written, 200 out, at 2, 0.20, 2.50 and 10 USD a million, in cents.
    assert full["costCents"] == 0.485
    row = owner.execute(
        "select count(*), sum(cost_cents), sum(quantity) from usage_ledger where subject_id = %s",
        (done["executionId"],),
    ).fetchone()
    assert row is not None
    assert (row[0], str(row[1].normalize()), row[2]) == (2, "0.485", 1)


async def test_a_strangers_execution_is_a_404(person: PersonFactory) -> None:
    one, stranger = person(), person()
    done = await execute(one, await make_skill(one), input={"text": "x"})
    for execution_id in (done["executionId"], uuid.uuid4(), "no-id"):
        answer = await stranger.http.get(f"/executions/{execution_id}")
        assert (answer.status_code, answer.json()["code"]) == (404, "EXECUTION_NOT_FOUND")


async def test_the_ledger_stays_when_the_skill_goes(person: PersonFactory, owner: psycopg.Connection) -> None:
    one = person()
    skill = await make_skill(one)
    done = await execute(one, skill, input={"text": "x"})
    owner.execute("delete from skills where id = %s", (skill["id"],))
    assert (await one.http.get(f"/executions/{done['executionId']}")).status_code == 404
    row = owner.execute("select count(*) from usage_ledger where subject_id = %s", (done["executionId"],)).fetchone()
    assert row == (2,)
