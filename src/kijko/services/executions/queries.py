"""Every statement on executions that a person causes. The worker's are in `work_queries` and `ending_queries`."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from kijko.core.db import Json, Jsonb, Query
from kijko.core.tenancy import OrgReader, OrgTx

UTC: Final = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
_HEAD: Final = (
    'e.id, e.skill_id as "skillId", e.user_id as "userId", e.execution_type as "executionType", '
    'e.reference_id as "referenceId", '
)
_TAIL: Final = (
    'e.prompt_tokens + e.completion_tokens as "tokensUsed", '
    'e.prompt_tokens as "promptTokens", e.completion_tokens as "completionTokens", e.duration_ms as "durationMs", '
    'e.cost_cents as "costCents", e.status, e.error_message as "errorMessage", e.error_code as "errorCode", e.model, '
    'e.skill_version as "skillVersion", e.attempts, e.retry_of as "retryOf", e.citations, '
    "to_char(e.executed_at at time zone 'UTC', " + UTC + ') as "executedAt", '
    "to_char(e.completed_at at time zone 'UTC', " + UTC + ') as "completedAt"'
)
LISTED: Final = _HEAD + "e.input, e.output, " + _TAIL
"""The columns of a SkillExecution, of `executions e`, but for its prompt."""
SHORT: Final = (
    _HEAD
    + "case when octet_length(e.input::text) <= 50000 then e.input end as input, left(e.output, 20000) as output, "
    + _TAIL
)
"""The same as lists show it: a page of the longest ones would be gigabytes."""
WIRE: Final = LISTED + ', e.rendered_prompt as "renderedPrompt"'
"""The same of one that is read by itself."""

_GET = Json("select row_to_json(r) from (select " + WIRE + " from executions e where e.id = $1::uuid) r")


async def get(reader: OrgReader, execution_id: UUID) -> bytes | None:
    """The SkillExecution as the wire's JSON, or None."""
    return await reader.json(_GET, execution_id)


_OUTCOME = Json(
    """
    select json_build_object(
      'executionId', e.id, 'status', e.status, 'output', e.output,
      'tokensUsed', e.prompt_tokens + e.completion_tokens, 'durationMs', e.duration_ms, 'error', e.error_message
    )
    from executions e
    where e.id = $1::uuid
    """
)


async def outcome(reader: OrgReader, execution_id: UUID) -> bytes | None:
    """The ExecuteSkillResponse as the wire's JSON, or None."""
    return await reader.json(_OUTCOME, execution_id)


# The function takes the quota and makes the row; a person may do neither alone.
_INSERT = Json(
    """
    select kijko.request_execution(
      $1::uuid, $2::uuid, $3::integer, $4::text, $5::uuid, $6::jsonb, $7::jsonb, $8::text, $9::text, $10::text[]
    )
    """,
    writes=True,
)


async def insert_last(
    tx: OrgTx,
    execution_id: UUID,
    *,
    skill_id: UUID,
    skill_version: int,
    execution_type: str,
    reference_id: UUID | None,
    given: Jsonb,
    filled: list[str] | None,
    context: Jsonb | None,
    model: str,
    request_id: str | None,
) -> bytes | None:
    """Takes one oracle query of the quota, inserts the pending row and commits. `filled`: what of `given` are defaults.

    Answers the quota as JSON, {metric, limit, used, resetsAt}; None where there is no limit.
    """
    call = _INSERT.bind(
        execution_id,
        skill_id,
        skill_version,
        execution_type,
        reference_id,
        given,
        context,
        model,
        request_id,
        filled,
    )
    return await tx.last(call)


@dataclass(frozen=True, slots=True)
class Look:
    """Where a run stands, for who follows it."""

    status: str
    claims: int
    """How often a worker took it."""
    attempts: int
    cited: bool
    """Whether it may hold a project's code, which the caller may then read."""
    output: str | None


_LOOK = Query(
    Look,
    """
    select status, claims, attempts, cited_project_id is not null as cited, output
    from executions
    where id = $1::uuid
    """,
)


async def look(reader: OrgReader, execution_id: UUID) -> Look | None:
    """Where the run stands, or None where there is none that the caller may see."""
    return await reader.first(_LOOK, execution_id)


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What a run was that is to be cancelled: pending, running; or ended, unknown, forbidden."""

    was: str
    user_id: UUID | None
    """Who ran it; None where the caller may not see it."""


# The run is read as it was before; whose it is never changes.
_CANCEL = Query(
    Cancelled,
    """
    select kijko.cancel_execution($1::uuid) as was,
      (select e.user_id from executions e where e.id = $1::uuid) as user_id
    """,
    writes=True,
)


async def cancel(tx: OrgTx, execution_id: UUID) -> Cancelled:
    """Ends the run as cancelled, where the caller may and it has not ended."""
    return await tx.one(_CANCEL, execution_id)
