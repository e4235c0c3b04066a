"""What the sockets of a process share."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from kijko.core.tenancy import Principal
from kijko.core.turns import Turns
from kijko.realtime.engine import Engine
from kijko.realtime.entrance import Entrance
from kijko.realtime.hub import Hub
from kijko.services.presence import Present


@dataclass(frozen=True, slots=True)
class Realtime:
    """The rooms, the way in, who has how many connections and who is there, and Socket.IO's sessions."""

    hub: Hub
    entrance: Entrance
    persons: Turns
    organizations: Turns
    present: Present
    engine: Engine

    @contextmanager
    def admitted(self, principal: Principal) -> Iterator[None]:
        """One connection more, of a person and their organization, until the end of the block.

        Raises:
            Limited: they have all that they may.
        """
        # Whose token names no organization counts for themselves, and not together with all others of that kind.
        whose = principal.organization_id or principal.user_id
        with self.persons.take(principal.user_id), self.organizations.take(whose):
            yield
