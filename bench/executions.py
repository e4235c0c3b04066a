"""Lists, statistics and percentiles over 5,000,000 executions of 200 organizations, the largest with 100,000.

Each call as the API makes it, through its own pool and role, row-level security and all; and over HTTP. Asked in the
largest organization by its owner, who sees everything, and by a member, to whom runs over private projects are not
there. Filling takes ten minutes and 10 GB: with `BENCH_HOME=folder` it is done once, and the folder is yours to delete.
"""

import asyncio
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import psutil
import psycopg
from psycopg import sql

from bench.processes import cpu_s
from bench.scene import Scene
from kijko.core.db import Call, Database, Json, Query
from kijko.core.tenancy import OrgReader, Principal, Tenants
from kijko.services import executions
from kijko.services import statistics as numbers
from kijko.services.executions.list_queries import places

ORGANIZATIONS, RUNS, LARGEST, SKILLS, DAYS = 200, 5_000_000, 100_000, 40, 365
BAR_MS = 100.0
_TIMES, _TIMES_HTTP = 25, 10
_TABLES: Final = ("executions", "usage_ledger", "execution_days", "execution_hours")
_EVER = numbers.Span()
_Ask = Callable[[OrgReader], Awaitable[object]]


@dataclass(frozen=True)
class Took:
    """One call by one of the two: ms by the clock, and of Postgres' CPU."""

    call: str
    p50_ms: float
    worst_ms: float
    cpu_ms: float
    http_ms: float | None


@dataclass(frozen=True)
class Found:
    """What the calls took, by who asked; their plans; how it was filled."""

    took: Mapping[str, list[Took]]
    plans: Mapping[str, list[str]]
    runs: int
    sums: int
    filled_s: float
    size_gb: float


def measure(scene: Scene) -> Found:
    """Fills the tables and asks."""
    began = time.perf_counter()
    with psycopg.connect(scene.admin_url, autocommit=True) as admin:
        kept = _value(admin, "select reltuples from pg_class where relname = 'executions'") > RUNS * 0.9
        if not kept:
            _fill(admin)
        filled = 0.0 if kept else time.perf_counter() - began
        who = _askers(admin)
        skill = _value(
            admin,
            sql.SQL(
                "select skill_id from execution_days where organization_id = {} group by skill_id "
                "order by sum(completed) desc limit 1"
            ).format(who["owner"].organization_id),
        )
        took = asyncio.run(_ask(scene, who, skill))
        plans = {name: _plan(admin, who["member"], each[0]) for name, each in calls(skill).items()}
        sizes = " + ".join(f"pg_total_relation_size('{table}')" for table in _TABLES)
        size = _value(admin, f"select ({sizes}) / 1e9")
        sums = _value(admin, "select count(*) from execution_days")
    return Found(took, plans, RUNS, sums, filled, float(size))


def calls(skill: uuid.UUID) -> dict[str, tuple[_Ask, str | None]]:
    """Every call: what the service is asked, and the same over HTTP."""
    month = f"{datetime.now(UTC) - timedelta(days=45):%Y-%m-%dT11:30:00Z}"
    since = datetime.fromisoformat(month)
    part = numbers.Span(since, since + timedelta(days=30, hours=3))

    def wanted(**fields: Any) -> executions.Filter:  # Any: a filter's fields
        every = {"skill_id": None, "status": None, "execution_type": None, "start": _EVER.start, "end": _EVER.end}
        return executions.Filter(**(every | fields))

    def listed(offset: int = 0, **fields: Any) -> _Ask:
        return lambda reader: executions.list_page(reader, wanted(**fields), limit=20, offset=offset)

    between = f"startDate={month}&endDate={part.end:%Y-%m-%dT%H:%M:%SZ}"
    return {
        "list, first page": (listed(), "executions"),
        "list, last page": (listed(LARGEST - 2000), f"executions?offset={LARGEST - 2000}"),
        "list, failed": (listed(status="failed"), "executions?status=failed"),
        "list, cancelled reflexes": (
            listed(status="cancelled", execution_type="reflex"),
            "executions?status=cancelled&executionType=reflex",
        ),
        "list, a skill's": (listed(skill_id=skill), f"executions?skillId={skill}"),
        "list, a month's": (listed(start=part.start, end=part.end), f"executions?{between}"),
        "recent": (lambda reader: executions.recent(reader, 10), "executions/recent"),
        "running": (lambda reader: executions.under_way(reader, 100), "executions/running"),
        "stats, ever": (lambda reader: numbers.counts(reader, _EVER, None), "executions/stats"),
        "stats, a month": (lambda reader: numbers.counts(reader, part, None), f"executions/stats?{between}"),
        "stats, a skill's": (
            lambda reader: numbers.counts(reader, _EVER, skill),
            f"executions/stats?skillId={skill}",
        ),
        "cost-breakdown, 30 days": (
            lambda reader: numbers.costs(reader, numbers.last_days(30, datetime.now(UTC).date())),
            "executions/cost-breakdown",
        ),
        "cost-breakdown, ever": (
            lambda reader: numbers.costs(reader, _EVER),
            "executions/cost-breakdown?startDate=2000-01-01",
        ),
        "performance": (lambda reader: numbers.performance(reader, None), "executions/performance"),
        "performance, a skill's": (
            lambda reader: numbers.performance(reader, skill),
            f"executions/performance?skillId={skill}",
        ),
        "aggregated, 90d": (lambda reader: numbers.dashboard(reader, "90d"), "executions/aggregated?period=90d"),
        "a skill's dashboard, 90d": (lambda reader: numbers.dashboard(reader, "90d", skill), None),
        "cost-projection": (lambda reader: numbers.projection(reader, 30), "executions/cost-projection"),
        "export, its next 500 places": (
            lambda reader: places(reader, wanted(), (datetime.now(UTC) - timedelta(days=200), uuid.UUID(int=0)), 500),
            None,
        ),
    }


async def _ask(scene: Scene, who: Mapping[str, Principal], skill: uuid.UUID) -> dict[str, list[Took]]:
    pool = await Database.connect(
        scene.environ["KIJKO_DATABASE_API_URL"],
        pool_size=1,
        statement_timeout_ms=60_000,
        connect_timeout_s=5,
        acquire_timeout_s=5,
        prepared=True,
        application_name="bench",
    )
    with psycopg.connect(scene.admin_url, autocommit=True) as admin:
        pid = _value(admin, "select pid from pg_stat_activity where application_name = 'bench'")
    backend, tenants = psutil.Process(pid), Tenants(pool)
    found: dict[str, list[Took]] = {}
    async with httpx.AsyncClient(base_url=scene.api, timeout=60) as http:
        for name, principal in who.items():
            token = scene.issuer.token(principal.user_id, principal.organization_id)
            http.headers["Authorization"] = f"Bearer {token}"
            reader = tenants.reader(principal)
            found[name] = [await _time(call, *each, reader, backend, http) for call, each in calls(skill).items()]
    await pool.close()
    return found


async def _time(
    call: str, ask: _Ask, address: str | None, reader: OrgReader, backend: psutil.Process, http: httpx.AsyncClient
) -> Took:
    for _ in range(7):  # past the five that Postgres plans anew
        await ask(reader)
    cpu, times = cpu_s([backend]), []
    for _ in range(_TIMES):
        began = time.perf_counter()
        await ask(reader)
        times.append((time.perf_counter() - began) * 1000)
    cpu = (cpu_s([backend]) - cpu) * 1000 / _TIMES
    over: list[float] = []
    for _ in range(_TIMES_HTTP if address is not None else 0):
        began = time.perf_counter()
        answer = await http.get(f"/{address}")
        over.append((time.perf_counter() - began) * 1000)
        answer.raise_for_status()
    return Took(call, statistics.median(times), max(times), cpu, statistics.median(over[2:]) if over else None)


def _fill(admin: psycopg.Connection[Any]) -> None:
    """Rows as they come to be, by when they were asked for, all organizations mixed; then what autovacuum would do."""
    admin.execute("set session_replication_role = replica")
    admin.execute("set maintenance_work_mem = '512MB'")
    admin.execute("set work_mem = '256MB'")
    admin.execute("set synchronous_commit = off")
    indexes = [
        (row[0], row[1])
        for row in admin.execute(
            "select i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) from pg_index i "
            "where i.indrelid = any (%s::regclass[]) "
            # What waits or runs stays findable: the scheduler looks for it every two seconds.
            "and not (i.indrelid = 'executions'::regclass and i.indpred is not null) "
            "and not exists (select from pg_constraint c where c.conindid = i.indexrelid)",
            ([f"public.{table}" for table in _TABLES],),
        )
    ]
    for name, _ in indexes:
        admin.execute(sql.SQL("drop index public.{}").format(sql.Identifier(name)))
    for statement in _FILLING:
        admin.execute(statement.encode())
    for _, definition in indexes:
        admin.execute(definition.encode())
    for table in (*_TABLES, "skills", "skill_versions", "memberships", "projects"):
        admin.execute(sql.SQL("vacuum (freeze, analyze) {}").format(sql.Identifier(table)))
    admin.execute("checkpoint")
    admin.execute("reset session_replication_role")


_FILLING: Final = (
    f"""
    create temporary table filled as
    select n, gen_random_uuid() as organization_id, gen_random_uuid() as user_id, gen_random_uuid() as member_id,
      gen_random_uuid() as project_id,
      case when n = 1 then {LARGEST} else ({RUNS} - {LARGEST}) / ({ORGANIZATIONS} - 1) end as runs
    from generate_series(1, {ORGANIZATIONS}) n
    """,
    """
    insert into users (id, email) select user_id, user_id || '@bench.test' from filled
    union all select member_id, member_id || '@bench.test' from filled
    """,
    "insert into organizations (id, name) select organization_id, 'Filled ' || n from filled",
    """
    insert into memberships (organization_id, user_id, role)
    select organization_id, user_id, 'owner' from filled
    union all select organization_id, member_id, 'member' from filled
    """,
    """
    insert into projects (id, organization_id, user_id, name, type, privacy)
    select project_id, organization_id, user_id, 'Private', 'files', 'private' from filled
    """,
    f"""
    create temporary table skilled as
    select f.n, k, f.organization_id, f.user_id, gen_random_uuid() as skill_id,
      (array['manual', 'api', 'habit', 'reflex'])[1 + k % 4] as usual,
      (array['claude-sonnet-4-5', 'gpt-4o', 'gemini-2.5-pro'])[1 + k % 3] as model
    from filled f
    cross join generate_series(1, {SKILLS}) k
    """,
    """
    insert into skills (id, organization_id, user_id, name, description, prompt_template, model)
    select skill_id, organization_id, user_id, 'Skill ' || k, 'What it is for', 'Summarise {{text}}', model from skilled
    """,
    """
    insert into skill_versions (
      organization_id, skill_id, version, prompt_template, model, parameters, output_format, created_by
    )
    select organization_id, skill_id, 1, 'Summarise {{text}}', model, '{}', 'markdown', user_id from skilled
    """,
    "create index on skilled (n, k)",
    "analyze filled",
    "analyze skilled",
    # One in fifty cites the private project; one in twenty has no price; a few of each organization are under way.
    f"""
    create temporary table ran as
    select gen_random_uuid() as id, s.organization_id, s.skill_id, s.model, f.user_id,
      case when random() < 0.85 then s.usual else (array['manual', 'api', 'habit', 'reflex'])[1 + r.at % 4] end as type,
      case
        when r.at <= 5 then 'running' when r.at <= 30 then 'pending'
        when r.chance < 0.9 then 'completed' when r.chance < 0.97 then 'failed' else 'cancelled'
      end as status,
      case
        when r.at <= 30 then now() - r.at * interval '1 second'
        else now() - interval '1 minute' - random() * interval '{DAYS} days'
      end as executed_at,
      (200 + 800 * exp(random() + random() + random()))::bigint as duration_ms,
      (100 + random() * 2000)::bigint as prompt_tokens, (50 + random() * 500)::bigint as completion_tokens,
      case when random() < 0.95 then (random() * 3)::numeric(12, 8) end as cost_cents,
      case when random() < 0.02 then f.project_id end as cited_project_id
    from filled f
    cross join lateral (
      select at, random() as chance, 1 + floor({SKILLS} * random() * random())::integer as k
      from generate_series(1, f.runs) at
    ) r
    join skilled s on s.n = f.n and s.k = r.k
    order by executed_at
    """,
    """
    insert into executions (
      id, organization_id, skill_id, skill_version, user_id, execution_type, input, status, model, rendered_prompt,
      output, prompt_tokens, completion_tokens, cost_cents, duration_ms, attempts, model_ran, lease_owner,
      lease_expires_at, executed_at, available_at, started_at, completed_at, cited_project_id
    )
    select id, organization_id, skill_id, 1, user_id, type, '{"text": "The quick brown fox jumps over the lazy dog."}',
      status, model, 'Summarise The quick brown fox jumps over the lazy dog.',
      case when status = 'completed' then repeat(md5(id::text), 6) end,
      case when status = 'completed' then prompt_tokens end, case when status = 'completed' then completion_tokens end,
      case when status = 'completed' then cost_cents end,
      case when status in ('completed', 'failed') then duration_ms end, 1, true,
      case when status = 'running' then id end, case when status = 'running' then 'infinity'::timestamptz end,
      executed_at, case when status = 'pending' then 'infinity' else executed_at end, executed_at,
      case when status in ('completed', 'failed', 'cancelled') then executed_at + interval '3 s' end,
      case when status = 'completed' then cited_project_id end
    from ran
    """,
    """
    insert into usage_ledger (organization_id, metric, entry, quantity, subject_id, user_id, at)
    select organization_id, 'oracle_queries', 'reserve', 1, id, user_id, executed_at from ran
    """,
    """
    insert into usage_ledger (
      organization_id, metric, entry, quantity, subject_id, user_id, skill_id, execution_type, provider, model,
      prompt_tokens, completion_tokens, cost_cents, duration_ms, outcome, at, executed_at, cited_project_id
    )
    select organization_id, 'oracle_queries', 'settle', 0, id, user_id, skill_id, type, 'openai', model,
      case when status = 'completed' then prompt_tokens end, case when status = 'completed' then completion_tokens end,
      case when status = 'completed' then cost_cents end,
      case when status in ('completed', 'failed') then duration_ms end, status, executed_at + interval '3 s',
      executed_at, case when status = 'completed' then cited_project_id end
    from ran
    where status in ('completed', 'failed', 'cancelled')
    """,
    """
    insert into execution_days (
      organization_id, day, skill_id, execution_type, cited_project_id, completed, failed, cancelled, tokens,
      completed_tokens, duration_ms, cost_cents, priced, loose
    )
    select organization_id, (executed_at at time zone 'UTC')::date, skill_id, execution_type, cited_project_id,
      count(*) filter (where outcome = 'completed'), count(*) filter (where outcome = 'failed'),
      count(*) filter (where outcome = 'cancelled'), coalesce(sum(prompt_tokens + completion_tokens), 0),
      coalesce(sum(prompt_tokens + completion_tokens), 0),
      coalesce(sum(duration_ms) filter (where outcome = 'completed'), 0), coalesce(sum(cost_cents), 0),
      count(cost_cents), false
    from usage_ledger
    where executed_at is not null
    group by 1, 2, 3, 4, 5
    order by 2
    """,
    """
    insert into execution_hours (organization_id, skill_id, hour, cited_project_id, completed, duration_ms, loose)
    select organization_id, skill_id, date_part('hour', executed_at at time zone 'UTC')::smallint, cited_project_id,
      count(*), sum(duration_ms), false
    from usage_ledger
    where executed_at is not null and outcome = 'completed' and duration_ms is not null
    group by 1, 2, 3, 4
    """,
)


def _askers(admin: psycopg.Connection[Any]) -> dict[str, Principal]:
    rows = admin.execute(
        "select m.role, m.user_id, m.organization_id from memberships m "
        "join organizations o on o.id = m.organization_id where o.name = 'Filled 1' order by m.role desc"
    ).fetchall()
    now = datetime.now(UTC)
    return {row[0]: Principal(row[1], None, now, row[2], False, now + timedelta(hours=1)) for row in rows}


class _Taken(Exception):
    """Carries a statement and its values out of the operation that would have sent it."""

    def __init__(self, call: Call[Any]) -> None:
        self.call = call


class Listening(OrgReader):
    """A reader that sends nothing and tells what it was asked to."""

    def __init__(self) -> None:
        pass

    async def json(self, query: Json, *args: Any) -> bytes | None:  # Any: as the one that sends
        raise _Taken(query.bind(*args))

    async def all(self, query: Query[Any], *args: Any) -> list[Any]:
        raise _Taken(query.bind(*args))


async def statement(ask: _Ask) -> Call[Any]:
    """The statement that an operation sends, with its values."""
    try:
        await ask(Listening())
    except _Taken as taken:
        return taken.call
    raise AssertionError("it asked nothing")


def _plan(admin: psycopg.Connection[Any], who: Principal, ask: _Ask) -> list[str]:
    """What Postgres did, as that person, with the plan that it keeps for all values."""
    call = asyncio.run(statement(ask))
    values = sql.SQL(", ").join(
        sql.SQL("null") if value is None else sql.Literal(bytes(value).decode()) for value in call.values
    )
    admin.execute("set plan_cache_mode = force_generic_plan")
    admin.execute(b"prepare asked as " + call.sql.encoded)
    with admin.transaction():
        admin.execute(
            "select set_config('request.jwt.claims', %s, true), set_config('app.current_org_id', %s, true)",
            (who.claims, str(who.organization_id)),
        )
        admin.execute("set local role authenticated")
        told = admin.execute(
            sql.SQL("explain (analyze, timing off, costs off, buffers off) execute asked ({})").format(values)
        ).fetchall()
    admin.execute("deallocate asked")
    return [line for (line,) in told if "->" in line or "Time" in line]


def _value(connection: psycopg.Connection[Any], query: Any) -> Any:  # Any: a statement, and what it selects
    row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def lines(found: Found) -> list[str]:
    """The tables."""
    out = [
        "",
        f"Executions: {found.runs:,} of {ORGANIZATIONS} organizations, asked in the largest, {LARGEST:,}; "
        f"{found.sums:,} sums by day; {found.size_gb:.1f} GB, filled in {found.filled_s:.0f} s",
    ]
    for who, took in found.took.items():
        out += ["", f"{'as its ' + who:<30}  p50 ms  worst ms  CPU ms  HTTP p50 ms"]
        for each in took:
            over = "" if each.http_ms is None else f"{each.http_ms:>12.1f}"
            out.append(f"{each.call:<30} {each.p50_ms:>7.1f} {each.worst_ms:>9.1f} {each.cpu_ms:>7.1f} {over}")
        slowest = max(took, key=lambda each: each.p50_ms)
        out.append(f"-> the slowest, {slowest.call}: {slowest.p50_ms:.1f} ms (bar {BAR_MS:.0f})")
    for call, plan in found.plans.items():
        out += ["", f"Plan of {call}, as its member", *plan]
    return out
