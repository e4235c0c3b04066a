"""Telling what was noted."""

from typing import Final

from kijko.core.notices import Notices
from kijko.core.tenancy import Tenants
from kijko.services import events
from kijko.services.activities import queries

_AT_ONCE: Final = 100


async def tell(database: Tenants, notices: Notices) -> None:
    """For the scheduler: tells everything that waits. Any number of processes may; each activity is told once."""
    reader = database.system_reader("activities of every organization, for the rooms of its people")
    while rooms := await queries.tell(reader, _AT_ONCE):
        await events.told(notices, rooms)
