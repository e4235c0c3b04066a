"""The statements of accepting an invitation."""

from dataclasses import dataclass
from uuid import UUID

from kijko.core.db import Query, Scalar
from kijko.core.tenancy import GateTx, OrgTx


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of a link: joined, missing, expired or wrong_recipient; where it led."""

    outcome: str
    tenant: UUID | None
    project: UUID | None
    member: UUID | None


_ACCEPT = Query(
    Accepted, "select outcome, tenant, project, member from kijko.accept_invitation($1::bytea)", writes=True
)


async def accept(tx: OrgTx, digest: bytes) -> Accepted:
    """Takes the caller where the link with that digest leads."""
    return await tx.one(_ACCEPT, digest)


@dataclass(frozen=True, slots=True)
class Look:
    """What a link is to somebody's address: open (then with its organization), expired, wrong_recipient or missing."""

    outcome: str
    tenant: UUID | None


_LOOK = Query(Look, "select outcome, tenant from kijko.look_at_invitation($1::bytea, $2::text)")
_JOIN = Scalar(str, "select kijko.join_by_invitation($1::uuid, $2::text, $3::text, $4::text, $5::bytea)", writes=True)


async def look(tx: GateTx, digest: bytes, email: str) -> Look:
    """What the link with that digest is to the holder of an address."""
    return await tx.one(_LOOK, digest, email)


async def join(tx: GateTx, user_id: UUID, email: str, first_name: str, last_name: str, digest: bytes) -> str:
    """Makes a person and takes them where the link leads; the outcome, as of Accepted."""
    return await tx.one(_JOIN, user_id, email, first_name, last_name, digest)
