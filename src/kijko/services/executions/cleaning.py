"""Deleting old executions. What they cost stays in the ledger and in its sums."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from kijko.core.tenancy import OrgReader
from kijko.models.executions import CleanupResult
from kijko.services.executions import clean_queries as queries
from kijko.services.organizations import access

_BATCH: Final = 1000
_BATCHES: Final = 100
_MB: Final = 1_000_000


async def clean(reader: OrgReader, *, older_than_days: int) -> CleanupResult:
    """Deletes what has ended and was asked for that long ago, a thousand in a transaction, 100,000 at the most.

    Whatever is read or run meanwhile waits for no more than one of these.

    Raises:
        Forbidden: the caller is neither owner nor admin.
    """
    await access.require_manager(reader, "clean up executions")
    before = datetime.now(UTC) - timedelta(days=older_than_days)
    deleted = freed = 0
    for _ in range(_BATCHES):
        gone = await queries.clean(reader, before, _BATCH)
        deleted += gone.deleted
        freed += gone.bytes
        if gone.deleted < _BATCH:
            break
    return CleanupResult(deleted_count=deleted, freed_space_mb=round(Decimal(freed) / _MB, 3))
