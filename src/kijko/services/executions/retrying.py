"""Doing a run again: what its caller gave then, with the skill as it is now, its defaults too."""

from functools import partial
from uuid import UUID

import orjson

from kijko.core.db import Jsonb
from kijko.core.db.errors import ConstraintViolation
from kijko.core.jobs import Jobs, Work
from kijko.core.tenancy import OrgTx
from kijko.models.enums import ExecutionStatus
from kijko.models.skills import SkillContext
from kijko.services.executions import retry_queries as queries
from kijko.services.executions import rules
from kijko.services.executions.errors import CannotRetry, ExecutionNotFound
from kijko.services.executions.requests import Accepted
from kijko.services.skills import checked_context
from kijko.services.skills import queries as skills
from kijko.services.skills.errors import SkillInactive, SkillNotFound

_RETRIED = (ExecutionStatus.FAILED, ExecutionStatus.CANCELLED)


async def retry(
    tx: OrgTx, jobs: Jobs, original: UUID, *, execution_id: UUID, request_id: str | None = None
) -> Accepted:
    """Makes the new run a row, of the old one's kind, reference and context; a worker is nudged after the commit.

    Raises:
        ExecutionNotFound: the caller sees none with that id. CannotRetry: it did not fail and was not cancelled, or it
            is being done again already. SkillInactive: the skill is switched off.
        InvalidInput: the input does not fit the skill as it is now. ContextNotFound: the project that the run named is
            none that the caller may read. QuotaExceeded: the plan's oracle queries are used up.
    """
    old = await queries.repeatable(tx, original)
    if old is None:
        raise ExecutionNotFound
    if old.status not in _RETRIED:
        raise CannotRetry(f"This execution is {old.status}. Only one that failed or was cancelled is done again.")
    skill = await skills.runnable(tx, old.skill_id)
    if skill is None:
        raise SkillNotFound
    if not skill.is_active:
        raise SkillInactive
    defaults = rules.defaults(skill.input_schema)
    # A default of then that is none any more stays: nobody can give anything else in its place.
    kept = [name for name in old.filled or () if name not in defaults]
    asked = {name: value for name, value in old.input.items() if name in kept or name not in (old.filled or ())}
    given = rules.bind_input(skill.prompt_template, skill.input_schema, asked)
    filled = [*kept, *(rules.filled_in(asked, given) or ())]
    await checked_context(tx, SkillContext.model_validate(old.context) if old.context is not None else None)
    tx.after_commit(partial(jobs.wake, Work.EXECUTIONS))
    try:
        quota = await queries.insert_retry(
            tx,
            execution_id,
            original,
            skill.version,
            Jsonb(given),
            filled or None,
            skill.model,
            request_id,
        )
    except ConstraintViolation as error:
        if error.name == "executions_retry_key":
            raise CannotRetry("This execution is being done again already. Wait until that run has ended.") from error
        if error.name in ("executions_skill_fkey", "executions_version_fkey"):
            raise SkillNotFound from error
        raise
    return Accepted(orjson.loads(quota) if quota else None)
