"""Trials through the API: a model answers, the ledger knows, and there is no execution."""

import asyncio
import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import psycopg
import pytest

from kijko.models.executions import ExecuteSkillResponse
from tests.conftest import Person, Shared
from tests.projects.making import Owner, hire, make_project
from tests.search.conftest import Indexed
from tests.search.test_http import FILES
from tests.skills.test_http import make_skill
from tests.skills.waiting import until

PersonFactory = Callable[..., Person]


def refused(answer: httpx.Response) -> tuple[int, str, str | None]:
    problem = answer.json()
    return answer.status_code, problem["code"], problem.get("field")


async def tried(one: Person, template: str = "{{text}}", **body: object) -> dict[str, Any]:
    """A prompt on a model; the ExecuteSkillResponse."""
    answer = await one.http.post("/skills/test", json={"promptTemplate": template, "model": "echo"} | body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def entries(owner: Owner, trial: dict[str, Any]) -> list[tuple[Any, ...]]:
    return owner.execute(
        "select entry, quantity, provider, model, prompt_tokens, completion_tokens, cost_cents, outcome,"
        " skill_id::text, execution_type from usage_ledger where subject_id = %s order by id",
        (trial["executionId"],),
    ).fetchall()


def used(owner: Owner, one: Person) -> int:
    row = owner.execute(
        "select used from kijko.usage_of(%s) where metric = 'oracle_queries'", (one.organization_id,)
    ).fetchone()
    assert row is not None
    return int(row[0])


async def test_a_prompt_is_tried_and_no_execution_is_there(person: PersonFactory, owner: Owner) -> None:
    one = person(plan="free")
    answer = await one.http.post(
        "/skills/test", json={"promptTemplate": "Hello {{name}}", "model": "echo", "input": {"name": "Ann"}}
    )
    assert answer.status_code == 200, answer.text
    done = answer.json()
    ExecuteSkillResponse.model_validate(done)
    expected = {"status": "completed", "output": "Hello Ann", "tokensUsed": 6, "error": None}
    assert {name: done[name] for name in expected} == expected
    assert answer.headers["ratelimit-remaining"] == "9"
    assert (await one.http.get(f"/executions/{done['executionId']}")).status_code == 404
    assert (await one.http.get("/executions")).json()["total"] == 0
    assert (await one.http.get("/skills/stats")).json()["totalExecutions"] == 0
    assert entries(owner, done) == [
        ("reserve", 1, None, None, None, None, None, None, None, None),
        ("settle", 0, "local", "echo", 3, 3, 0, "completed", None, None),
    ]
    assert used(owner, one) == 1
    left = owner.execute("select count(*) from open_reservations where subject_id = %s", (done["executionId"],))
    assert left.fetchone() == (0,)


@pytest.mark.parametrize(
    ("model", "provider"),
    [("claude-haiku-4-5", "anthropic"), ("gpt-4o-mini", "openai"), ("gemini-2.5-flash", "google")],
)
async def test_each_provider_is_given_the_system_prompt_and_paid_for(
    person: PersonFactory, owner: Owner, model: str, provider: str
) -> None:
    one = person()
    done = await tried(
        one, model=model, systemPrompt="Be {{brief}}", input={"text": "hi"}, parameters={"max_tokens": 9}
    )
    assert (done["status"], done["error"]) == ("completed", None)
    assert "(Be {{brief}}) hi" in done["output"]
    (_, settled) = entries(owner, done)
    assert (settled[2], settled[7]) == (provider, "completed")
    assert settled[4] + settled[5] == done["tokensUsed"] > 0
    assert settled[6] > 0


async def test_without_a_model_the_default_is_tried(person: PersonFactory) -> None:
    answer = await person().http.post("/skills/test", json={"promptTemplate": "x"})
    assert answer.json()["output"] == "x"


async def test_what_cannot_run_takes_nothing(person: PersonFactory, owner: Owner) -> None:
    one = person(plan="free")
    missing = await one.http.post("/skills/test", json={"promptTemplate": "{{a}}", "model": "echo"})
    assert refused(missing) == (422, "INVALID_INPUT", "input.a")
    unknown = await one.http.post("/skills/test", json={"promptTemplate": "x", "model": "none"})
    assert refused(unknown) == (422, "UNKNOWN_MODEL", "model")
    assert (await one.http.post("/skills/test", json={})).status_code == 422
    assert used(owner, one) == 0


@pytest.mark.parametrize(
    ("said", "ran"), [("[401]", False), ("[429]", False), ("[529]", False), ("[refuse]", True), ("[hang]", True)]
)
async def test_a_model_that_fails_is_an_answer_and_given_back_where_none_ran(
    person: PersonFactory, owner: Owner, said: str, ran: bool
) -> None:
    one = person(plan="free")
    done = await tried(one, said, model="claude-haiku-4-5")
    assert (done["status"], done["output"]) == ("failed", None)
    assert done["error"].endswith(".")
    assert [entry[0] for entry in entries(owner, done)] == ["reserve", "settle" if ran else "release"]
    assert used(owner, one) == int(ran)


async def test_a_trial_counts_and_a_plan_that_is_used_up_takes_no_more(person: PersonFactory, owner: Owner) -> None:
    one = person(plan="free")
    body = {"promptTemplate": "x", "model": "echo"}
    answers = await asyncio.gather(*(one.http.post("/skills/test", json=body) for _ in range(15)))
    assert sorted(answer.status_code for answer in answers) == [200] * 10 + [429] * 5
    assert {refused(answer)[1] for answer in answers if answer.status_code == 429} == {"QUOTA_EXCEEDED"}
    assert used(owner, one) == 10


async def test_a_trial_under_a_key_runs_once(person: PersonFactory, owner: Owner) -> None:
    one = person(plan="free")
    body = {"promptTemplate": "x", "model": "echo"}
    answers = [
        await one.http.post("/skills/test", json=body, headers={"Idempotency-Key": "trial-key-1"}) for _ in range(2)
    ]
    assert answers[0].content == answers[1].content
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert used(owner, one) == 1


async def test_a_skill_is_tried_as_it_stands_also_when_it_is_off(person: PersonFactory, owner: Owner) -> None:
    one = person()
    schema = [{"name": "who", "type": "string", "default": "World"}, {"name": "n", "type": "number", "required": True}]
    skill = await make_skill(one, promptTemplate="{{who}} {{n}}", inputSchema=schema, isActive=False)
    address = f"/skills/{skill['id']}/test"
    for body in (None, {}, {"input": {"n": "1"}}):
        answer = await one.http.post(address, json=body) if body is not None else await one.http.post(address)
        assert refused(answer) == (422, "INVALID_INPUT", "input.n")
    done = (await one.http.post(address, json={"input": {"n": 1}})).json()
    assert (done["status"], done["output"]) == ("completed", "World 1")
    assert entries(owner, done)[1][8] == skill["id"]
    after = (await one.http.get(f"/skills/{skill['id']}")).json()
    assert (after["executionCount"], after["lastExecutedAt"]) == (0, None)


async def test_a_stored_skills_context_is_bound_and_its_cost_is_the_projects_readers(
    person: PersonFactory, indexed: Indexed, owner: Owner, shared: Shared
) -> None:
    boss = person()
    colleague = hire(owner, shared, boss, person())
    project = await make_project(boss, privacy="private")
    await indexed(boss, project).ingest(FILES)
    template = "{{question}}\n{{context}}"
    skill = await make_skill(boss, promptTemplate=template, context={"projectId": project["id"], "maxTokens": 500})
    body = {"input": {"question": "how is the config parsed?"}}
    done = (await boss.http.post(f"/skills/{skill['id']}/test", json=body)).json()
    assert done["status"] == "completed"
    assert "parseConfig" in done["output"]
    row = owner.execute(
        "select cited_project_id::text from usage_ledger where subject_id = %s and entry = 'settle'",
        (done["executionId"],),
    ).fetchone()
    assert row == (project["id"],)
    answer = await colleague.http.post(f"/skills/{skill['id']}/test", json=body)
    assert refused(answer)[:2] == (404, "PROJECT_NOT_FOUND")
    given = {"input": {"question": "x", "context": "mine"}}
    own = (await colleague.http.post(f"/skills/{skill['id']}/test", json=given)).json()
    assert own["output"] == "x\nmine"


async def test_a_prompt_that_no_model_takes_is_given_back(person: PersonFactory, owner: Owner) -> None:
    one = person(plan="free")
    done = await tried(one, "{{t}}" * 50, input={"t": "x" * 100_000})
    assert (done["status"], used(owner, one)) == ("failed", 0)
    assert "4,000,000" in done["error"]


async def test_a_trial_ends_at_its_deadline(person: PersonFactory, owner: Owner) -> None:
    one = person()
    began = time.monotonic()
    done = await tried(one, input={"text": "sleep:60 x"})
    assert (done["status"], time.monotonic() - began < 30) == ("failed", True)
    assert "took longer than the 5 s" in done["error"]
    assert entries(owner, done)[1][7] == "failed"


async def test_the_api_answers_others_while_a_trial_makes_its_first_call(
    person: PersonFactory, api: httpx.AsyncClient
) -> None:
    one = person()
    trial = asyncio.create_task(tried(one, model="gemini-2.5-flash", input={"text": "x"}))
    slowest = 0.0
    while not trial.done():
        began = time.monotonic()
        assert (await api.get("/health/live")).status_code == 200
        slowest = max(slowest, time.monotonic() - began)
        await asyncio.sleep(0.01)
    assert (await trial)["status"] == "completed"
    assert slowest < 1.0


async def test_an_abandoned_trial_is_given_back_after_its_deadline(person: PersonFactory, owner: Owner) -> None:
    one = person(plan="free")
    trial = {"executionId": str(uuid.uuid4())}
    with owner.transaction():
        begin(owner, one, trial, seconds=0.001)
    assert used(owner, one) == 1

    async def is_given_back() -> bool:
        return used(owner, one) == 0

    await until(is_given_back, "the quota of a trial whose process died is given back")
    assert [entry[0] for entry in entries(owner, trial)] == ["reserve", "release"]
    late = owner.execute(
        "select kijko.end_trial(%s, null, true, 'completed', 'openai', 'gpt-4o', 5, 0, 0, 6, 0.7, 9, null, false, "
        "false)",
        (trial["executionId"],),
    ).fetchone()
    assert late == (False,)
    assert [entry[0] for entry in entries(owner, trial)] == ["reserve", "release", "settle"]
    assert used(owner, one) == 0


def begin(owner: Owner, one: Person, trial: dict[str, str], *, seconds: float) -> None:
    claims = f'{{"sub": "{one.id}", "role": "authenticated"}}'
    owner.execute("select set_config('request.jwt.claims', %s, true)", (claims,))
    owner.execute("select set_config('app.current_org_id', %s, true)", (str(one.organization_id),))
    owner.execute("set local role authenticated")
    owner.execute("select kijko.begin_trial(%s, %s)", (trial["executionId"], seconds))


@pytest.mark.parametrize("role", ["authenticated", "anon"])
async def test_nobody_writes_what_a_trial_cost_but_the_api(person: PersonFactory, owner: Owner, role: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), owner.transaction():
        owner.execute(f"set local role {role}")  # type: ignore[call-overload]  # one of two words above
        owner.execute(
            "select kijko.end_trial(%s, null, true, 'completed', 'x', 'x', 1, 0, 0, 1, 99999, 1, null, false, false)",
            (uuid.uuid4(),),
        )


@pytest.mark.parametrize("model", ["gpt-4o-mini", "claude-haiku-4-5"])
async def test_a_trial_uses_the_organizations_own_key_from_the_next_trial_on(
    person: PersonFactory, owner: Owner, model: str
) -> None:
    one, other = person(), person()
    provider = "openai" if model.startswith("gpt") else "anthropic"

    async def said(who: Person) -> str:
        done = await tried(who, "[key]", model=model)
        found = str(done["output"]).split(": ")[-1]
        kept = owner.execute(
            "select own_key from usage_ledger where subject_id = %s and entry = 'settle'", (done["executionId"],)
        ).fetchone()
        assert kept == (found != f"dev-only-{provider}",)
        return found

    assert await said(one) == f"dev-only-{provider}"
    for key in ("dev-only-own-key-abcd", "dev-only-another-1234"):
        put = await one.http.put(f"/model-keys/{provider}", json={"key": key})
        assert put.status_code == 200, put.text
        assert (await said(one), await said(other)) == (key, f"dev-only-{provider}")
    await one.http.delete(f"/model-keys/{provider}")
    assert await said(one) == f"dev-only-{provider}"


async def test_a_sealed_key_is_read_only_while_its_organization_tries_something(
    person: PersonFactory, owner: Owner, stack_env: dict[str, str]
) -> None:
    one = person()
    await one.http.put("/model-keys/openai", json={"key": "dev-only-own-key-abcd"})
    ask = "select provider from kijko.model_keys_of_trials(array[%s::uuid], array['openai'])"
    with psycopg.connect(stack_env["KIJKO_DATABASE_API_URL"], autocommit=True) as api:
        assert api.execute(ask, (one.organization_id,)).fetchall() == []
        with owner.transaction():
            begin(owner, one, {"executionId": str(uuid.uuid4())}, seconds=60)
        assert api.execute(ask, (one.organization_id,)).fetchall() == [("openai",)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege), owner.transaction():
        owner.execute("set local role authenticated")
        owner.execute(ask, (one.organization_id,))
