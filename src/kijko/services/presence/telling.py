"""Telling who has come and who has gone."""

from typing import Final

from kijko.core.notices import Notices
from kijko.core.tenancy import Tenants
from kijko.services import events
from kijko.services.presence import queries
from kijko.services.presence.present import HEARTBEAT_S, MOST_COLLEAGUES

_SILENCE_S: Final = 3 * HEARTBEAT_S
"""A process that said nothing for so long is taken for dead, and its people for gone."""


async def tell(database: Tenants, notices: Notices, *, grace_s: float) -> None:
    """For the scheduler. Any number of processes may; who waits `grace_s` after the last connection has gone."""
    reader = database.system_reader("who of every organization has come and gone, for their colleagues")
    rooms = await queries.tell(reader, grace_s, _SILENCE_S, MOST_COLLEAGUES)
    if rooms:
        await events.told(notices, rooms)
