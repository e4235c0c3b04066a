"""Running again what failed or was cancelled: what it was given then, with the skill as it is now."""

import asyncio
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from tests.conftest import Person, Shared
from tests.executions.rows import Run, insert
from tests.executions.test_http import ended, execute
from tests.projects.making import hire, join, make_project, said
from tests.skills.test_http import make_skill

Make = Callable[..., Person]
Owner = psycopg.Connection[Any]


async def failed(one: Person, skill: dict[str, Any], **body: Any) -> str:
    """The id of a run that failed."""
    done = await execute(one, skill, **({"input": {"text": "fail: on purpose"}} | body))
    assert done["status"] == "failed"
    return str(done["executionId"])


async def retry(one: Person, execution_id: object, **headers: str) -> Any:
    return await one.http.post(f"/executions/{execution_id}/retry", headers=headers)


def change(owner: Owner, skill: dict[str, Any], **fields: object) -> None:
    """A next version of the skill, as a change of it makes one."""
    for name, value in fields.items():
        owner.execute(f"update skills set {name} = %s where id = %s".encode(), (value, skill["id"]))
    owner.execute("update skills set version = version + 1 where id = %s", (skill["id"],))
    owner.execute(
        "insert into skill_versions (organization_id, skill_id, version, prompt_template, model, parameters, "
        "input_schema, output_format, context, created_by) "
        "select organization_id, id, version, prompt_template, model, parameters, input_schema, output_format, "
        "context, user_id from skills where id = %s",
        (skill["id"],),
    )


async def test_a_failed_run_is_run_again_with_its_input_and_the_skill_as_it_is_now(person: Make, owner: Owner) -> None:
    one = person()
    skill = await make_skill(one, promptTemplate="{{text}}")
    old = str((run := Run(str(skill["id"]), "failed", "api", given={"text": "hello"})).id)
    insert(owner, one, [run])
    owner.execute("update executions set reference_id = gen_random_uuid() where id = %s", (old,))
    schema = '[{"name": "name", "type": "string", "default": "Ann"}]'
    change(owner, skill, prompt_template="Say {{text}} to {{name}}", input_schema=schema)
    answer = await retry(one, old)
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    assert answer.json().keys() == {"newExecutionId", "status"}
    new = await ended(one, answer.json()["newExecutionId"])
    before = (await one.http.get(f"/executions/{old}")).json()
    assert (new["status"], new["output"]) == ("completed", "Say hello to Ann")
    assert (new["retryOf"], new["skillVersion"], before["retryOf"]) == (old, 2, None)
    assert new["input"] == {"text": "hello", "name": "Ann"}
    assert new["referenceId"] is not None
    for same in ("skillId", "userId", "executionType", "referenceId"):
        assert new[same] == before[same]
    assert (before["status"], before["input"]) == ("failed", {"text": "hello"})


async def test_a_default_of_then_becomes_that_of_now_and_what_was_given_stays(person: Make) -> None:
    one = person()

    def schema(language: str | None, tone: str) -> list[dict[str, Any]]:
        of_language = {"default": language} if language else {"required": True}
        return [
            {"name": "text", "type": "string"},
            {"name": "language", "type": "string", **of_language},
            {"name": "tone", "type": "string", "default": tone},
        ]

    skill = await make_skill(one, promptTemplate="{{text}} {{language}} {{tone}}", inputSchema=schema("Dutch", "dry"))
    address = f"/skills/{skill['id']}"
    # The tone is given, and the same as the default; the language is not, by null or by its absence.
    for given in ({"text": "fail: x", "tone": "dry"}, {"text": "fail: x", "tone": "dry", "language": None}):
        await one.http.patch(address, json={"inputSchema": schema("Dutch", "dry")})
        run_id: object = await failed(one, skill, input=given)
        read = (await one.http.get(f"/executions/{run_id}")).json()
        assert read["input"] == {"text": "fail: x", "language": "Dutch", "tone": "dry"}
        for language in ("French", "Greek"):  # also of a run that was one done again
            await one.http.patch(address, json={"inputSchema": schema(language, "warm")})
            new = await ended(one, (await retry(one, run_id)).json()["newExecutionId"])
            assert new["input"] == {"text": "fail: x", "language": language, "tone": "dry"}
            run_id = new["id"]
    await one.http.patch(address, json={"inputSchema": schema(None, "warm")})
    # What is no default any more is the only thing there is; should there be one again, that counts.
    new = await ended(one, (await retry(one, run_id)).json()["newExecutionId"])
    assert new["input"] == {"text": "fail: x", "language": "Greek", "tone": "dry"}
    await one.http.patch(address, json={"inputSchema": schema("Danish", "warm")})
    new = await ended(one, (await retry(one, new["id"])).json()["newExecutionId"])
    assert new["input"] == {"text": "fail: x", "language": "Danish", "tone": "dry"}


async def test_a_run_of_before_it_was_kept_what_are_defaults_keeps_its_input(person: Make, owner: Owner) -> None:
    one = person()
    schema = [{"name": "text", "type": "string", "default": "Dutch"}]
    skill = await make_skill(one, promptTemplate="{{text}}", inputSchema=schema)
    run = Run(str(skill["id"]), "failed", given={"text": "Dutch"})
    insert(owner, one, [run])
    await one.http.patch(f"/skills/{skill['id']}", json={"inputSchema": [{**schema[0], "default": "French"}]})
    new = await ended(one, (await retry(one, run.id)).json()["newExecutionId"])
    assert new["input"] == {"text": "Dutch"}


@pytest.mark.parametrize("status", ["pending", "running", "completed"])
async def test_what_did_not_fail_is_not_run_again(person: Make, owner: Owner, status: str) -> None:
    one = person()
    run = Run(str((await make_skill(one))["id"]), status)
    insert(owner, one, [run])
    answer = await retry(one, run.id)
    assert said(answer) == (409, "CANNOT_RETRY")
    assert status in answer.json()["detail"]


async def test_what_was_cancelled_is_run_again(person: Make, owner: Owner) -> None:
    one = person()
    run = Run(str((await make_skill(one))["id"]), "cancelled", given={"text": "once more"})
    insert(owner, one, [run])
    new = await ended(one, (await retry(one, run.id)).json()["newExecutionId"])
    assert (new["output"], new["retryOf"]) == ("once more", str(run.id))


async def test_of_two_at_once_one_does_it(person: Make, owner: Owner) -> None:
    one = person(plan="pro")
    skill = await make_skill(one)
    old = await failed(one, skill)
    owner.execute("update executions set input = %s where id = %s", ('{"text": "sleep:4 later"}', old))
    answers = await asyncio.gather(*(retry(one, old) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [202, *[409] * 7]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"CANNOT_RETRY"}
    count = "select count(*) from executions where retry_of = %s"
    assert owner.execute(count, (old,)).fetchone() == (1,)
    taken = (
        "select count(*) from usage_ledger "
        "where organization_id = %s and entry = 'reserve' and metric = 'oracle_queries'"
    )
    assert owner.execute(taken, (one.organization_id,)).fetchone() == (2,)
    (new,) = [answer.json()["newExecutionId"] for answer in answers if answer.status_code == 202]
    assert (await ended(one, new))["output"] == "sleep:4 later"
    assert (await retry(one, old)).status_code == 202  # that one has ended


async def test_the_same_key_is_the_same_retry(person: Make, owner: Owner) -> None:
    one = person()
    old = await failed(one, await make_skill(one))
    key = uuid.uuid4().hex
    first, second = await retry(one, old, **{"Idempotency-Key": key}), await retry(one, old, **{"Idempotency-Key": key})
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert second.headers["idempotent-replayed"] == "true"
    assert owner.execute("select count(*) from executions where retry_of = %s", (old,)).fetchone() == (1,)


async def test_an_input_that_does_not_fit_any_more_is_refused_by_field(person: Make, owner: Owner) -> None:
    one = person()
    skill = await make_skill(one)
    old = await failed(one, skill)
    change(
        owner,
        skill,
        input_schema='[{"name": "text", "type": "number"}, {"name": "who", "type": "string", "required": true}]',
    )
    answer = await retry(one, old)
    assert said(answer) == (422, "INVALID_INPUT")
    assert [each["field"] for each in answer.json()["details"]] == ["input.text", "input.who"]


async def test_a_skill_that_is_switched_off_is_not_run_again(person: Make, owner: Owner) -> None:
    one = person()
    skill = await make_skill(one)
    old = await failed(one, skill)
    owner.execute("update skills set is_active = false where id = %s", (skill["id"],))
    assert said(await retry(one, old)) == (409, "SKILL_INACTIVE")


async def test_it_counts_as_a_run_of_its_own_and_says_what_is_left(person: Make, owner: Owner) -> None:
    one = person(plan="free")
    skill = await make_skill(one)
    run = Run(str(skill["id"]), "failed")
    insert(owner, one, [run])
    answer = await retry(one, run.id)
    assert (answer.status_code, answer.headers["ratelimit-limit"], answer.headers["ratelimit-remaining"]) == (
        202,
        "10",
        "9",
    )
    await ended(one, answer.json()["newExecutionId"])
    for _ in range(9):
        await execute(one, skill, input={"text": "x"})
    full = await retry(one, run.id)
    assert said(full) == (429, "QUOTA_EXCEEDED")
    assert full.json()["details"]["used"] == 10
    assert owner.execute("select count(*) from executions where retry_of = %s", (run.id,)).fetchone() == (1,)


async def test_a_run_over_a_private_project_is_not_there_for_others_to_retry(
    person: Make, owner: Owner, shared: Shared
) -> None:
    boss = person()
    reader, outsider = hire(owner, shared, boss, person()), hire(owner, shared, boss, person())
    project = await make_project(boss, privacy="private")
    join(owner, project, reader, "viewer")
    run = Run(str((await make_skill(boss))["id"]), "failed", cited_project_id=project["id"])
    insert(owner, boss, [run])
    assert said(await retry(outsider, run.id)) == (404, "EXECUTION_NOT_FOUND")
    new = await ended(reader, (await retry(reader, run.id)).json()["newExecutionId"])
    assert new["userId"] == str(reader.id)


async def test_the_contexts_project_must_be_one_that_who_retries_may_read(
    person: Make, owner: Owner, shared: Shared
) -> None:
    boss = person()
    outsider = hire(owner, shared, boss, person())
    project = await make_project(boss, privacy="private")
    skill = await make_skill(boss)
    run = Run(str(skill["id"]), "failed", executed_at=Run("").executed_at - timedelta(minutes=1))
    insert(owner, boss, [run])
    owner.execute(
        "update executions set context = jsonb_build_object('projectId', %s::text) where id = %s",
        (project["id"], run.id),
    )
    assert said(await retry(outsider, run.id)) == (404, "PROJECT_NOT_FOUND")
    answer = await retry(boss, run.id)
    assert answer.status_code == 202
    kept = owner.execute("select context from executions where id = %s", (answer.json()["newExecutionId"],)).fetchone()
    assert kept == ({"projectId": project["id"]},)


async def test_sql_lets_nobody_retry_what_the_api_would_not(person: Make, owner: Owner) -> None:
    one, stranger = person(), person()
    run = Run(str((await make_skill(one))["id"]), "completed")
    lost = Run(run.skill_id, "failed")
    insert(owner, one, [run, lost])
    for who, original in ((one, run.id), (stranger, lost.id)):
        with pytest.raises(psycopg.Error) as refused, owner.transaction():
            owner.execute(
                "select set_config('request.jwt.claims', %s, true), set_config('app.current_org_id', %s, true)",
                (f'{{"sub": "{who.id}"}}', str(who.organization_id)),
            )
            owner.execute("set local role authenticated")
            owner.execute("select kijko.retry_execution(gen_random_uuid(), %s, 1, '{}', 'echo', null)", (original,))
        assert refused.value.sqlstate == "KJ409"
