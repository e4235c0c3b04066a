"""The statements of trials. The counting is done by functions in the database."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from kijko.core.db import Query, Scalar
from kijko.core.tenancy import GateReader, OrgTx


@dataclass(frozen=True, slots=True)
class Begun:
    """A trial whose quota is taken."""

    quota: dict[str, Any] | None
    """What is left, {metric, limit, used, resetsAt}; None where there is no limit."""
    organization_id: UUID


_BEGIN = Query(
    Begun,
    "select kijko.begin_trial($1::uuid, $2::double precision) as quota, kijko.current_org() as organization_id",
    writes=True,
)


async def begin(tx: OrgTx, trial_id: UUID, seconds: float) -> Begun:
    """Takes one oracle query, for so long."""
    return await tx.one(_BEGIN, trial_id, seconds)


@dataclass(frozen=True, slots=True)
class Use:
    """What a trial came to. Without a model that ran, only that."""

    ran: bool
    outcome: str
    duration_ms: int
    provider: str | None = None
    model: str | None = None
    prompt_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    completion_tokens: int | None = None
    cost_cents: Decimal | None = None
    cited_project_id: UUID | None = None
    estimated: bool = False
    own_key: bool | None = None
    """Whether the key was the organization's own; None where no model ran."""


_END: Final = Scalar(
    bool,
    """
    select kijko.end_trial(
      $1::uuid, $2::uuid, $3::boolean, $4::text, $5::text, $6::text, $7::bigint, $8::bigint, $9::bigint, $10::bigint,
      $11::numeric, $12::bigint, $13::uuid, $14::boolean, $15::boolean
    )
    """,
    writes=True,
)


async def end(reader: GateReader, trial_id: UUID, skill_id: UUID | None, use: Use) -> bool:
    """Accounts for a trial; False where it was given back before."""
    return await reader.one(
        _END,
        trial_id,
        skill_id,
        use.ran,
        use.outcome,
        use.provider,
        use.model,
        use.prompt_tokens,
        use.cache_read_tokens,
        use.cache_write_tokens,
        use.completion_tokens,
        use.cost_cents,
        use.duration_ms,
        use.cited_project_id,
        use.estimated,
        use.own_key,
    )
