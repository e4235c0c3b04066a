"""A skill's executions, and a skill with what hangs on it."""

from uuid import UUID

from kijko.core.db import Json
from kijko.core.tenancy import OrgReader
from kijko.services.executions.queries import SHORT, UTC
from kijko.services.skills.queries import WIRE as SKILL

_MINE = "e.organization_id = (select kijko.current_org()) and e.skill_id = $1::uuid"
_SLICE = Json(
    """
    with page as materialized (
      select e.id
      from executions e
      where """
    + _MINE
    + """
      order by e.executed_at desc, e.id desc
      limit $2::integer offset $3::bigint
    )
    select json_build_object(
      'executions', coalesce((
        select json_agg(r order by r."executedAt" desc, r.id desc)
        from (select """
    + SHORT
    + """ from executions e where e.id = any (array(select p.id from page p))) r
      ), '[]'::json),
      'total', (select count(*) from executions e where """
    + _MINE
    + """)
    )
    from skills s
    where s.id = $1
    """
)
_AT = "at time zone 'UTC', " + UTC + ")"
_HABIT = (
    'h.id, h.skill_id as "skillId", h.user_id as "userId", h.schedule_cron as "scheduleCron", '
    'h.schedule_description as "scheduleDescription", h.timezone, to_char(h.last_run_at ' + _AT + ' as "lastRunAt", '
    "to_char(h.next_run_at " + _AT + ' as "nextRunAt", h.run_count as "runCount", h.is_active as "isActive", h.config, '
    'h.consecutive_failures as "consecutiveFailures", h.last_error_message as "lastErrorMessage", '
    "to_char(h.created_at " + _AT + ' as "createdAt", to_char(h.updated_at ' + _AT + ' as "updatedAt"'
)
_REFLEX = (
    'x.id, x.skill_id as "skillId", x.user_id as "userId", x.trigger_type as "triggerType", '
    "(x.trigger_config #- '{webhook,secret}') - 'secret' as \"triggerConfig\", x.conditions, "
    'x.is_active as "isActive", '
    'x.trigger_count as "triggerCount", to_char(x.last_triggered_at ' + _AT + ' as "lastTriggeredAt", '
    'x.consecutive_failures as "consecutiveFailures", x.last_error_message as "lastErrorMessage", '
    "to_char(x.created_at " + _AT + ' as "createdAt", to_char(x.updated_at ' + _AT + ' as "updatedAt"'
)
_FULL = Json(
    "select row_to_json(r) from (select "
    + SKILL
    + """,
      coalesce((
        select json_agg(one order by one."createdAt", one.id)
        from (select """
    + _HABIT
    + """ from habits h where h.skill_id = s.id) one
      ), '[]'::json) as habits,
      coalesce((
        select json_agg(one order by one."createdAt", one.id)
        from (select """
    + _REFLEX
    + """ from reflexes x where x.skill_id = s.id) one
      ), '[]'::json) as reflexes,
      coalesce((
        select json_agg(one order by one."executedAt" desc, one.id desc)
        from (
          select """
    + SHORT
    + " from executions e where "
    + _MINE
    + """
          order by e.executed_at desc, e.id desc
          limit 10
        ) one
      ), '[]'::json) as "recentExecutions"
      from skills s
      where s.id = $1
    ) r
    """
)


async def slice_of(reader: OrgReader, skill_id: UUID, limit: int, offset: int) -> bytes | None:
    """An ExecutionSlice as JSON: newest first. None where there is no such skill."""
    return await reader.json(_SLICE, skill_id, limit, offset)


async def full(reader: OrgReader, skill_id: UUID) -> bytes | None:
    """A SkillWithRelations as JSON, or None."""
    return await reader.json(_FULL, skill_id)
