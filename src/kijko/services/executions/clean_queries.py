"""What cleaning up writes."""

from dataclasses import dataclass
from datetime import datetime

from kijko.core.db import Query
from kijko.core.tenancy import OrgReader


@dataclass(frozen=True, slots=True)
class Gone:
    """How many executions were deleted, and about how many bytes they took."""

    deleted: int
    bytes: int


_CLEAN = Query(Gone, "select deleted, bytes from kijko.clean_executions($1::timestamptz, $2::integer)", writes=True)


async def clean(reader: OrgReader, before: datetime, most: int) -> Gone:
    """Deletes ended executions that were asked for before then, the oldest first."""
    return await reader.one(_CLEAN, before, most)
