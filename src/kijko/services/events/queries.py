"""The statements of rooms' logs."""

from uuid import UUID

from kijko.core.db import Jsonb, Scalar
from kijko.core.tenancy import SystemTx

_WRITE = Scalar(int, "select kijko.write_event($1::text, $2::uuid, $3::uuid, $4::text, $5::jsonb)", writes=True)
_TRIM = Scalar(int, "select kijko.trim_events(make_interval(secs => $1::double precision), $2::integer)", writes=True)


async def write(
    tx: SystemTx, room: str, organization_id: UUID, project_id: UUID | None, event: str, data: Jsonb
) -> int:
    """Appends an event; its id in the room."""
    return await tx.one(_WRITE, room, organization_id, project_id, event, data)


async def trim(tx: SystemTx, keep_s: float, most: int) -> int:
    """Deletes events that are older, at most so many; how many."""
    return await tx.one(_TRIM, keep_s, most)
