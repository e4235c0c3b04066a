"""Carrying deletions out, batch by batch, and telling how far they are."""

from hashlib import sha256
from typing import Final
from uuid import UUID

from kijko.core.tenancy import Tenants
from kijko.services.privacy import queries
from kijko.services.privacy.errors import DeletionNotFound

_WHY: Final = "delete organizations whose owners asked for it"
_MOST: Final = 2000
_FILES_S: Final = 2.0


async def status(database: Tenants, deletion_id: UUID, token: str) -> bytes:
    """The DeletionStatus as JSON. Raises DeletionNotFound for an unknown id and for another token alike."""
    async with database.gate() as tx:
        found = await queries.status(tx, deletion_id, sha256(token.encode("utf-8", "replace")).digest())
    if found is None:
        raise DeletionNotFound
    return found


async def sweep(database: Tenants) -> None:
    """Carries every deletion on that is due, as far as it goes. Any number may run; each batch is a transaction."""
    reader = database.system_reader(_WHY)
    while due := await queries.claim(reader):
        while await queries.erase(reader, due, _MOST):
            pass
        await queries.cleared(reader, due)
        if await queries.holds_files(reader, due):
            await queries.wait(reader, due, _FILES_S)
        else:
            await queries.done(reader, due)
