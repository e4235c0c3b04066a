"""Every statement on usage. The counting is done by functions in the database, under its locks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from kijko.core.db import Query, Scalar
from kijko.core.tenancy import OrgReader, OrgTx, SystemReader, SystemTx


@dataclass(frozen=True, slots=True)
class Current:
    """A metric now. `allowed` None: unlimited; `resets_at` None: held, not counted in a window."""

    metric: str
    used: Decimal
    allowed: Decimal | None
    resets_at: datetime | None


_CURRENT = Query(Current, "select metric, used, allowed, resets_at from kijko.current_usage()")


async def current(reader: OrgReader | OrgTx) -> list[Current]:
    """The five metrics of the active organization."""
    return await reader.all(_CURRENT)


_RELEASE = Scalar(UUID, "select kijko.release_all($1::text, $2::uuid[])", writes=True)


async def release(tx: SystemTx, metric: str, subjects: Sequence[UUID]) -> list[UUID]:
    """Gives subjects' reservations back; answers those that stood."""
    return await tx.all(_RELEASE, metric, list(subjects))


_SETTLE = Scalar(bool, "select kijko.settle($1::uuid, $2::text, $3::uuid, $4::numeric)", writes=True)


async def settle(tx: SystemTx, organization_id: UUID, metric: str, subject: UUID, actual: int) -> bool:
    """Corrects a reservation to what was used; False when there is none standing."""
    return await tx.one(_SETTLE, organization_id, metric, subject, actual)


_CLOSE = Scalar(int, "select kijko.close_reservations($1::integer)", writes=True)


async def close(reader: SystemReader, most: int) -> int:
    """Gives back what is due, at most so many; how many it looked at."""
    return await reader.one(_CLOSE, most)
