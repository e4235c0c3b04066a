"""Deleting old executions: by owners and admins, only what has ended, and no total falls."""

import asyncio
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.conftest import Person, Shared
from tests.executions.rows import ENDED, Run, insert, some
from tests.projects.making import hire, make_project, said
from tests.skills.test_http import make_skill

Make = Callable[..., Person]
Owner = psycopg.Connection[Any]


async def clean(one: Person, **query: object) -> dict[str, Any]:
    answer = await one.http.delete("/executions/cleanup", params={name: str(value) for name, value in query.items()})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def left(owner: Owner, one: Person) -> set[str]:
    rows = owner.execute("select id from executions where organization_id = %s", (one.organization_id,))
    return {str(row[0]) for row in rows}


async def test_what_is_old_and_has_ended_goes_and_no_total_falls(person: Make, owner: Owner) -> None:
    one, other = person(), person()
    skill = str((await make_skill(one))["id"])
    runs = some(random.Random(1), [skill], 200, days=200)
    insert(owner, one, runs)
    theirs = some(random.Random(2), [str((await make_skill(other))["id"])], 20, days=200)
    insert(owner, other, theirs)
    addresses = (
        "stats",
        "cost-breakdown?startDate=2020-01-01",
        "performance",
        "aggregated?period=90d",
        "cost-projection",
    )
    before = [(await one.http.get(f"/executions/{address}")).json() for address in addresses]
    usage = "select sum(cost_cents), count(*) from usage_ledger where organization_id = %s"
    ledger = owner.execute(usage, (one.organization_id,)).fetchone()
    done = await clean(one, olderThanDays=30)
    line = datetime.now(UTC) - timedelta(days=30)
    old = {str(run.id) for run in runs if run.executed_at < line and run.status in ENDED}
    assert done["deletedCount"] == len(old)
    assert 0.0003 * len(old) < done["freedSpaceMb"] < 0.001 * len(old) + 0.001
    assert left(owner, one) == {str(run.id) for run in runs} - old
    assert left(owner, other) == {str(run.id) for run in theirs}
    assert [(await one.http.get(f"/executions/{address}")).json() for address in addresses] == before
    assert owner.execute(usage, (one.organization_id,)).fetchone() == ledger
    assert await clean(one, olderThanDays=30) == {"deletedCount": 0, "freedSpaceMb": 0}


async def test_ninety_days_are_kept_by_default(person: Make, owner: Owner) -> None:
    one = person()
    skill = str((await make_skill(one))["id"])
    now = datetime.now(UTC)
    young, old = Run(skill, executed_at=now - timedelta(days=89)), Run(skill, executed_at=now - timedelta(days=91))
    insert(owner, one, [young, old])
    assert (await clean(one))["deletedCount"] == 1
    assert left(owner, one) == {str(young.id)}


async def test_more_than_one_transaction_takes_all_go_and_two_at_once_share(person: Make, owner: Owner) -> None:
    one = person()
    skill = str((await make_skill(one))["id"])
    then = datetime.now(UTC) - timedelta(days=100)
    insert(owner, one, [Run(skill, executed_at=then - timedelta(seconds=n)) for n in range(2300)])
    first, second = await asyncio.gather(clean(one), clean(one))
    rest = await clean(one)
    assert first["deletedCount"] + second["deletedCount"] + rest["deletedCount"] == 2300
    assert left(owner, one) == set()


async def test_an_admin_may_and_a_member_may_not(person: Make, owner: Owner, shared: Shared) -> None:
    boss = person()
    admin, member = hire(owner, shared, boss, person(), "admin"), hire(owner, shared, boss, person())
    project = await make_project(boss, privacy="private")
    run = Run(
        str((await make_skill(boss))["id"]),
        executed_at=datetime.now(UTC) - timedelta(days=100),
        cited_project_id=project["id"],
    )
    insert(owner, boss, [run])
    refused = await member.http.delete("/executions/cleanup")
    assert said(refused) == (403, "FORBIDDEN")
    assert "owners and admins" in refused.json()["detail"]
    assert (await clean(admin))["deletedCount"] == 1


async def test_sql_lets_a_member_delete_nothing(person: Make, owner: Owner, shared: Shared) -> None:
    boss = person()
    member = hire(owner, shared, boss, person())
    insert(owner, boss, [Run(str((await make_skill(boss))["id"]))])
    for statement in (
        "select kijko.clean_executions(now(), 10)",
        "delete from executions",
        "delete from execution_days",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), owner.transaction():
            owner.execute(
                "select set_config('request.jwt.claims', %s, true), set_config('app.current_org_id', %s, true)",
                (f'{{"sub": "{member.id}"}}', str(boss.organization_id)),
            )
            owner.execute("set local role authenticated")
            owner.execute(statement.encode())


@pytest.mark.parametrize("days", ["0", "-1", "3651", "x", "1.5"])
async def test_days_have_bounds(person: Make, days: str) -> None:
    answer = await person().http.delete("/executions/cleanup", params={"olderThanDays": days})
    assert (answer.status_code, answer.json()["field"]) == (422, "olderThanDays")
