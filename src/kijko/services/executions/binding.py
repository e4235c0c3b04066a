"""The code that a run's `{{context}}` stands for, read in the name of who runs it, each time it runs."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import orjson
import structlog

from kijko.core.db.errors import DatabaseUnavailable
from kijko.core.tenancy import Tenants
from kijko.models.executions import Citation
from kijko.models.skills import SkillContext
from kijko.services import search
from kijko.services.executions import rules
from kijko.services.executions.work_queries import Claimed

DEFAULT_TOKENS: Final = 4000
_CHARACTERS: Final = 5
"""Of a token of code, with room to spare."""
_WAITS_S: Final = (0.2, 1.0, 4.0)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Bound:
    """What {{context}} becomes, whose code it is, and what of it, as the wire's JSON."""

    text: str = ""
    project_id: UUID | None = None
    citations: str | None = None


NOTHING: Final = Bound()


def wanted(claimed: Claimed) -> SkillContext | None:
    """The context to read: none where the prompt has no place for it, or no project is named."""
    if claimed.context is None or "context" in claimed.input:
        return None
    if "context" not in rules.placeholders(claimed.prompt_template):
        return None
    found = SkillContext.model_validate(claimed.context)
    return found if found.project_id is not None else None


def largest(context: SkillContext | None) -> int:
    """Characters that it may come to."""
    return 0 if context is None else (context.max_tokens or DEFAULT_TOKENS) * _CHARACTERS


async def bind(database: Tenants, questions: search.Questions, claimed: Claimed, context: SkillContext | None) -> Bound:
    """Reads it. While the database is away it waits a little and tries again.

    Raises:
        ProjectNotFound: who runs it may not read the project, or it is gone. DatabaseError: it cannot be read now.
    """
    if context is None or context.project_id is None:
        return NOTHING
    query = rules.context_query(context.query, claimed.prompt_template, claimed.input)
    reader = database.system_reader("a run's context, for who runs it")
    for wait_s in (*_WAITS_S, None):
        try:
            found = await search.context(
                reader,
                questions,
                claimed.user_id,
                claimed.organization_id,
                context.project_id,
                query,
                context.max_tokens or DEFAULT_TOKENS,
            )
        except DatabaseUnavailable as error:
            if wait_s is None:
                raise
            _log.warning("execution.context_waits", execution_id=str(claimed.id), error=str(error))
            await asyncio.sleep(wait_s)
        else:
            return Bound(found.text, context.project_id if found.citations else None, _wire(found.citations))
    raise AssertionError("unreachable")


def _wire(citations: Sequence[search.Citation]) -> str:
    cited = [Citation.model_validate(each).model_dump(mode="json", by_alias=True) for each in citations]
    return orjson.dumps(cited).decode()
