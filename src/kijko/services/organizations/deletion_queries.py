"""The statement that begins an organization's end."""

from uuid import UUID

from kijko.core.db import Scalar
from kijko.core.tenancy import OrgTx

_BEGIN = Scalar(str, "select kijko.delete_organization($1::text, $2::uuid, $3::bytea)", writes=True)


async def begin(tx: OrgTx, confirm: str, deletion_id: UUID, digest: bytes) -> str:
    """done, unconfirmed or paid."""
    return await tx.one(_BEGIN, confirm, deletion_id, digest)
