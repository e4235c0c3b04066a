"""The statements of repository webhooks. Their tables are reached by functions alone."""

from dataclasses import dataclass
from uuid import UUID

from kijko.core.db import Query, Scalar, Statement
from kijko.core.tenancy import GateTx, OrgReader, SystemReader


@dataclass(frozen=True, slots=True)
class Known:
    """What is needed to judge a delivery."""

    secret: str
    """Encrypted."""
    branch: str
    follows: bool
    """Whether the project wants pushes to start ingestions."""


_WEBHOOK = Scalar(str, "select kijko.repository_webhook($1::uuid, $2::uuid, $3::text, $4::text)", writes=True)
_KNOWN = Query(Known, "select s.secret, s.branch, s.follows from kijko.webhook_secret($1::uuid) s")
_TAKE = Scalar(str, "select kijko.note_delivery($1::uuid, $2::text, $3::text, $4::boolean)", writes=True)
_FORGET = Statement("delete from repository_deliveries where received_at < now() - interval '7 days'")


async def webhook(
    reader: OrgReader, project_id: UUID, repository_id: UUID, fresh: str, lost: str | None = None
) -> str | None:
    """A repository's sealed secret, `fresh` where it had none or still has the one that cannot be opened any more.

    None where the project has no such repository.
    """
    return await reader.first(_WEBHOOK, project_id, repository_id, fresh, lost)


async def known(tx: GateTx, repository_id: UUID) -> Known | None:
    """What a delivery is judged by; None where nobody has asked for this repository's secret."""
    return await tx.first(_KNOWN, repository_id)


async def take(tx: GateTx, repository_id: UUID, delivery: str, event: str, *, starts: bool) -> str:
    """Note a delivery, once; what became of it: started, noted, delivered_before or quota_exceeded."""
    return await tx.one(_TAKE, repository_id, delivery, event, starts)


async def forget(reader: SystemReader) -> int:
    """Delete deliveries that are too old to come again; how many."""
    return await reader.run(_FORGET)
