"""Accepting a run: the row is the job."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

import orjson

from kijko.core.db import Jsonb
from kijko.core.db.errors import ConstraintViolation
from kijko.core.jobs import Jobs, Work
from kijko.core.tenancy import OrgTx
from kijko.models.executions import ExecuteSkillRequest
from kijko.services.executions import queries, rules
from kijko.services.skills import checked_context
from kijko.services.skills import queries as skills
from kijko.services.skills.errors import SkillInactive, SkillNotFound


@dataclass(frozen=True, slots=True)
class Checked:
    """A run that the skill's newest version allows."""

    skill_id: UUID
    version: int
    model: str
    given: Mapping[str, Any]
    """The input as JSON, with the schema's defaults."""
    filled: list[str] | None
    """Which of it are defaults."""
    context: Jsonb | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """What is left of the quota that a run was taken from."""

    quota: Mapping[str, Any] | None
    """{metric, limit, used, resetsAt}; None where the plan sets no limit."""


async def check(tx: OrgTx, skill_id: UUID, body: ExecuteSkillRequest) -> Checked:
    """What a run of the skill's newest version would be given.

    Raises:
        SkillNotFound, SkillInactive: there is no such skill to run. ContextNotFound: no such project to read.
        InvalidInput: the input does not fit it.
    """
    skill = await skills.runnable(tx, skill_id)
    if skill is None:
        raise SkillNotFound
    if not skill.is_active:
        raise SkillInactive
    asked = body.input or {}
    given = rules.bind_input(skill.prompt_template, skill.input_schema, asked)
    filled = rules.filled_in(asked, given)
    return Checked(skill_id, skill.version, skill.model, given, filled, await checked_context(tx, body.context))


async def accept(
    tx: OrgTx,
    jobs: Jobs,
    checked: Checked,
    body: ExecuteSkillRequest,
    *,
    execution_id: UUID,
    request_id: str | None = None,
) -> Accepted:
    """Makes the run a row and commits: the last call of its transaction. A worker is nudged.

    Raises:
        SkillNotFound: it was deleted since. QuotaExceeded: the plan's oracle queries are used up.
    """
    tx.after_commit(partial(jobs.wake, Work.EXECUTIONS))
    try:
        quota = await queries.insert_last(
            tx,
            execution_id,
            skill_id=checked.skill_id,
            skill_version=checked.version,
            execution_type=body.execution_type,
            reference_id=body.reference_id,
            given=Jsonb(checked.given),
            filled=checked.filled,
            context=checked.context,
            model=checked.model,
            request_id=request_id,
        )
    except ConstraintViolation as error:
        if error.name in ("executions_skill_fkey", "executions_version_fkey"):
            raise SkillNotFound from error
        raise
    return Accepted(orjson.loads(quota) if quota else None)
