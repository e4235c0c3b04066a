"""Taking, correcting and giving back what a plan allows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from kijko.core.tenancy import OrgReader, OrgTx, SystemTx, Tenants
from kijko.models.enums import UsageMetricType
from kijko.services.usage import queries

_MOST: Final = 500


@dataclass(frozen=True, slots=True)
class Usage:
    """What is used of a metric in its present window, or held."""

    metric: UsageMetricType
    used: int
    """Calls, runs or seats; bytes of storage."""
    limit: int | None
    """None: unlimited."""
    resets_at: datetime | None
    """The window's end, UTC; None for what is held (storage, seats)."""


async def release(tx: SystemTx, metric: UsageMetricType, subjects: Sequence[UUID]) -> list[UUID]:
    """Gives back what these subjects stand for; answers those that stood for something until now.

    Pass all of one transaction's subjects at once: they are locked in an order that avoids deadlocks.
    """
    return await queries.release(tx, metric, subjects)


async def settle(tx: SystemTx, organization_id: UUID, metric: UsageMetricType, subject: UUID, actual: int) -> bool:
    """Corrects a reservation to what was really used, which may be more than the plan allows.

    Answers False, and changes nothing, when the subject stands for nothing or was settled before.
    """
    return await queries.settle(tx, organization_id, metric, subject, actual)


async def close(database: Tenants) -> None:
    """Gives back what nobody is left to give back: reservations of work that went without its end."""
    reader = database.system_reader("reservations that are due, of every organization")
    while await queries.close(reader, _MOST) == _MOST:
        pass


async def of(reader: OrgReader | OrgTx) -> list[Usage]:
    """The five metrics of the active organization, in the order of the plans' page."""
    return [
        Usage(
            UsageMetricType(row.metric),
            int(row.used),
            None if row.allowed is None else int(row.allowed),
            row.resets_at,
        )
        for row in await queries.current(reader)
    ]
