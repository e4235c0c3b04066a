"""Writing to rooms' logs, and forgetting what is old."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from kijko.core.db import Jsonb
from kijko.core.notices import Notices
from kijko.core.tenancy import SystemTx, Tenants
from kijko.services.events import queries

_BATCH: Final = 5000


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `data` is the wire's JSON of its kind; `project_id` where it goes when the project does."""

    room: str
    organization_id: UUID
    project_id: UUID | None
    event: str
    data: dict[str, Any]  # JSON, of the event's own shape


def project_room(project_id: UUID) -> str:
    """The room of whoever may read a project."""
    return f"project:{project_id}"


def user_room(user_id: UUID) -> str:
    """A person's own room."""
    return f"user:{user_id}"


def notice_of(room: str) -> str:
    """The notice that there is something new in a room."""
    return f"room:{room}"


async def write(tx: SystemTx, events: Sequence[Event]) -> None:
    """Appends events to their rooms' logs, in this order, if the transaction is kept. Call `told` after its commit."""
    for one in events:
        await queries.write(tx, one.room, one.organization_id, one.project_id, one.event, Jsonb(one.data))


async def told(notices: Notices, rooms: Iterable[str]) -> None:
    """Lets whoever listens to these rooms look at their logs. Never fails: a lost notice costs a listener a moment."""
    await notices.publish([notice_of(room) for room in rooms])


async def trim(database: Tenants, *, keep_s: float) -> None:
    """For the scheduler: events older than that go. A room's head knows up to which."""
    while True:
        async with database.system("events of every room, past their time") as tx:
            if await queries.trim(tx, keep_s, _BATCH) < _BATCH:
                return
