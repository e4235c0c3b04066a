"""What the sockets of a process share."""

from dataclasses import dataclass

from kijko.core.places import Free, Places
from kijko.core.tenancy import Principal
from kijko.realtime.engine import Engine
from kijko.realtime.entrance import Entrance
from kijko.realtime.hub import Hub
from kijko.services.presence import Present


@dataclass(frozen=True, slots=True)
class Realtime:
    """The rooms, the way in, who has how many connections and who is there, and Socket.IO's sessions."""

    hub: Hub
    entrance: Entrance
    places: Places
    """Connections, of persons and of organizations."""
    present: Present
    engine: Engine

    async def admit(self, principal: Principal) -> Free:
        """One connection more, of a person and their organization; call what comes back when it has ended.

        Raises:
            Limited: they have all that they may.
        """
        # Whose token names no organization counts for themselves, and not together with all others of that kind.
        return await self.places.take((principal.user_id, principal.organization_id or principal.user_id))
