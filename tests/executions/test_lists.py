"""Pages of executions, the newest, those under way, and one with its skill."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from kijko.models.executions import ExecutionPage, ExecutionWithSkill
from tests.conftest import Person, Shared
from tests.executions.rows import ENDED, Run, insert, newest_first, of_project, some
from tests.executions.test_http import execute
from tests.projects.making import hire, join, make_project
from tests.skills.test_http import make_skill

Make = Callable[..., Person]
Owner = psycopg.Connection[Any]


async def listed(one: Person, **query: object) -> dict[str, Any]:
    answer = await one.http.get("/executions", params={name: str(value) for name, value in query.items()})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def ids(found: dict[str, Any]) -> list[str]:
    return [each["id"] for each in found["executions"]]


async def test_a_list_is_newest_first_and_each_has_its_skill(person: Make, owner: Owner) -> None:
    one, other = person(), person()
    skills = [await make_skill(one) for _ in range(2)]
    insert(owner, other, some(random.Random(1), [str((await make_skill(other))["id"])], 5))
    await execute(one, skills[0], input={"text": "x"})
    found = await listed(one)
    (only,) = found["executions"]
    assert found == {"executions": [only], "total": 1, "page": 1, "pageSize": 20, "hasMore": False}
    assert only["skill"] == (await one.http.get(f"/skills/{skills[0]['id']}")).json()
    read = (await one.http.get(f"/executions/{only['id']}")).json()
    assert "renderedPrompt" not in only
    assert {name: value for name, value in read.items() if name != "renderedPrompt"} == {
        name: value for name, value in only.items() if name != "skill"
    }
    ExecutionPage.model_validate(found)
    runs = some(random.Random(2), [str(each["id"]) for each in skills], 30)
    insert(owner, one, runs)
    assert ids(await listed(one, limit=100))[1:] == [str(run.id) for run in newest_first(runs)]


async def test_filters_are_those_of_a_plain_computation(person: Make, owner: Owner) -> None:
    one = person()
    skills = [str((await make_skill(one))["id"]) for _ in range(3)]
    runs = newest_first(some(random.Random(3), skills, 150))
    insert(owner, one, runs)
    early, late = runs[120].executed_at, runs[30].executed_at
    for query, fits in (
        ({"skillId": skills[1]}, lambda run: run.skill_id == skills[1]),
        ({"status": "failed"}, lambda run: run.status == "failed"),
        ({"executionType": "reflex"}, lambda run: run.kind == "reflex"),
        ({"startDate": early.isoformat()}, lambda run: run.executed_at >= early),
        ({"endDate": late.isoformat()}, lambda run: run.executed_at <= late),
        ({"startDate": early.date(), "endDate": early.date()}, lambda run: run.executed_at.date() == early.date()),
        (
            {"skillId": skills[0], "status": "completed", "executionType": "api", "endDate": late.isoformat()},
            lambda run: (
                (run.skill_id, run.status, run.kind) == (skills[0], "completed", "api") and run.executed_at <= late
            ),
        ),
        ({"skillId": "00000000-0000-0000-0000-000000000007"}, lambda run: False),
    ):
        expected = [str(run.id) for run in runs if fits(run)]
        found = await listed(one, limit=100, **query)
        assert ids(found) == expected[:100], query
        assert (found["total"], found["hasMore"]) == (len(expected), len(expected) > 100)
        assert ids(await listed(one, limit=7, offset=5, **query)) == expected[5:12]


@pytest.mark.parametrize(
    ("limit", "offset", "page", "more"),
    [(10, 0, 1, True), (10, 20, 3, True), (10, 24, 3, False), (10, 15, 2, True), (10, 90, 10, False)],
)
async def test_a_page_is_told_in_the_words_of_pages(
    person: Make, owner: Owner, limit: int, offset: int, page: int, more: bool
) -> None:
    one = person()
    insert(owner, one, some(random.Random(4), [str((await make_skill(one))["id"])], 34))
    found = await listed(one, limit=limit, offset=offset)
    assert (found["total"], found["page"], found["pageSize"], found["hasMore"]) == (34, page, limit, more)
    assert len(found["executions"]) == max(min(limit, 34 - offset), 0)


async def test_a_cost_that_is_not_known_is_null_and_one_that_is_known_is_exact(person: Make, owner: Owner) -> None:
    one = person()
    skill = str((await make_skill(one))["id"])
    now = datetime.now(UTC)
    insert(owner, one, [Run(skill, executed_at=now, cost_cents=None), Run(skill, executed_at=now - timedelta(hours=1))])
    unknown, known = (await listed(one))["executions"]
    assert (unknown["costCents"], known["costCents"], unknown["tokensUsed"]) == (None, 0.25, 15)


async def test_the_newest_and_those_under_way(person: Make, owner: Owner) -> None:
    one = person()
    skill = str((await make_skill(one))["id"])
    runs = newest_first(some(random.Random(5), [skill], 120))
    insert(owner, one, runs)
    recent = (await one.http.get("/executions/recent")).json()
    assert [each["id"] for each in recent] == [str(run.id) for run in runs[:10]]
    assert len((await one.http.get("/executions/recent", params={"limit": 100})).json()) == 100
    running = (await one.http.get("/executions/running")).json()
    expected = [run for run in runs if run.status == "running"] + [run for run in runs if run.status == "pending"]
    assert {each["id"] for each in running} == {str(run.id) for run in expected}
    assert [each["status"] for each in running] == [run.status for run in expected]
    for each in (*recent, *running):
        assert ExecutionWithSkill.model_validate(each).skill is not None
    assert len((await one.http.get("/executions/running", params={"limit": 3})).json()) == 3


async def test_one_with_its_skill_is_the_one_that_is_read_alone(person: Make) -> None:
    one = person()
    skill = await make_skill(one)
    done = await execute(one, skill, input={"text": "x"})
    full = (await one.http.get(f"/executions/{done['executionId']}/full")).json()
    assert full.pop("skill") == (await one.http.get(f"/skills/{skill['id']}")).json()
    assert full == (await one.http.get(f"/executions/{done['executionId']}")).json()
    assert full["renderedPrompt"] == "x"


async def test_runs_over_a_private_project_are_listed_for_its_readers_only(
    person: Make, owner: Owner, shared: Shared
) -> None:
    boss = person()
    reader, outsider = hire(owner, shared, boss, person()), hire(owner, shared, boss, person())
    project = await make_project(boss, privacy="private")
    join(owner, project, reader, "viewer")
    skill = str((await make_skill(boss))["id"])
    plain = [run for run in some(random.Random(6), [skill], 12) if run.status in ENDED]
    private = of_project([run for run in some(random.Random(7), [skill], 9) if run.status in ENDED], project["id"])
    insert(owner, boss, plain)
    insert(owner, boss, private)
    for one, runs in ((boss, [*plain, *private]), (reader, [*plain, *private]), (outsider, plain)):
        found = await listed(one, limit=100)
        assert (ids(found), found["total"]) == ([str(run.id) for run in newest_first(runs)], len(runs))
        assert ids(await listed(one, limit=100, skillId=skill)) == ids(found)
        recent = (await one.http.get("/executions/recent", params={"limit": 100})).json()
        assert [each["id"] for each in recent] == ids(found)
        there = (await one.http.get(f"/executions/{private[0].id}/full")).status_code
        assert there == (404 if one is outsider else 200)


async def test_a_stranger_finds_nothing_of_anothers(person: Make, owner: Owner) -> None:
    one, stranger = person(), person()
    skill = str((await make_skill(one))["id"])
    insert(owner, one, some(random.Random(8), [skill], 20))
    for query in ({}, {"skillId": skill}, {"status": "completed"}):
        assert (await listed(stranger, **query))["total"] == 0
    for address in ("recent", "running"):
        assert (await stranger.http.get(f"/executions/{address}")).json() == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"offset": "-1"}, "offset"),
        ({"offset": "99999999999999999999"}, "offset"),
        ({"status": "done"}, "status"),
        ({"executionType": "cron"}, "executionType"),
        ({"skillId": "x"}, "skillId"),
        ({"startDate": "01-02-2026"}, "startDate"),
        ({"startDate": "2026-02-02", "endDate": "2026-02-01"}, "endDate"),
    ],
)
async def test_a_filter_that_cannot_be_right_is_refused_by_its_name(
    person: Make, query: dict[str, str], field: str
) -> None:
    answer = await person().http.get("/executions", params=query)
    assert answer.status_code == 422, answer.text
    assert (answer.json()["code"], answer.json()["field"]) == ("VALIDATION_ERROR", field)
    assert answer.json()["details"][0]["field"] == field


async def test_a_list_shows_the_beginning_of_what_is_long(person: Make) -> None:
    one = person()
    skill = await make_skill(one)
    text = "long " * 20_000
    run = await one.http.post(f"/skills/{skill['id']}/execute?wait=20", json={"input": {"text": text}})
    execution_id = run.json()["executionId"]
    whole = (await one.http.get(f"/executions/{execution_id}")).json()
    assert (whole["output"], whole["input"]) == (text, {"text": text})
    for path in ("/executions", f"/skills/{skill['id']}/executions"):
        (shown,) = (await one.http.get(path)).json()["executions"]
        assert (shown["output"], shown["input"]) == (text[:20_000], None)
    (recent,) = (await one.http.get("/executions/recent")).json()
    assert recent["output"] == text[:20_000]
    exported = (await one.http.get("/executions/export", params={"format": "json"})).json()
    assert text in str(exported)
