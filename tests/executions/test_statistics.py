"""Every statistic against the same computed plainly, over random runs; for whoever may see them, and nobody else."""

import asyncio
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import psycopg
import pytest

from kijko.models.statistics import CostBreakdown, CostProjection, ExecutionStats, PerformanceMetrics, SkillDashboard
from tests.conftest import Person, Shared
from tests.executions.rows import ENDED, STATUSES, TYPES, Run, insert, of_project, some
from tests.executions.test_http import execute
from tests.projects.making import hire, join, make_project
from tests.skills.test_http import make_skill

Make = Callable[..., Person]
Owner = psycopg.Connection[Any]
ADDRESSES = ("stats", "cost-breakdown", "performance", "aggregated", "cost-projection")


async def read(one: Person, address: str, **query: object) -> dict[str, Any]:
    answer = await one.http.get(f"/executions/{address}", params={name: str(value) for name, value in query.items()})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def today() -> date:
    return datetime.now(UTC).date()


def rounded(value: Fraction | Decimal | float, digits: int = 4) -> Any:
    # Ties go up, as Postgres's numeric rounds them.
    return pytest.approx(math.floor(Fraction(value) * 10**digits + Fraction(1, 2)) / 10**digits, abs=1e-9)


def mean(values: Sequence[int]) -> Fraction:
    return Fraction(sum(values), len(values)) if values else Fraction(0)


def cents(runs: Sequence[Run]) -> Any:
    return pytest.approx(float(sum(run.cost_cents or Decimal(0) for run in runs)), abs=1e-9)


def done(runs: Sequence[Run]) -> list[Run]:
    return [run for run in runs if run.status == "completed"]


def times(runs: Sequence[Run]) -> list[int]:
    return [run.duration_ms or 0 for run in done(runs)]


def rate(runs: Sequence[Run]) -> Fraction:
    by = Counter(run.status for run in runs)
    return (
        Fraction(100 * by["completed"], by["completed"] + by["failed"])
        if by["completed"] + by["failed"]
        else Fraction(0)
    )


def by_status(runs: Sequence[Run]) -> dict[str, int]:
    return {status: sum(run.status == status for run in runs) for status in STATUSES}


def by_type(runs: Sequence[Run]) -> dict[str, int]:
    return {kind: sum(run.kind == kind for run in runs) for kind in TYPES}


def day_of(run: Run) -> date:
    return run.executed_at.astimezone(UTC).date()


def days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=each) for each in range((last - first).days + 1)]


def stats_of(runs: Sequence[Run], first: date, last: date) -> dict[str, Any]:
    return {
        "totalExecutions": len(runs),
        "successfulExecutions": by_status(runs)["completed"],
        "failedExecutions": by_status(runs)["failed"],
        "cancelledExecutions": by_status(runs)["cancelled"],
        "totalTokensUsed": sum(run.tokens for run in runs),
        "totalCostCents": cents(runs),
        "averageDurationMs": rounded(mean(times(runs))),
        "executionsByType": by_type(runs),
        "executionsByStatus": by_status(runs),
        "dailyExecutions": [
            {
                "date": day.isoformat(),
                "count": sum(day_of(run) == day for run in runs),
                "tokens": sum(run.tokens for run in runs if day_of(run) == day),
            }
            for day in days(first, last)
        ],
    }


def costs_of(runs: Sequence[Run], names: dict[str, str], first: date, last: date) -> dict[str, Any]:
    ended = [run for run in runs if run.status in ENDED]
    of = {skill: [run for run in ended if run.skill_id == skill] for skill in {run.skill_id for run in ended}}
    order = sorted(of, key=lambda skill: (-sum(run.cost_cents or 0 for run in of[skill]), -len(of[skill]), skill))
    return {
        "totalCostCents": cents(ended),
        "costBySkill": [
            {
                "skillId": skill,
                "skillName": names[skill],
                "costCents": cents(of[skill]),
                "executionCount": len(of[skill]),
            }
            for skill in order
        ],
        "costByType": {kind: cents([run for run in ended if run.kind == kind]) for kind in TYPES},
        "costByDay": [
            {"date": day.isoformat(), "costCents": cents([run for run in ended if day_of(run) == day])}
            for day in days(first, last)
        ],
    }


def place(sorted_times: Sequence[int], share: Fraction) -> int:
    return sorted_times[max(math.ceil(len(sorted_times) * share) - 1, 0)] if sorted_times else 0


def performance_of(runs: Sequence[Run]) -> dict[str, Any]:
    ordered = sorted(times(runs))
    return {
        "averageDurationMs": rounded(mean(ordered)),
        "p50DurationMs": place(ordered, Fraction(50, 100)),
        "p90DurationMs": place(ordered, Fraction(90, 100)),
        "p99DurationMs": place(ordered, Fraction(99, 100)),
        "successRate": rounded(rate(runs)),
        "durationByHour": [
            {"hour": hour, "avgDurationMs": rounded(mean(times([r for r in runs if r.executed_at.hour == hour])))}
            for hour in range(24)
        ],
    }


def dashboard_of(runs: Sequence[Run], names: dict[str, str], many: int) -> dict[str, Any]:
    chosen = days(today() - timedelta(days=many - 1), today())
    runs = [run for run in runs if day_of(run) in chosen]
    counts = Counter(run.skill_id for run in runs)
    return {
        "overview": {
            "totalRuns": len(runs),
            "successRate": rounded(rate(runs)),
            "avgTokens": rounded(mean([run.tokens for run in done(runs)])),
            "avgDurationMs": rounded(mean(times(runs))),
            "totalCostCents": cents(runs),
        },
        "executionsOverTime": [
            {
                "date": day.isoformat(),
                "count": len(those := [run for run in runs if day_of(run) == day]),
                "successCount": by_status(those)["completed"],
                "failureCount": by_status(those)["failed"],
                "tokens": sum(run.tokens for run in those),
                "costCents": cents(those),
            }
            for day in chosen
        ],
        "executionsByType": by_type(runs),
        "executionsByStatus": by_status(runs),
        "skillBreakdown": [
            {"skillId": skill, "name": names[skill], "runs": counts[skill]}
            for skill in sorted(counts, key=lambda skill: (-counts[skill], skill))
        ],
    }


def projection_of(runs: Sequence[Run], ahead: int) -> dict[str, Any]:
    ended = [run for run in runs if run.status in ENDED]
    first = min((day_of(run) for run in ended), default=today())
    seen = [run for run in ended if today() - timedelta(days=30) <= day_of(run) < today()]
    since = min(max((today() - first).days, 1), 30)
    cost = Fraction(sum(run.cost_cents or Decimal(0) for run in seen)) / since
    return {
        "projectedCostCents": rounded(cost * ahead, 6),
        "projectedRuns": rounded(Fraction(len(seen) * ahead, since), 6),
        "averageDailyCost": rounded(cost, 6),
    }


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)


async def skills_of(one: Person, many: int) -> dict[str, str]:
    """Names by their ids."""
    return {made["id"]: made["name"] for made in [await make_skill(one) for _ in range(many)]}


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_number_agrees_with_a_plain_computation(person: Make, owner: Owner, seed: int) -> None:
    one, other, chance = person(), person(), random.Random(seed)
    names = await skills_of(one, 4)
    runs = some(chance, list(names), 400)
    insert(owner, one, runs)
    insert(owner, other, some(chance, list(await skills_of(other, 1)), 50))
    first = min(day_of(run) for run in runs)

    whole = await read(one, "stats")
    assert whole == stats_of(runs, max(first, today() - timedelta(days=13)), today())
    ExecutionStats.model_validate(whole)

    skill = chance.choice(list(names))
    assert await read(one, "stats", skillId=skill) == stats_of(
        [run for run in runs if run.skill_id == skill], today() - timedelta(days=13), today()
    )

    for _ in range(6):  # any two moments, of one day too
        start, end = sorted(chance.choice(runs).executed_at + timedelta(hours=chance.uniform(-2, 2)) for _ in range(2))
        part = [run for run in runs if start <= run.executed_at <= end]
        last = min(end.date(), today())
        assert await read(one, "stats", startDate=start.isoformat(), endDate=end.isoformat()) == stats_of(
            part, max(start.date(), last - timedelta(days=13)), last
        )
        listed = (await one.http.get("/executions", params={"startDate": start, "endDate": end})).json()
        assert listed["total"] == len(part)
        costs = await read(one, "cost-breakdown", startDate=start.isoformat(), endDate=end.isoformat())
        began = max(start.date(), min((day_of(run) for run in part), default=last))
        assert costs == costs_of(part, names, began, last)

    month = today() - timedelta(days=29)
    costs = await read(one, "cost-breakdown")
    last_30 = [run for run in runs if day_of(run) >= month]
    assert costs == costs_of(last_30, names, min(day_of(run) for run in last_30), today())
    CostBreakdown.model_validate(costs)

    performance = await read(one, "performance")
    assert performance == performance_of(runs)
    PerformanceMetrics.model_validate(performance)
    assert await read(one, "performance", skillId=skill) == performance_of([r for r in runs if r.skill_id == skill])

    for period, many in (("7d", 7), ("30d", 30), ("90d", 90)):
        dashboard = await read(one, "aggregated", period=period)
        assert dashboard == dashboard_of(runs, names, many)
        SkillDashboard.model_validate(dashboard)
    assert await read(one, "aggregated") == dashboard_of(runs, names, 30)

    for ahead in (1, 30, 365):
        projection = await read(one, "cost-projection", days=ahead)
        assert projection == projection_of(runs, ahead)
        CostProjection.model_validate(projection)


async def test_a_whole_day_is_meant_by_a_date_and_an_instant_by_a_time(person: Make, owner: Owner) -> None:
    one = person()
    (skill,) = await skills_of(one, 1)
    day = today() - timedelta(days=5)
    edges = [midnight(day), midnight(day + timedelta(days=1)) - timedelta(microseconds=1)]
    outside = [edges[0] - timedelta(microseconds=1), edges[1] + timedelta(microseconds=1)]
    insert(owner, one, [Run(skill, executed_at=at) for at in (*edges, *outside)])
    assert (await read(one, "stats", startDate=day, endDate=day))["totalExecutions"] == 2
    assert (await read(one, "stats", startDate=edges[0].isoformat()))["totalExecutions"] == 3
    assert (await read(one, "stats", endDate=edges[0].isoformat()))["totalExecutions"] == 2
    shifted = edges[0].astimezone(tz=datetime.strptime("+0530", "%z").tzinfo)
    assert (await read(one, "stats", endDate=shifted.isoformat()))["totalExecutions"] == 2
    assert (await read(one, "cost-breakdown", endDate=day))["costByDay"][-1]["date"] == day.isoformat()


async def test_nothing_at_all_is_zeros(person: Make) -> None:
    one = person()
    stats = await read(one, "stats")
    assert (stats["totalExecutions"], stats["averageDurationMs"], len(stats["dailyExecutions"])) == (0, 0, 14)
    assert (await read(one, "cost-breakdown"))["costBySkill"] == []
    assert (await read(one, "cost-breakdown"))["totalCostCents"] == 0
    performance = await read(one, "performance")
    assert (performance["p99DurationMs"], performance["successRate"]) == (0, 0)
    assert len(performance["durationByHour"]) == 24
    dashboard = await read(one, "aggregated", period="7d")
    assert len(dashboard["executionsOverTime"]) == 7
    assert dashboard["overview"] == {
        **dict.fromkeys(("totalRuns", "successRate", "avgTokens", "avgDurationMs", "totalCostCents"), 0)
    }
    assert await read(one, "cost-projection") == {
        "projectedCostCents": 0,
        "projectedRuns": 0,
        "averageDailyCost": 0,
    }


async def test_runs_over_a_private_project_are_in_the_numbers_of_its_readers_only(
    person: Make, owner: Owner, shared: Shared
) -> None:
    boss = person()
    reader, outsider = hire(owner, shared, boss, person()), hire(owner, shared, boss, person())
    project = await make_project(boss, privacy="private")
    join(owner, project, reader, "viewer")
    names = await skills_of(boss, 2)
    chance = random.Random(4)
    open_to_all = [run for run in some(chance, list(names), 60) if run.status in ENDED]
    private = of_project([run for run in some(chance, list(names), 40) if run.status in ENDED], project["id"])
    insert(owner, boss, open_to_all)
    insert(owner, boss, private)
    for one, runs in ((boss, [*open_to_all, *private]), (reader, [*open_to_all, *private]), (outsider, open_to_all)):
        first = max(min(day_of(run) for run in runs), today() - timedelta(days=13))
        assert await read(one, "stats") == stats_of(runs, first, today())
        assert (await read(one, "cost-breakdown", startDate="2020-01-01"))["totalCostCents"] == cents(runs)
        assert await read(one, "performance") == performance_of(runs)
        assert await read(one, "aggregated", period="90d") == dashboard_of(runs, names, 90)
        assert await read(one, "cost-projection") == projection_of(runs, 30)
        start = min(run.executed_at for run in runs) + timedelta(minutes=1)
        part = await read(one, "stats", startDate=start.isoformat())
        assert part["totalExecutions"] == sum(run.executed_at >= start for run in runs)


@pytest.mark.parametrize("address", ADDRESSES)
async def test_a_stranger_sees_nothing_of_it(person: Make, owner: Owner, address: str) -> None:
    one, stranger = person(), person()
    names = await skills_of(one, 1)
    empty = await read(stranger, address)
    insert(owner, one, [run for run in some(random.Random(5), list(names), 20) if run.status in ENDED])
    assert await read(stranger, address) == empty
    if address in {"stats", "performance"}:
        assert await read(stranger, address, skillId=next(iter(names))) == empty
    refused = await stranger.http.get(f"/executions/{address}", headers={"X-Organization-Id": str(one.organization_id)})
    assert (refused.status_code, refused.json()["code"]) == (404, "ORGANIZATION_NOT_FOUND")


async def test_numbers_stay_when_skills_and_executions_go(person: Make, owner: Owner) -> None:
    one = person()
    names = await skills_of(one, 2)
    runs = [run for run in some(random.Random(6), list(names), 80) if run.status in ENDED]
    insert(owner, one, runs)
    before = {address: await read(one, address) for address in ADDRESSES}
    gone = next(iter(names))
    owner.execute("delete from skills where id = %s", (gone,))
    owner.execute("delete from executions where organization_id = %s", (one.organization_id,))
    after = {address: await read(one, address) for address in ADDRESSES}
    assert {entry["name"] for entry in after["aggregated"]["skillBreakdown"]} == {
        names[list(names)[1]],
        "Deleted skill",
    }
    for found in (before, after):
        for entry in found["aggregated"]["skillBreakdown"]:
            entry["name"] = ""
        for entry in found["cost-breakdown"]["costBySkill"]:
            entry["skillName"] = ""
    assert after == before


async def test_workers_runs_are_counted_as_they_end(person: Make, owner: Owner) -> None:
    one = person()
    skill = await make_skill(one)
    await asyncio.gather(*(execute(one, skill, input={"text": f"n {n}"}) for n in range(8)))
    await execute(one, skill, input={"text": "fail: no"})
    stats = await read(one, "stats")
    assert (stats["totalExecutions"], stats["successfulExecutions"], stats["failedExecutions"]) == (9, 8, 1)
    total = (
        "select sum(prompt_tokens + completion_tokens), sum(cost_cents) from usage_ledger where organization_id = %s"
    )
    tokens, cost = owner.execute(total, (one.organization_id,)).fetchone() or (0, 0)
    assert (stats["totalTokensUsed"], stats["totalCostCents"]) == (tokens, float(cost))


async def test_writers_and_the_sweep_at_once_lose_and_double_nothing(
    person: Make, owner: Owner, stack_env: dict[str, str]
) -> None:
    one = person()
    (skill,) = await skills_of(one, 1)
    chance = random.Random(7)
    lots = [[run for run in some(chance, [skill], 40, days=3) if run.status in ENDED] for _ in range(12)]
    total = sum(len(lot) for lot in lots)

    def write(lot: Sequence[Run]) -> None:
        with psycopg.connect(stack_env["KIJKO_DATABASE_URL"], autocommit=True) as mine:
            insert(mine, one, lot)

    def merge() -> None:
        with psycopg.connect(stack_env["KIJKO_DATABASE_URL"], autocommit=True) as mine:
            for _ in range(40):
                mine.execute("select kijko.merge_execution_days(50), kijko.merge_execution_hours(30)")

    await asyncio.gather(
        *(asyncio.to_thread(write, lot) for lot in lots), *(asyncio.to_thread(merge) for _ in range(3))
    )
    runs = [run for lot in lots for run in lot]
    assert await read(one, "stats") == stats_of(runs, today() - timedelta(days=13), today())
    assert sum(len(lot) for lot in lots) == total
    for _ in range(200):  # until the scheduler has put all of them together
        (loose,) = owner.execute(
            "select (select count(*) from execution_days where loose and organization_id = %(one)s) "
            "+ (select count(*) from execution_hours where loose and organization_id = %(one)s)",
            {"one": one.organization_id},
        ).fetchone() or (1,)
        if not loose:
            break
        await asyncio.sleep(0.1)
    doubled = owner.execute(
        "select day, execution_type from execution_days where organization_id = %s group by 1, 2 having count(*) > 1",
        (one.organization_id,),
    ).fetchall()
    doubled += owner.execute(
        "select skill_id, hour from execution_hours where organization_id = %s group by 1, 2 having count(*) > 1",
        (one.organization_id,),
    ).fetchall()
    assert (loose, doubled) == (0, [])
    assert await read(one, "performance") == performance_of(runs)
    assert await read(one, "stats") == stats_of(runs, today() - timedelta(days=13), today())


async def test_a_test_run_in_the_ledger_is_no_execution(person: Make, owner: Owner) -> None:
    one = person()
    owner.execute(
        "insert into usage_ledger (organization_id, metric, entry, quantity, subject_id, user_id, prompt_tokens, "
        "cost_cents, outcome) values (%s, 'oracle_queries', 'settle', 0, gen_random_uuid(), %s, 5, 1, 'completed')",
        (one.organization_id, one.id),
    )
    assert (await read(one, "stats"))["totalExecutions"] == 0
    assert (await read(one, "cost-breakdown"))["totalCostCents"] == 0


@pytest.mark.parametrize(
    ("address", "query", "field"),
    [
        ("stats", {"startDate": "yesterday"}, "startDate"),
        ("stats", {"startDate": "2026-02-30"}, "startDate"),
        ("stats", {"endDate": "2026-01-01T10:00:00"}, "endDate"),
        ("stats", {"startDate": "2026-02-02", "endDate": "2026-02-01"}, "endDate"),
        ("stats", {"skillId": "none"}, "skillId"),
        ("cost-breakdown", {"startDate": "2026-02-02T00:00:00Z", "endDate": "2026-02-01T23:00:00Z"}, "endDate"),
        ("performance", {"skillId": "none"}, "skillId"),
        ("aggregated", {"period": "1y"}, "period"),
        ("cost-projection", {"days": "0"}, "days"),
        ("cost-projection", {"days": "366"}, "days"),
    ],
)
async def test_what_cannot_be_right_is_refused_by_its_name(
    person: Make, address: str, query: dict[str, str], field: str
) -> None:
    answer = await person().http.get(f"/executions/{address}", params=query)
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "VALIDATION_ERROR", field)


@pytest.mark.parametrize(
    "query",
    [
        {"startDate": "0001-01-01"},
        {"startDate": "0001-01-01T00:00:00+14:00", "endDate": "9999-12-31T23:59:59-14:00"},
        {"startDate": "9999-12-31", "endDate": "9999-12-31"},
        {"endDate": "0001-01-01"},
        {"startDate": "2999-12-31", "endDate": "3000-01-01"},
    ],
)
async def test_dates_at_the_ends_of_time_are_taken(person: Make, query: dict[str, str]) -> None:
    one = person()
    for address in ("executions/stats", "executions/cost-breakdown", "executions"):
        answer = await one.http.get(f"/{address}", params=query)
        assert answer.status_code == 200, answer.text


async def test_a_run_that_is_being_cancelled_is_counted_once_and_kept_until_its_account_is_closed(
    person: Make, owner: Owner
) -> None:
    one = person()
    (skill,) = await skills_of(one, 1)
    run = Run(skill, "running", executed_at=datetime.now(UTC) - timedelta(days=100))
    insert(owner, one, [run])
    before = await read(one, "stats", startDate=day_of(run), endDate=day_of(run))
    assert before["executionsByStatus"]["running"] == 1
    owner.execute("update executions set status = 'cancelled', completed_at = now() where id = %s", (run.id,))
    dropping = await read(one, "stats", startDate=day_of(run), endDate=day_of(run))
    assert (dropping["totalExecutions"], dropping["cancelledExecutions"]) == (1, 1)
    assert (await one.http.delete("/executions/cleanup")).json()["deletedCount"] == 0
    with owner.transaction():  # as its worker does when the call was dropped
        owner.execute("update executions set lease_owner = null, lease_expires_at = null where id = %s", (run.id,))
        owner.execute(
            "insert into usage_ledger (organization_id, metric, entry, quantity, subject_id, user_id, skill_id, "
            "execution_type, prompt_tokens, completion_tokens, outcome) "
            "values (%s, 'oracle_queries', 'settle', 0, %s, %s, %s, 'manual', 3, 4, 'cancelled')",
            (one.organization_id, run.id, one.id, skill),
        )
    closed = await read(one, "stats", startDate=day_of(run), endDate=day_of(run))
    assert closed == dropping | {
        "totalTokensUsed": 7,
        "dailyExecutions": [{"date": day_of(run).isoformat(), "count": 1, "tokens": 7}],
    }
    assert (await one.http.delete("/executions/cleanup")).json()["deletedCount"] == 1
