"""Executions as a file: all that fit and no more, harmless in a spreadsheet, at constant memory, waiting for nobody."""

import asyncio
import csv
import io
import json
import random
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from kijko.models.executions import ExportedExecution
from kijko.routers.streaming import Patient
from kijko.services.executions.exporting import harmless
from tests.conftest import Person, Shared
from tests.executions.rows import ENDED, Run, insert, newest_first, of_project, some
from tests.projects.making import hire, join, make_project, said
from tests.skills.test_http import make_skill

Make = Callable[..., Person]
Owner = psycopg.Connection[Any]
MB = 1_000_000


async def export(one: Person, form: str, **query: object) -> httpx.Response:
    params = {"format": form} | {name: str(value) for name, value in query.items()}
    return await one.http.get("/executions/export", params=params)


async def rows_of(one: Person, **query: object) -> list[dict[str, str]]:
    answer = await export(one, "csv", **query)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


async def objects_of(one: Person, **query: object) -> list[dict[str, Any]]:
    answer = await export(one, "json", **query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


@pytest.mark.parametrize(("form", "kind"), [("csv", "text/csv; charset=utf-8"), ("json", "application/json")])
async def test_it_is_an_attachment_with_the_days_name(person: Make, form: str, kind: str) -> None:
    before = datetime.now(UTC).date()
    answer = await export(person(), form)
    assert answer.headers["content-type"] == kind
    found = re.fullmatch(
        rf'attachment; filename="executions-(\d{{4}}-\d\d-\d\d)\.{form}"', answer.headers["content-disposition"]
    )
    assert found is not None
    assert before.isoformat() <= found[1] <= datetime.now(UTC).date().isoformat()
    assert answer.headers["cache-control"] == "no-store"
    if form == "json":
        assert answer.json() == []
    else:
        assert answer.text.startswith("id,skillId,skillName,")
        assert answer.text.count("\r\n") == 1


async def test_every_execution_is_in_it_once_as_the_list_shows_it(person: Make, owner: Owner) -> None:
    one = person()
    skills = [await make_skill(one) for _ in range(2)]
    runs = newest_first(some(random.Random(1), [str(each["id"]) for each in skills], 1203))
    twins = [Run(run.skill_id, executed_at=runs[700].executed_at) for run in runs[:3]]  # asked for at one moment
    insert(owner, one, [*runs, *twins])
    runs = newest_first([*runs, *twins])
    names = {each["id"]: each["name"] for each in skills}
    found = await objects_of(one)
    assert [each["id"] for each in found] == [str(run.id) for run in runs]
    assert all(each.pop("skillName") == names[each["skillId"]] for each in found)
    ExportedExecution.model_validate({**found[0], "skillName": None})
    listed = (await one.http.get("/executions", params={"limit": 100})).json()["executions"]
    assert found[:100] == [{name: value for name, value in each.items() if name != "skill"} for each in listed]
    rows = await rows_of(one)
    assert [row["id"] for row in rows] == [str(run.id) for run in runs]
    for row, run, each in zip(rows, runs, found, strict=True):
        assert Decimal(row["costCents"]) == run.cost_cents if run.cost_cents is not None else row["costCents"] == ""
        assert (row["skillName"], row["status"], row["executedAt"]) == (
            names[run.skill_id],
            run.status,
            each["executedAt"],
        )
        assert row["tokensUsed"] == ("" if each["tokensUsed"] is None else str(each["tokensUsed"]))
        assert json.loads(row["input"]) == run.given


async def test_filters_are_those_of_the_list(person: Make, owner: Owner) -> None:
    one = person()
    skills = [str((await make_skill(one))["id"]) for _ in range(2)]
    runs = newest_first(some(random.Random(2), skills, 90))
    insert(owner, one, runs)
    for query in (
        {"skillId": skills[0]},
        {"status": "failed"},
        {"executionType": "api", "status": "completed"},
        {"startDate": runs[60].executed_at.isoformat(), "endDate": runs[10].executed_at.isoformat()},
        {"skillId": skills[1], "endDate": runs[30].executed_at.date()},
    ):
        params = {name: str(value) for name, value in query.items()} | {"limit": "100"}
        listed = (await one.http.get("/executions", params=params)).json()
        expected = [each["id"] for each in listed["executions"]]
        assert len(expected) == listed["total"] > 0
        assert [each["id"] for each in await objects_of(one, **query)] == expected
        assert [row["id"] for row in await rows_of(one, **query)] == expected


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff201"]
)
async def test_a_cell_that_would_be_a_formula_is_harmless(person: Make, owner: Owner, text: str) -> None:
    one = person()
    skill = await make_skill(one)
    insert(owner, one, [Run(str(skill["id"]), output=text), Run(str(skill["id"]), output=f'a,"b"\r\n{text}')])
    owner.execute("update skills set name = %s where id = %s", (f"{text} name", skill["id"]))
    rows = await rows_of(one)
    assert {row["output"] for row in rows} == {f"'{text}", f'a,"b"\r\n{text}'}
    assert {row["skillName"] for row in rows} == {f"'{text} name"}
    assert {each["output"] for each in await objects_of(one)} == {text, f'a,"b"\r\n{text}'}


def test_what_is_no_formula_stays_as_it_is() -> None:
    assert [harmless(each) for each in (None, "", "a=1", "1-1", " ", "it's")] == ["", "", "a=1", "1-1", " ", "it's"]


async def test_runs_over_a_private_project_are_in_the_files_of_its_readers_only(
    person: Make, owner: Owner, shared: Shared
) -> None:
    boss = person()
    reader, outsider = hire(owner, shared, boss, person()), hire(owner, shared, boss, person())
    project = await make_project(boss, privacy="private")
    join(owner, project, reader, "viewer")
    skill = str((await make_skill(boss))["id"])
    plain = [run for run in some(random.Random(3), [skill], 12) if run.status in ENDED]
    private = of_project([run for run in some(random.Random(4), [skill], 9) if run.status in ENDED], project["id"])
    insert(owner, boss, plain)
    insert(owner, boss, private)
    for one, runs in ((boss, [*plain, *private]), (reader, [*plain, *private]), (outsider, plain)):
        expected = [str(run.id) for run in newest_first(runs)]
        assert [row["id"] for row in await rows_of(one)] == expected
        assert [each["id"] for each in await objects_of(one, skillId=skill)] == expected


async def test_a_stranger_gets_an_empty_file(person: Make, owner: Owner) -> None:
    one, stranger = person(), person()
    skill = str((await make_skill(one))["id"])
    insert(owner, one, [Run(skill)])
    assert await rows_of(stranger) == []
    assert await objects_of(stranger, skillId=skill) == []
    headers = {"X-Organization-Id": str(one.organization_id)}
    assert said(await stranger.http.get("/executions/export", headers=headers)) == (404, "ORGANIZATION_NOT_FOUND")


@pytest.mark.parametrize(
    ("query", "field"), [({"format": "xlsx"}, "format"), ({"status": "x"}, "status"), ({"endDate": "x"}, "endDate")]
)
async def test_a_wrong_question_is_a_422(person: Make, query: dict[str, str], field: str) -> None:
    answer = await person().http.get("/executions/export", params=query)
    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def large(owner: Owner, one: Person, many: int, *, megabytes: int) -> None:
    """Runs with an output of so many MB that does not compress, and an input that does."""
    skill = str((await make_skill(one))["id"])
    then = datetime.now(UTC) - timedelta(days=1)
    insert(
        owner,
        one,
        [Run(skill, executed_at=then - timedelta(seconds=n), given={"text": "x" * 500_000}) for n in range(many)],
    )
    owner.execute(
        "update executions set output = (select string_agg(md5(random()::text), '') from generate_series(1, %s)) "
        "where organization_id = %s",
        (megabytes * MB // 32, one.organization_id),
    )


async def test_a_large_file_takes_no_memory(person: Make, owner: Owner, stack_env: dict[str, str]) -> None:
    one = person()
    await large(owner, one, 60, megabytes=2)
    process = psutil.Process(int(stack_env["KIJKO_PID_API"]))
    for form in ("csv", "json"):
        before, most, size = process.memory_info().rss, 0, 0
        async with one.http.stream("GET", "/executions/export", params={"format": form}) as answer:
            async for part in answer.aiter_bytes():
                size += len(part)
                most = max(most, process.memory_info().rss)
        assert size > 60 * 2.5 * MB
        assert most - before < 60 * MB


async def test_readers_that_stop_hold_no_connection_of_the_database(
    person: Make, owner: Owner, shared: Shared, stack_env: dict[str, str]
) -> None:
    boss = person()
    await large(owner, boss, 20, megabytes=2)
    slow = [hire(owner, shared, boss, person()) for _ in range(12)]
    async with AsyncExitStack() as open_files:
        for one in slow:
            for _ in range(2):
                answer = await open_files.enter_async_context(
                    one.http.stream("GET", "/executions/export", params={"format": "json"})
                )
                assert answer.status_code == 200
        third = await slow[0].http.get("/executions/export", params={"format": "csv"})
        assert said(third) == (429, "RATE_LIMITED")
        assert third.json()["details"]["limit"] == 2
        await asyncio.sleep(1)
        held = owner.execute(
            "select count(*) from pg_stat_activity where usename = 'kijko_api' and state = 'idle in transaction'"
        ).fetchone()
        assert held == (0,)
        read = await asyncio.gather(*(boss.http.get("/executions", params={"limit": 1}) for _ in range(10)))
        assert {answer.status_code for answer in read} == {200}
    for _ in range(100):  # whoever went away has left their place
        if (await export(slow[0], "csv", status="pending")).status_code == 200:
            break
        await asyncio.sleep(0.1)
    else:
        raise AssertionError("an export that was broken off is still counted")


async def test_who_reads_nothing_is_let_go_and_the_file_is_cut() -> None:
    ended = []

    async def parts() -> AsyncIterator[bytes]:
        try:
            for _ in range(3):
                yield b"part"
        finally:
            ended.append(True)

    taken: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        if len(taken) == 2:
            await asyncio.Event().wait()
        taken.append(message)

    class Short(Patient):
        slowest_s = 0.05

    body = parts()
    await asyncio.wait_for(Short(body).stream_response(send), 5)  # type: ignore[arg-type]  # messages are dicts
    assert [message["type"] for message in taken] == ["http.response.start", "http.response.body"]
    assert ended == [True]
