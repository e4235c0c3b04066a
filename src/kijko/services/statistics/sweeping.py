"""What the scheduler does for statistics: sums that were added row by row become one row for each key."""

from typing import Final

from kijko.core.tenancy import Tenants
from kijko.services.statistics import queries

_MOST: Final = 5000


async def sweep(database: Tenants) -> None:
    """Puts loose rows together until few are left; no sum changes."""
    reader = database.system_reader("sums of runs by day, of every organization")
    while await queries.merge(reader, _MOST) == _MOST:
        pass
