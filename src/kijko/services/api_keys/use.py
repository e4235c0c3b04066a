"""When keys were last used: gathered in memory, written every few seconds, and once a minute for each at the most."""

from collections.abc import Collection
from typing import Final
from uuid import UUID

from kijko.core.gathering import Gathering
from kijko.core.tenancy import Tenants
from kijko.services.api_keys import queries

_EVERY_S: Final = 2.0
_KNOWN_S: Final = 60.0
"""As kijko.note_keys_used has it: for so long nothing new is written about a key."""


class Use(Gathering[UUID]):
    """One process's."""

    def __init__(self, database: Tenants) -> None:
        super().__init__("when keys were used", self._note, every_s=_EVERY_S, known_s=_KNOWN_S)
        self._database = database

    def note(self, key: UUID) -> None:
        """That key was used just now."""
        self.see(key)

    async def _note(self, keys: Collection[UUID]) -> None:
        await queries.note(self._database.gate_reader(), sorted(keys))
