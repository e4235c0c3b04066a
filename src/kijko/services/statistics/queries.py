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
_OPEN = """
      (e.executed_at at time zone 'UTC')::date, e.skill_id, e.execution_type, 0, 0, 0,
      (e.status = 'pending')::integer, (e.status = 'running')::integer, 0, 0, 0, 0
    from executions e
    where e.organization_id = (select kijko.current_org())
      and e.executed_at >= $1
      and e.executed_at < $6
      and ($7 is null or e.skill_id = $7)
"""
# $1 to $2 and $5 to $6: what is left at both ends; $3 until before $4: whole days; $7: one skill, or all.
_RUNS = (
    """
  with runs as materialized (
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
    select"""
    + _OPEN
    + """      and e.status = 'pending'
    union all
    select"""
    + _OPEN
    + """      and e.status = 'running'
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
    _RUNS
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
    _RUNS
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

_COSTS = Json(
    _RUNS
    + """
  select json_build_object(
    'totalCostCents', trim_scale(t.cost_cents),
    'costBySkill', (
      select coalesce(
        json_agg(
          json_build_object(
            'skillId', n.skill_id, 'skillName', coalesce(s.name, 'Deleted skill'),
            'costCents', trim_scale(n.cost_cents), 'executionCount', n.runs
          )
          order by n.cost_cents desc, n.runs desc, n.skill_id
        ),
        '[]'::json
      )
      from (
        select r.skill_id, sum(r.cost_cents) as cost_cents, sum(r.completed + r.failed + r.cancelled) as runs
        from runs r
        group by r.skill_id
        having sum(r.completed + r.failed + r.cancelled) > 0
      ) n
      left join skills s on s.id = n.skill_id
    ),
    'costByType', (
      select json_build_object(
        'manual', coalesce(trim_scale(sum(r.cost_cents) filter (where r.execution_type = 'manual')), 0),
        'habit', coalesce(trim_scale(sum(r.cost_cents) filter (where r.execution_type = 'habit')), 0),
        'reflex', coalesce(trim_scale(sum(r.cost_cents) filter (where r.execution_type = 'reflex')), 0),
        'api', coalesce(trim_scale(sum(r.cost_cents) filter (where r.execution_type = 'api')), 0)
      )
      from runs r
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
        select r.day, sum(r.cost_cents) as cost_cents from runs r group by r.day
      ) n on n.day = c.day::date
    )
  )
  from total t
"""
)

# The durations come out of the index in order, so a percentile is the one at its place.
_PERFORMANCE = Json(
    """
  with timed as materialized (
    select l.duration_ms, extract(hour from l.executed_at at time zone 'UTC')::integer as hour
    from usage_ledger l
    where l.organization_id = (select kijko.current_org())
      and l.executed_at is not null
      and l.outcome = 'completed'
      and l.duration_ms is not null
      and ($1::uuid is null or l.skill_id = $1)
    order by l.duration_ms
  ),
  hours as (
    select t.hour, count(*) as runs, sum(t.duration_ms) as duration_ms from timed t group by t.hour
  ),
  total as (
    select coalesce(sum(h.runs), 0)::bigint as runs, coalesce(sum(h.duration_ms), 0) as duration_ms from hours h
  ),
  days as (
    select coalesce(sum(d.completed), 0) as completed, coalesce(sum(d.failed), 0) as failed
    from execution_days d
    where d.organization_id = (select kijko.current_org()) and ($1 is null or d.skill_id = $1)
  )
  select json_build_object(
    'averageDurationMs', coalesce(trim_scale(round(a.duration_ms / nullif(a.runs, 0), 4)), 0),
    'p50DurationMs', coalesce(
      (select t.duration_ms from timed t offset greatest(ceil(a.runs * 0.5)::bigint - 1, 0) limit 1), 0
    ),
    'p90DurationMs', coalesce(
      (select t.duration_ms from timed t offset greatest(ceil(a.runs * 0.9)::bigint - 1, 0) limit 1), 0
    ),
    'p99DurationMs', coalesce(
      (select t.duration_ms from timed t offset greatest(ceil(a.runs * 0.99)::bigint - 1, 0) limit 1), 0
    ),
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

_MERGE = Scalar(int, "select kijko.merge_execution_days($1::integer)", writes=True)


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
    """Puts up to so many loose sums together with the others of their keys; answers how many it took."""
    return await reader.one(_MERGE, most)
