"""Several skills at once, copies, files and numbers."""

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from kijko.models.executions import ExecutionSlice, SkillWithRelations
from kijko.models.skills import SkillExport
from kijko.models.statistics import SkillDashboard, SkillStats
from tests.conftest import Person, Shared
from tests.projects.making import hire
from tests.skills.test_http import make_skill

Make = Callable[..., Person]
Owner = psycopg.Connection[Any]
EVERYTHING = {
    "description": 'A "quoted" – tëxt',
    "category": "analysis",
    "promptTemplate": "Say {{text}} of {{context}} in {{language}}",
    "model": "claude-sonnet-4-5",
    "parameters": {"temperature": 0.7, "max_tokens": 100, "stop_sequences": ["</end>"]},
    "inputSchema": [
        {"name": "text", "type": "string", "required": True},
        {"name": "language", "type": "string", "default": "Dutch", "description": "Which"},
        {"name": "more", "type": "object", "default": {"b": 1, "a": [1.5, None]}},
    ],
    "outputFormat": "json",
    "context": {"query": "{{text}}", "maxTokens": 2000},
    "isActive": False,
}


async def test_an_export_comes_back_byte_for_byte(person: Make) -> None:
    one, other = person(), person()
    skill = await make_skill(one, name="Äll of it", **EVERYTHING)
    first = await one.http.get(f"/skills/{skill['id']}/export")
    exported = first.json()
    assert exported["version"] == "1.0"
    assert {name: exported["skill"][name] for name in EVERYTHING} == EVERYTHING
    assert SkillExport.model_validate(exported)
    assert not {"id", "userId", "executionCount", "lastExecutedAt", "createdAt", "updatedAt", "version"} & set(
        exported["skill"]
    )
    made = await other.http.post("/skills/import", content=first.content, headers={"content-type": "application/json"})
    assert made.status_code == 201, made.text
    assert made.headers["etag"]
    assert made.json()["version"] == 1
    again = await other.http.get(f"/skills/{made.json()['id']}/export")
    assert again.content == first.content


async def test_a_file_names_no_project_and_a_taken_name_gets_a_number(person: Make, owner: Owner) -> None:
    one = person()
    project = (await one.http.post("/projects", json={"name": "Context", "type": "manual"})).json()["project"]
    long = "n" * 100
    for name in ("Report", "50%_of \\ it", long):
        body = {"name": name, "promptTemplate": "{{context}}", "context": {"projectId": project["id"]}}
        skill = (await one.http.post("/skills", json=body)).json()
        exported = (await one.http.get(f"/skills/{skill['id']}/export")).json()
        assert exported["skill"]["context"] == {}
        names = [(await one.http.post("/skills/import", json=exported)).json()["name"] for _ in range(2)]
        assert names == ([f"{'n' * 96} (1)", f"{'n' * 96} (2)"] if name == long else [f"{name} (1)", f"{name} (2)"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "skill"),
        ({"skill": {"name": "ok", "promptTemplate": "x"}}, "version"),
        ({"skill": {"name": "ok", "promptTemplate": "x"}, "version": "2.0"}, "version"),
        ({"skill": {"name": "x", "promptTemplate": "x"}, "version": "1.0"}, "skill.name"),
        ({"skill": {"name": "ok", "promptTemplate": "x", "inputSchema": [{"name": "a"}]}, "version": "1.0"}, None),
        ({"skill": {"name": "ok", "promptTemplate": "x", "model": "gpt-99"}, "version": "1.0"}, "model"),
    ],
)
async def test_a_file_that_is_none_says_what_is_wrong(person: Make, body: dict[str, object], field: str | None) -> None:
    answer = await person().http.post("/skills/import", json=body)
    assert answer.status_code == 422
    assert field is None or answer.json()["field"] == field


async def test_a_copy_is_ones_own_and_begins_anew(person: Make, shared: Shared, owner: Owner) -> None:
    boss = person()
    colleague = hire(owner, shared, boss, person())
    skill = await make_skill(boss, name="x" * 100, **EVERYTHING)
    answer = await colleague.http.post(f"/skills/{skill['id']}/duplicate")
    assert answer.status_code == 201, answer.text
    copy = answer.json()
    assert (copy["name"], copy["userId"], copy["version"]) == ("x" * 93 + " (Copy)", str(colleague.id), 1)
    assert {name: copy[name] for name in EVERYTHING} == EVERYTHING
    again = await colleague.http.post(f"/skills/{skill['id']}/duplicate", json={})
    assert (again.status_code, again.json()["code"]) == (409, "SKILL_NAME_EXISTS")
    named = await colleague.http.post(f"/skills/{skill['id']}/duplicate", json={"name": "Second"})
    assert named.json()["name"] == "Second"


async def test_bulk_calls_change_what_is_the_callers_and_pass_over_the_rest(
    person: Make, shared: Shared, owner: Owner
) -> None:
    boss, stranger = person(), person()
    colleague = hire(owner, shared, boss, person())
    mine = [await make_skill(colleague) for _ in range(3)]
    bosses, theirs = await make_skill(boss), await make_skill(stranger)
    ids = [one["id"] for one in (*mine, mine[0], bosses, theirs)] + [str(uuid.uuid4())]
    for path, expected in (("deactivate", False), ("deactivate", False), ("activate", True)):
        answer = await colleague.http.post(f"/skills/bulk/{path}", json={"skillIds": ids})
        assert answer.json() == {"success": True, "count": 3}
        for one in mine:
            assert (await colleague.http.get(f"/skills/{one['id']}")).json()["isActive"] is expected
        assert (await boss.http.get(f"/skills/{bosses['id']}")).json()["isActive"] is True
    assert (await boss.http.request("DELETE", "/skills/bulk", json={"skillIds": ids})).json()["count"] == 4
    assert (await boss.http.get("/skills")).json()["total"] == 0
    assert (await stranger.http.get(f"/skills/{theirs['id']}")).status_code == 200
    for bad in ({"skillIds": []}, {"skillIds": ["x"]}, {}, {"skillIds": [str(uuid.uuid4())] * 1001}):
        assert (await boss.http.post("/skills/bulk/activate", json=bad)).status_code == 422


async def test_a_skill_is_read_with_what_hangs_on_it(person: Make, owner: Owner) -> None:
    one = person()
    skill = await make_skill(one)
    values = (one.organization_id, skill["id"], one.id)
    owner.execute(
        "insert into habits (organization_id, skill_id, user_id, schedule_cron, next_run_at) "
        "values (%s, %s, %s, '0 9 * * 1', now())",
        values,
    )
    owner.execute(
        "insert into reflexes (organization_id, skill_id, user_id, trigger_type, trigger_config) values (%s, %s, %s, "
        """'webhook', '{"webhook": {"url": "https://x.test", "secret": "shown-once", "method": "POST"}}')""",
        values,
    )
    ran = await one.http.post(f"/skills/{skill['id']}/execute?wait=20", json={"input": {"text": "x"}})
    answer = await one.http.get(f"/skills/{skill['id']}/full")
    full = answer.json()
    shown = SkillWithRelations.model_validate(full).model_dump(mode="json", by_alias=True)
    assert shown.keys() == full.keys()
    for name in ("habits", "reflexes"):
        assert shown[name] == full[name]
    assert [each["scheduleCron"] for each in full["habits"]] == ["0 9 * * 1"]
    assert full["reflexes"][0]["triggerConfig"] == {"webhook": {"url": "https://x.test", "method": "POST"}}
    assert "shown-once" not in answer.text
    assert [each["id"] for each in full["recentExecutions"]] == [ran.json()["executionId"]]


async def test_a_skills_runs_are_listed_newest_first(person: Make) -> None:
    one = person()
    skill, other = await make_skill(one), await make_skill(one)
    ids = []
    for which in (skill, other, skill, skill):
        ran = await one.http.post(f"/skills/{which['id']}/execute?wait=20", json={"input": {"text": "x"}})
        if which is skill:
            ids.append(ran.json()["executionId"])
    page = (await one.http.get(f"/skills/{skill['id']}/executions", params={"limit": 2, "offset": 1})).json()
    assert ExecutionSlice.model_validate(page)
    assert ([each["id"] for each in page["executions"]], page["total"]) == ([ids[1], ids[0]], 3)
    assert len((await one.http.get(f"/skills/{skill['id']}/executions")).json()["executions"]) == 3
    empty = await make_skill(one)
    assert (await one.http.get(f"/skills/{empty['id']}/executions")).json() == {"executions": [], "total": 0}


async def test_numbers_agree_with_the_ledger(person: Make, owner: Owner) -> None:
    one = person(plan="enterprise")
    skill, other = await make_skill(one), await make_skill(one, model="claude-sonnet-4-5", isActive=True)
    await make_skill(one, isActive=False)
    runs = [(skill, "a" * 40), (skill, "fail: no"), (other, "hello"), (other, "again"), (other, "more")]
    await asyncio.gather(
        *(
            one.http.post(f"/skills/{which['id']}/execute?wait=30", json={"input": {"text": text}})
            for which, text in runs
        )
    )
    stats = (await one.http.get("/skills/stats")).json()
    assert SkillStats.model_validate(stats)
    tokens, cents = owner.execute(
        "select sum(coalesce(prompt_tokens, 0) + coalesce(completion_tokens, 0)), sum(coalesce(cost_cents, 0)) "
        "from usage_ledger where organization_id = %s and entry = 'settle'",
        (one.organization_id,),
    ).fetchone() or (0, 0)
    assert (stats["totalTokensUsed"], stats["totalCostCents"]) == (int(tokens), float(cents))
    assert cents > 0
    assert (stats["totalSkills"], stats["activeSkills"], stats["totalExecutions"]) == (3, 2, 5)
    assert stats["executionsByStatus"] == {"pending": 0, "running": 0, "completed": 4, "failed": 1, "cancelled": 0}
    assert stats["executionsByType"] == {"manual": 5, "habit": 0, "reflex": 0, "api": 0}
    assert [(each["skillId"], each["count"]) for each in stats["topSkillsByUsage"]] == [
        (other["id"], 3),
        (skill["id"], 2),
    ]
    board = (await one.http.get(f"/skills/{skill['id']}/stats", params={"period": "7d"})).json()
    assert SkillDashboard.model_validate(board)
    assert (board["overview"]["totalRuns"], board["overview"]["successRate"]) == (2, 50)
    assert len(board["executionsOverTime"]) == 7
    assert board["skillBreakdown"] is None
    assert (await one.http.get("/skills/stats", params={"period": "1y"})).status_code == 422


async def test_the_models_are_listed_with_exact_prices(person: Make) -> None:
    one = person()
    models = {each["id"]: each for each in (await one.http.get("/models")).json()}
    assert models["echo"] == {
        "id": "echo",
        "provider": "local",
        "name": "Echo",
        "contextTokens": 1000000,
        "inputPrice": "0",
        "outputPrice": "0",
        "cacheReadPrice": None,
        "cacheWritePrice": None,
        "available": True,
    }
    sonnet = models["claude-sonnet-4-6"]
    assert (sonnet["inputPrice"], sonnet["outputPrice"], sonnet["cacheReadPrice"]) == ("3", "15", "0.3")
    assert (sonnet["contextTokens"], sonnet["available"], sonnet["provider"]) == (1000000, True, "anthropic")
    assert {each["provider"] for each in models.values()} == {"local", "anthropic", "google", "openai"}
    for name in random_few(models):
        saved = await one.http.post("/skills", json={"name": f"With {name}", "promptTemplate": "x", "model": name})
        assert saved.status_code == 201, name


async def test_a_model_that_its_provider_has_ended_is_not_offered_and_a_skill_may_keep_it(person: Make) -> None:
    one = person()
    offered = {each["id"] for each in (await one.http.get("/models")).json()}
    assert not offered & {"claude-2", "claude-3-opus-latest", "gemini-1.5-pro", "gpt-4-32k", "o1-mini", "gpt-4"}
    skill = await make_skill(one, model="claude-3-opus-latest", promptTemplate="{{text}}")
    kept = await one.http.put(f"/skills/{skill['id']}", json={"name": "Old", "model": "claude-3-opus-latest"})
    assert kept.status_code == 200
    ran = await one.http.post(f"/skills/{skill['id']}/execute?wait=20", json={"input": {"text": "x"}})
    assert ran.json()["status"] == "completed"  # the stand-in has it still


def random_few(models: dict[str, Any]) -> list[str]:
    return sorted(models)[::7]
