"""The plans as they stand in the database."""

from dataclasses import dataclass

from kijko.core.db import Query
from kijko.core.tenancy import OrgReader, OrgTx


@dataclass(frozen=True, slots=True)
class Plan:
    """What a plan allows; None is unlimited. Calls and ingestions count a month, oracle queries a UTC day."""

    id: str
    api_calls: int | None
    ingestions: int | None
    storage_bytes: int | None
    seats: int | None
    oracle_queries: int | None
    concurrent_executions: int


_PLANS = Query(
    Plan,
    """
    select p.id, p.api_calls, p.ingestions, p.storage_bytes, p.seats, p.oracle_queries, p.concurrent_executions
    from plans p
    order by p.position
    """,
)


async def plans(reader: OrgReader | OrgTx) -> list[Plan]:
    """All plans, cheapest first."""
    return await reader.all(_PLANS)
