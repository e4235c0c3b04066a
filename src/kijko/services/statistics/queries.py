"""Every statement on sums of runs. Postgres writes the JSON; tests hold it to the wire models.

Most begin with the same `runs`: the sums of the span's whole days, the ledger's entries of what is left of it at both
ends, and what still waits or runs. Row-level security leaves what the caller may see.
"""

from datetime import date
from uuid import UUID

from kijko.core.db import Json, Scalar
from kijko.core.db.codec import Arg
from kijko.core.tenancy import OrgReader, SystemReader
from kijko.services.statistics.rules import Span

_EDGE = """
      (l.executed_at at time zone 'UTC')::date, l.skill_id, l.execution_type,
      (l.outcome = 'completed')::integer, (l.outcome = 'failed')::integer, (l.outcome = 'cancelled')::integer, 0, 0,
      coalesce(l.prompt_tokens, 0) + coalesce(l.completion_tokens, 0),
      case when l.outcome = 'completed' then coalesce(l.prompt_tokens, 0) + coalesce(l.completion_tokens, 0) else 0 end,
      case when l.outcome = 'completed' then coalesce(l.duration_ms, 0) else 0 end,
      coalesce(l.cost_cents, 0)
    from usage_ledger l
    where l.organization_id = (select kijko.current_org())
      and ($7::uuid is null or l.skill_id = $7)
"""
# Each by its own small index, whatever the span: so it is found before it is compared with it. A cancelled run is in
# the sums when its worker has told what was used.
_UNDER_WAY = """
  with under_way as materialized (
    select e.executed_at, e.skill_id, e.execution_type, 0 as cancelled, 1 as pending, 0 as running
    from executions e
    where e.organization_id = (select kijko.current_org()) and e.status = 'pending'
    union all
    select e.executed_at, e.skill_id, e.execution_type, 0, 0, 1
    from executions e
    where e.organization_id = (select kijko.current_org()) and e.status = 'running'
    union all
    select e.executed_at, e.skill_id, e.execution_type, 1, 0, 0
    from executions e
    where e.organization_id = (select kijko.current_org()) and e.status = 'cancelled' and e.lease_owner is not null
  )
"""
# $1 to $2 and $5 to $6: what is left at both ends; $3 until before $4: whole days; $7: one skill, or all.
_SOURCES = (
    """
    select d.day, d.skill_id, d.execution_type, d.completed, d.failed, d.cancelled, 0 as pending, 0 as running,
      d.tokens, d.completed_tokens, d.duration_ms, d.cost_cents
    from execution_days d
    where d.organization_id = (select kijko.current_org())
      and d.day >= $3::date
      and d.day < $4::date
      and ($7::uuid is null or d.skill_id = $7)
    union all
    select"""
    + _EDGE
    + """      and l.executed_at >= $1::timestamptz
      and l.executed_at < $2::timestamptz
    union all
    select"""
    + _EDGE
    + """      and l.executed_at >= $5::timestamptz
      and l.executed_at < $6::timestamptz
    union all
    select (u.executed_at at time zone 'UTC')::date, u.skill_id, u.execution_type, 0, 0, u.cancelled, u.pending,
      u.running, 0, 0, 0, 0
    from under_way u
    where u.executed_at >= $1
      and u.executed_at < $6
      and ($7 is null or u.skill_id = $7)
"""
)
_SUMS = """
      sum(x.completed)::bigint as completed, sum(x.failed)::bigint as failed, sum(x.cancelled)::bigint as cancelled,
      sum(x.pending)::bigint as pending, sum(x.running)::bigint as running, sum(x.tokens)::bigint as tokens,
      sum(x.completed_tokens)::bigint as completed_tokens, sum(x.duration_ms)::bigint as duration_ms,
      sum(x.cost_cents) as cost_cents
    from ("""
_TOTAL = """
  ),
  total as (
    select
      coalesce(sum(r.completed), 0) as completed, coalesce(sum(r.failed), 0) as failed,
      coalesce(sum(r.cancelled), 0) as cancelled, coalesce(sum(r.pending), 0) as pending,
      coalesce(sum(r.running), 0) as running,
      coalesce(sum(r.completed + r.failed + r.cancelled + r.pending + r.running), 0) as all_runs,
      coalesce(sum(r.tokens), 0) as tokens, coalesce(sum(r.completed_tokens), 0) as completed_tokens,
      coalesce(sum(r.duration_ms), 0) as duration_ms, coalesce(sum(r.cost_cents), 0) as cost_cents
    from runs r
  )
"""
_RUNS = _UNDER_WAY + ", runs as materialized (" + _SOURCES + _TOTAL
# Of all that an organization ever ran there is much: it is added up as it comes, to what the statement asks for.
_RUNS_BY_DAY = (
    _UNDER_WAY
    + ", runs as materialized (select x.day, null::uuid as skill_id, x.execution_type,"
    + _SUMS
    + _SOURCES
    + ") x group by x.day, x.execution_type"
    + _TOTAL
)
_RUNS_BY_SKILL = (
    _UNDER_WAY
    + ", runs as materialized (select null::date as day, x.skill_id, x.execution_type,"
    + _SUMS
    + _SOURCES
    + ") x group by x.skill_id, x.execution_type"
    + _TOTAL
)
_BY_STATUS = """
    json_build_object(
      'pending', t.pending, 'running', t.running, 'completed', t.completed, 'failed', t.failed,
      'cancelled', t.cancelled
    )
"""
_BY_TYPE = """
    (
      select json_build_object(
        'manual', coalesce(sum(n.runs) filter (where n.execution_type = 'manual'), 0),
        'habit', coalesce(sum(n.runs) filter (where n.execution_type = 'habit'), 0),
        'reflex', coalesce(sum(n.runs) filter (where n.execution_type = 'reflex'), 0),
        'api', coalesce(sum(n.runs) filter (where n.execution_type = 'api'), 0)
      )
      from (
        select r.execution_type, sum(r.completed + r.failed + r.cancelled + r.pending + r.running) as runs
        from runs r
        group by r.execution_type
      ) n
    )
"""
_AVERAGE_DURATION = "coalesce(trim_scale(round(t.duration_ms::numeric / nullif(t.completed, 0), 4)), 0)"
_SUCCESS = "coalesce(trim_scale(round(100 * t.completed::numeric / nullif(t.completed + t.failed, 0), 4)), 0)"

_DASHBOARD = Json(
    _RUNS
    + """
  select json_build_object(
    'overview', json_build_object(
      'totalRuns', t.all_runs,
      'successRate', """
    + _SUCCESS
    + """,
      'avgTokens', coalesce(trim_scale(round(t.completed_tokens::numeric / nullif(t.completed, 0), 4)), 0),
      'avgDurationMs', """
    + _AVERAGE_DURATION
    + """,
      'totalCostCents', trim_scale(t.cost_cents)
    ),
    'executionsOverTime', (
      select json_agg(
        json_build_object(
          'date', to_char(c.day, 'YYYY-MM-DD'), 'count', coalesce(n.runs, 0), 'successCount', coalesce(n.completed, 0),
          'failureCount', coalesce(n.failed, 0), 'tokens', coalesce(n.tokens, 0),
          'costCents', coalesce(trim_scale(n.cost_cents), 0)
        )
        order by c.day
      )
      from generate_series($3, $4 - 1, interval '1 day') c (day)
      left join (
        select r.day, sum(r.completed + r.failed + r.cancelled + r.pending + r.running) as runs,
          sum(r.completed) as completed, sum(r.failed) as failed, sum(r.tokens) as tokens,
          sum(r.cost_cents) as cost_cents
        from runs r
        group by r.day
      ) n on n.day = c.day::date
    ),
    'executionsByType', """
    + _BY_TYPE
    + """,
    'executionsByStatus', """
    + _BY_STATUS
    + """,
    'skillBreakdown', case when $7 is null then (
      select coalesce(
        json_agg(
          json_build_object('skillId', n.skill_id, 'name', coalesce(s.name, 'Deleted skill'), 'runs', n.runs)
          order by n.runs desc, n.skill_id
        ),
        '[]'::json
      )
      from (
        select r.skill_id, sum(r.completed + r.failed + r.cancelled + r.pending + r.running) as runs
        from runs r
        group by r.skill_id
      ) n
      left join skills s on s.id = n.skill_id
    ) end
  )
  from total t
"""
)

_COUNTS = Json(
    _RUNS_BY_DAY
    + """
  select json_build_object(
    'totalExecutions', t.all_runs, 'successfulExecutions', t.completed, 'failedExecutions', t.failed,
    'cancelledExecutions', t.cancelled, 'totalTokensUsed', t.tokens, 'totalCostCents', trim_scale(t.cost_cents),
    'averageDurationMs', """
    + _AVERAGE_DURATION
    + """,
    'executionsByType', """
    + _BY_TYPE
    + """,
    'executionsByStatus', """
    + _BY_STATUS
    + """,
    'dailyExecutions', (
      select coalesce(
        json_agg(
          json_build_object(
            'date', to_char(c.day, 'YYYY-MM-DD'), 'count', coalesce(n.runs, 0), 'tokens', coalesce(n.tokens, 0)
          )
          order by c.day
        ),
        '[]'::json
      )
      from generate_series($8::date, $9::date, interval '1 day') c (day)
      left join (
        select r.day, sum(r.completed + r.failed + r.cancelled + r.pending + r.running) as runs,
          sum(r.tokens) as tokens
        from runs r
        where r.day between $8 and $9
        group by r.day
      ) n on n.day = c.day::date
    )
  )
  from total t
"""
)

_SKILLS = Json(
    _RUNS_BY_SKILL
    + """
  select json_build_object(
    'totalSkills', (select count(*) from skills s where s.organization_id = (select kijko.current_org())),
    'activeSkills', (
      select count(*) from skills s where s.organization_id = (select kijko.current_org()) and s.is_active
    ),
    'totalExecutions', t.all_runs, 'totalTokensUsed', t.tokens, 'totalCostCents', trim_scale(t.cost_cents),
    'executionsByStatus', """
    + _BY_STATUS
    + """,
    'executionsByType', """
    + _BY_TYPE
    + """,
    'topSkillsByUsage', (
      select coalesce(
        json_agg(json_build_object('skillId', n.id, 'name', n.name, 'count', n.runs) order by n.runs desc, n.id),
        '[]'::json
      )
      from (
        select s.id, s.name, sum(r.completed + r.failed + r.cancelled + r.pending + r.running) as runs
        from runs r
        join skills s on s.id = r.skill_id
        group by s.id, s.name
        order by runs desc, s.id
        limit $8::integer
      ) n
    )
  )
  from total t
"""
)

# In one pass: by day and type, rows without a skill; and by skill, rows without a day.
_COSTS = Json(
    _UNDER_WAY + ", runs as materialized (select x.day, x.execution_type, x.skill_id, "
    "sum(x.completed + x.failed + x.cancelled) as runs, sum(x.cost_cents) as cost_cents from ("
    + _SOURCES
    + """
    ) x
    group by grouping sets ((x.day, x.execution_type), (x.skill_id))
  )
  select json_build_object(
    'totalCostCents', (select coalesce(trim_scale(sum(r.cost_cents)), 0) from runs r where r.day is not null),
    'costBySkill', (
      select coalesce(
        json_agg(
          json_build_object(
            'skillId', r.skill_id, 'skillName', coalesce(s.name, 'Deleted skill'),
            'costCents', trim_scale(r.cost_cents), 'executionCount', r.runs
          )
          order by r.cost_cents desc, r.runs desc, r.skill_id
        ),
        '[]'::json
      )
      from runs r
      left join skills s on s.id = r.skill_id
      where r.day is null and r.runs > 0
    ),
    'costByType', (
      select json_build_object(
        'manual', coalesce(trim_scale(sum(r.cost_cents) filter (where r.execution_type = 'manual')), 0),
        'habit', coalesce(trim_scale(sum(r.cost_cents) filter (where r.execution_type = 'habit')), 0),
        'reflex', coalesce(trim_scale(sum(r.cost_cents) filter (where r.execution_type = 'reflex')), 0),
        'api', coalesce(trim_scale(sum(r.cost_cents) filter (where r.execution_type = 'api')), 0)
      )
      from runs r
      where r.day is not null
    ),
    'costByDay', (
      select coalesce(
        json_agg(
          json_build_object('date', to_char(c.day, 'YYYY-MM-DD'), 'costCents', coalesce(trim_scale(n.cost_cents), 0))
          order by c.day
        ),
        '[]'::json
      )
      from (select least(min(r.day), $9::date) as earliest from runs r) f
      cross join lateral generate_series(greatest($8::date, f.earliest), $9, interval '1 day') c (day)
      left join (
        select r.day, sum(r.cost_cents) as cost_cents from runs r where r.day is not null group by r.day
      ) n on n.day = c.day::date
    )
  )
"""
)

# The durations come out of their index in order, so that they need no sorting.
_PERFORMANCE = Json(
    """
  with places as (
    select percentile_disc(array[0.5, 0.9, 0.99]) within group (order by l.duration_ms) as at
    from usage_ledger l
    where l.organization_id = (select kijko.current_org())
      and l.executed_at is not null
      and l.outcome = 'completed'
      and l.duration_ms is not null
      and ($1::uuid is null or l.skill_id = $1)
  ),
  hours as materialized (
    select h.hour, sum(h.completed) as runs, sum(h.duration_ms) as duration_ms
    from execution_hours h
    where h.organization_id = (select kijko.current_org()) and ($1 is null or h.skill_id = $1)
    group by h.hour
  ),
  total as (
    select coalesce(sum(h.runs), 0) as runs, coalesce(sum(h.duration_ms), 0) as duration_ms from hours h
  ),
  days as (
    select coalesce(sum(d.completed), 0) as completed, coalesce(sum(d.failed), 0) as failed
    from execution_days d
    where d.organization_id = (select kijko.current_org()) and ($1 is null or d.skill_id = $1)
  )
  select json_build_object(
    'averageDurationMs', coalesce(trim_scale(round(a.duration_ms / nullif(a.runs, 0), 4)), 0),
    'p50DurationMs', coalesce(p.at[1], 0),
    'p90DurationMs', coalesce(p.at[2], 0),
    'p99DurationMs', coalesce(p.at[3], 0),
    'successRate', """
    + _SUCCESS
    + """,
    'durationByHour', (
      select json_agg(
        json_build_object('hour', c.hour, 'avgDurationMs', coalesce(trim_scale(round(h.duration_ms / h.runs, 4)), 0))
        order by c.hour
      )
      from generate_series(0, 23) c (hour)
      left join hours h on h.hour = c.hour
    )
  )
  from total a
  cross join places p
  cross join days t
"""
)

# $1: today; $2: how many days before it are looked at; $3: how many are to come.
_PROJECTION = Json(
    """
  with seen as (
    select coalesce(sum(d.cost_cents), 0) as cost_cents, coalesce(sum(d.completed + d.failed + d.cancelled), 0) as runs
    from execution_days d
    where d.organization_id = (select kijko.current_org()) and d.day >= $1::date - $2::integer and d.day < $1
  ),
  first as (
    select d.day
    from execution_days d
    where d.organization_id = (select kijko.current_org())
    order by d.day
    limit 1
  ),
  since as (
    select least(greatest($1 - (select f.day from first f), 1), $2)::numeric as days
  )
  select json_build_object(
    'projectedCostCents', trim_scale(round(s.cost_cents * $3::integer / n.days, 6)),
    'projectedRuns', trim_scale(round(s.runs * $3 / n.days, 6)),
    'averageDailyCost', trim_scale(round(s.cost_cents / n.days, 6))
  )
  from seen s
  cross join since n
"""
)

_MERGE_DAYS = Scalar(int, "select kijko.merge_execution_days($1::integer)", writes=True)
_MERGE_HOURS = Scalar(int, "select kijko.merge_execution_hours($1::integer)", writes=True)


def _parts(span: Span) -> tuple[Arg, ...]:
    return span.start, span.head_end, span.first_whole, span.after_whole, span.tail_start, span.end


async def dashboard(reader: OrgReader, span: Span, skill_id: UUID | None) -> bytes:
    """A SkillDashboard over whole days; `skillBreakdown` is null where it is one skill's."""
    return await reader.json(_DASHBOARD, *_parts(span), skill_id) or b""


async def counts(reader: OrgReader, span: Span, skill_id: UUID | None, first: date, last: date) -> bytes:
    """An ExecutionStats over the span; its days are those from `first` to `last`."""
    return await reader.json(_COUNTS, *_parts(span), skill_id, first, last) or b""


async def skills(reader: OrgReader, span: Span, most: int) -> bytes:
    """A SkillStats over the span, with so many of the busiest skills that are there still."""
    return await reader.json(_SKILLS, *_parts(span), None, most) or b""


async def costs(reader: OrgReader, span: Span, first: date, last: date) -> bytes:
    """A CostBreakdown over the span; its days are those from `first`, or the first with a run, to `last`."""
    return await reader.json(_COSTS, *_parts(span), None, first, last) or b""


async def performance(reader: OrgReader, skill_id: UUID | None) -> bytes:
    """A PerformanceMetrics over all runs."""
    return await reader.json(_PERFORMANCE, skill_id) or b""


async def projection(reader: OrgReader, today: date, seen: int, days: int) -> bytes:
    """A CostProjection for so many days, from what the `seen` days before today came to."""
    return await reader.json(_PROJECTION, today, seen, days) or b""


async def merge(reader: SystemReader, most: int) -> int:
    """Puts up to so many loose sums of days, and of hours, together with the others of their keys.

    Answers how many it took of those of which there were more.
    """
    return max(await reader.one(_MERGE_DAYS, most), await reader.one(_MERGE_HOURS, most))
