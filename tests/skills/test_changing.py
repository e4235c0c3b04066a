"""Skills that are saved again: fields, versions, ETags, and what was put back."""

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from kijko.models.skills import Skill, SkillVersion
from tests.conftest import Person, Shared
from tests.projects.making import hire
from tests.skills.test_http import make_skill

Make = Callable[..., Person]
Owner = psycopg.Connection[Any]


async def change(one: Person, skill: dict[str, Any], **fields: object) -> dict[str, Any]:
    answer = await one.http.put(f"/skills/{skill['id']}", json=fields)
    assert answer.status_code == 200, answer.text
    changed: dict[str, Any] = answer.json()
    assert Skill.model_validate(changed).model_dump(mode="json", by_alias=True)["id"] == skill["id"]
    return changed


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_what_is_present_changes_and_what_is_absent_stays(person: Make, method: str) -> None:
    one = person()
    skill = await make_skill(one, description="Old", parameters={"temperature": 0.5}, category="analysis")
    answer = await one.http.request(method, f"/skills/{skill['id']}", json={"name": "New", "description": None})
    changed = answer.json()
    apart = {"name", "description", "updatedAt"}
    assert (changed["name"], changed["description"]) == ("New", None)
    assert changed["updatedAt"] > skill["updatedAt"]
    assert {name: each for name, each in changed.items() if name not in apart} == {
        name: each for name, each in skill.items() if name not in apart
    }
    assert (await one.http.get(f"/skills/{skill['id']}")).json() == changed


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("promptTemplate", "Other {{text}}"),
        ("model", "claude-sonnet-4-5"),
        ("parameters", {"temperature": 0.25}),
        ("inputSchema", [{"name": "text", "type": "string", "required": True}]),
        ("context", {"query": "where is it", "maxTokens": 100}),
        ("outputFormat", "json"),
    ],
)
async def test_what_a_run_is_made_of_makes_the_next_version_and_the_same_again_makes_none(
    person: Make, field: str, value: object
) -> None:
    one = person()
    skill = await make_skill(one)
    changed = await change(one, skill, **{field: value})
    assert (changed["version"], changed[field]) == (2, value)
    assert (await change(one, skill, **{field: value}))["version"] == 2
    versions = (await one.http.get(f"/skills/{skill['id']}/versions")).json()
    assert [each["version"] for each in versions] == [2, 1]
    assert [each[field] for each in versions] == [value, skill[field]]
    for each in versions:
        assert SkillVersion.model_validate(each).created_by == one.id
        assert (await one.http.get(f"/skills/{skill['id']}/versions/{each['version']}")).json() == each


async def test_names_categories_and_the_switch_make_no_version(person: Make) -> None:
    one = person()
    skill = await make_skill(one)
    changed = await change(one, skill, name="Else", description="x", category="automation", isActive=False)
    assert (changed["version"], changed["isActive"], changed["category"]) == (1, False, "automation")


async def test_null_takes_away_or_is_the_default(person: Make) -> None:
    one = person()
    schema = [{"name": "text", "type": "string"}]
    skill = await make_skill(one, model="claude-sonnet-4-5", parameters={"top_k": 3}, inputSchema=schema)
    changed = await change(one, skill, model=None, parameters=None, inputSchema=None)
    assert (changed["model"], changed["parameters"], changed["inputSchema"]) == ("echo", {}, None)
    for field in ("name", "promptTemplate", "category", "outputFormat", "isActive"):
        refused = await one.http.put(f"/skills/{skill['id']}", json={field: None})
        assert (refused.status_code, refused.json()["field"]) == (422, field)


async def test_a_change_is_refused_for_the_same_reasons_as_a_new_skill(person: Make) -> None:
    one = person()
    first, second = await make_skill(one, name="First"), await make_skill(one, name="Second")
    for fields, expected in (
        ({"name": "FIRST"}, (409, "SKILL_NAME_EXISTS", "name")),
        ({"model": "gpt-99"}, (422, "UNKNOWN_MODEL", "model")),
        ({"context": {"projectId": str(uuid.uuid4())}}, (404, "PROJECT_NOT_FOUND", "context.projectId")),
        ({"promptTemplat": "x"}, (422, "VALIDATION_ERROR", "promptTemplat")),
    ):
        answer = await one.http.put(f"/skills/{second['id']}", json=fields)
        assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == expected
    assert (await one.http.get(f"/skills/{second['id']}")).json() == second
    assert (await change(one, first, name="first"))["name"] == "first"


async def test_an_etag_changes_with_every_save_and_a_stale_one_is_412(person: Make) -> None:
    one = person()
    answer = await one.http.post("/skills", json={"name": "Tagged", "promptTemplate": "x"})
    path, tags = f"/skills/{answer.json()['id']}", [answer.headers["etag"]]
    assert (await one.http.get(path)).headers["etag"] == tags[0]
    for fields in ({"description": "a"}, {"promptTemplate": "y"}, {"promptTemplate": "y"}):
        saved = await one.http.patch(path, json=fields, headers={"If-Match": tags[-1]})
        assert saved.status_code == 200
        tags.append(saved.headers["etag"])
    assert len(set(tags)) == 4
    for header in (tags[0], f"W/{tags[-1]}", '"nonsense"', "nonsense", "", f"{tags[0]}, {tags[1]}"):
        for call in (
            one.http.put(path, json={"name": "No"}, headers={"If-Match": header}),
            one.http.delete(path, headers={"If-Match": header}),
            one.http.post(f"{path}/versions/1/restore", headers={"If-Match": header}),
        ):
            refused = await call
            assert (refused.status_code, refused.json()["code"]) == (412, "PRECONDITION_FAILED"), header
    assert (await one.http.get(path)).headers["etag"] == tags[-1]
    for header in (f"{tags[0]}, {tags[-1]}", "*"):
        saved = await one.http.put(path, json={"description": header}, headers={"If-Match": header})
        assert saved.status_code == 200
    assert (await one.http.delete(path, headers={"If-Match": saved.headers["etag"]})).status_code == 200


async def test_a_run_is_no_save(person: Make) -> None:
    one = person()
    skill = await make_skill(one)
    before = (await one.http.get(f"/skills/{skill['id']}")).headers["etag"]
    run = await one.http.post(f"/skills/{skill['id']}/execute?wait=20", json={"input": {"text": "x"}})
    assert run.status_code == 200
    after = await one.http.get(f"/skills/{skill['id']}")
    assert (after.headers["etag"], after.json()["executionCount"]) == (before, 1)


async def test_of_saves_at_once_with_the_same_etag_one_wins(person: Make) -> None:
    one = person()
    skill = await make_skill(one)
    tag = (await one.http.get(f"/skills/{skill['id']}")).headers["etag"]
    answers = await asyncio.gather(
        *(
            one.http.put(f"/skills/{skill['id']}", json={"promptTemplate": f"{number}"}, headers={"If-Match": tag})
            for number in range(12)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 11


async def test_saves_at_once_without_one_are_all_made_and_each_is_a_version(person: Make) -> None:
    one = person()
    skill = await make_skill(one)
    answers = await asyncio.gather(
        *(one.http.put(f"/skills/{skill['id']}", json={"promptTemplate": f"{number}"}) for number in range(4))
    )
    assert [answer.status_code for answer in answers] == [200] * 4
    versions = (await one.http.get(f"/skills/{skill['id']}/versions")).json()
    assert [each["version"] for each in versions] == [5, 4, 3, 2, 1]
    assert {each["promptTemplate"] for each in versions} == {"{{text}}", "0", "1", "2", "3"}


async def test_a_version_is_put_back_as_a_new_one(person: Make) -> None:
    one = person()
    schema = [{"name": "text", "type": "number", "default": 1.5}]
    skill = await make_skill(one, parameters={"temperature": 0.5}, inputSchema=schema, outputFormat="code")
    await change(one, skill, promptTemplate="two", parameters={}, inputSchema=None, outputFormat="text")
    answer = await one.http.post(f"/skills/{skill['id']}/versions/1/restore")
    assert answer.status_code == 200
    restored = answer.json()
    assert restored["version"] == 3
    for field in ("promptTemplate", "parameters", "inputSchema", "outputFormat", "model", "context", "name"):
        assert restored[field] == skill[field]
    assert (await one.http.post(f"/skills/{skill['id']}/versions/3/restore")).json()["version"] == 4
    for number in ("9", "0", "-1", "99999999999999999999"):
        for call in (one.http.get, one.http.post):
            ending = "/restore" if call == one.http.post else ""
            missing = await call(f"/skills/{skill['id']}/versions/{number}{ending}")
            assert (missing.status_code, missing.json()["code"]) == (404, "SKILL_VERSION_NOT_FOUND"), number


async def test_a_run_keeps_the_version_that_it_was_asked_with(person: Make) -> None:
    one = person(plan="enterprise")
    skill = await make_skill(one, promptTemplate="one {{text}}")
    asked = await one.http.post(f"/skills/{skill['id']}/execute", json={"input": {"text": "sleep:1 "}})
    await change(one, skill, promptTemplate="two {{text}}")
    found: dict[str, Any] = {}
    for _ in range(200):
        found = (await one.http.get(f"/executions/{asked.json()['executionId']}")).json()
        if found["status"] == "completed":
            break
        await asyncio.sleep(0.1)
    assert (found["skillVersion"], found["output"]) == (1, "one sleep:1 ")


async def test_the_database_refuses_to_change_a_version(person: Make, owner: Owner) -> None:
    one = person()
    skill = await make_skill(one)
    with pytest.raises(psycopg.Error, match="never changes"):
        owner.execute("update skill_versions set prompt_template = 'x' where skill_id = %s", (skill["id"],))


async def test_colleagues_read_a_skill_and_managers_change_it(person: Make, shared: Shared, owner: Owner) -> None:
    boss = person()
    maker, colleague = hire(owner, shared, boss, person()), hire(owner, shared, boss, person())
    skill = await make_skill(maker)
    path = f"/skills/{skill['id']}"
    for answer in (
        await colleague.http.put(path, json={"name": "Mine now"}),
        await colleague.http.delete(path),
        await colleague.http.post(f"{path}/versions/1/restore"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN")
    assert (await colleague.http.get(path)).json() == skill
    assert (await colleague.http.get(f"{path}/versions")).status_code == 200
    assert (await boss.http.put(path, json={"promptTemplate": "The boss's"})).json()["userId"] == str(maker.id)
    made_by = [each["createdBy"] for each in (await boss.http.get(f"{path}/versions")).json()]
    assert made_by == [str(boss.id), str(maker.id)]
    assert (await boss.http.delete(path)).json() == {"success": True}


async def test_with_a_skill_its_runs_go_and_what_they_cost_stays(person: Make, owner: Owner) -> None:
    one = person(plan="free")
    skill = await make_skill(one)
    for _ in range(2):
        ran = await one.http.post(f"/skills/{skill['id']}/execute?wait=20", json={"input": {"text": "x"}})
        assert ran.status_code == 200
    before = (await one.http.get("/executions/stats")).json()
    assert (await one.http.delete(f"/skills/{skill['id']}")).json() == {"success": True}
    assert (await one.http.get(f"/skills/{skill['id']}")).status_code == 404
    assert (await one.http.get(f"/executions/{ran.json()['executionId']}")).status_code == 404
    assert (await one.http.get("/executions/stats")).json() == before
    assert before["totalExecutions"] == 2


async def test_runs_that_wait_are_given_back_when_their_skill_goes(person: Make, owner: Owner) -> None:
    one = person(plan="free")
    skill = await make_skill(one)
    for _ in range(5):  # two at once are allowed
        asked = await one.http.post(f"/skills/{skill['id']}/execute", json={"input": {"text": "sleep:30 "}})
        assert asked.status_code == 202
    for _ in range(200):
        if (await one.http.get("/executions", params={"status": "running"})).json()["total"] == 2:
            break
        await asyncio.sleep(0.1)
    assert (await one.http.delete(f"/skills/{skill['id']}")).status_code == 200
    used = owner.execute(
        "select used from kijko.usage_of(%s) where metric = 'oracle_queries'", (one.organization_id,)
    ).fetchone()
    assert used == (2,)
