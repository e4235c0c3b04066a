"""What doing a run again reads and writes."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from kijko.core.db import Json, Jsonb, Query
from kijko.core.tenancy import OrgTx


@dataclass(frozen=True, slots=True)
class Repeatable:
    """What a run was given."""

    skill_id: UUID
    status: str
    input: dict[str, Any]  # any JSON
    filled: list[str] | None
    """Names of what the skill's defaults of then filled in."""
    context: dict[str, Any] | None  # SkillContext as JSON, where the request had one of its own


_REPEATABLE = Query(
    Repeatable, "select e.skill_id, e.status, e.input, e.filled, e.context from executions e where e.id = $1::uuid"
)


async def repeatable(tx: OrgTx, execution_id: UUID) -> Repeatable | None:
    """The run, as far as the caller may see it."""
    return await tx.first(_REPEATABLE, execution_id)


# The function takes the quota and makes the row, as for a first run.
_INSERT = Json(
    "select kijko.retry_execution($1::uuid, $2::uuid, $3::integer, $4::jsonb, $5::text, $6::text, $7::text[])",
    writes=True,
)


async def insert_retry(
    tx: OrgTx,
    execution_id: UUID,
    original: UUID,
    version: int,
    given: Jsonb,
    filled: list[str] | None,
    model: str,
    request_id: str | None,
) -> bytes | None:
    """Takes one oracle query and inserts the pending row; answers the quota as JSON, None where there is no limit."""
    return await tx.json(_INSERT, execution_id, original, version, given, model, request_id, filled)
