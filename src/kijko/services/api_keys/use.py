"""When keys were last used: gathered in memory, written every few seconds, and once a minute for each at the most."""

import asyncio
import contextlib
import logging
import time
from typing import Final
from uuid import UUID

from kijko.core.db.errors import DatabaseError
from kijko.core.tenancy import Tenants
from kijko.services.api_keys import queries

log = logging.getLogger(__name__)

_EVERY_S: Final = 2.0
_KNOWN_S: Final = 60.0
"""As kijko.note_keys_used has it: for so long nothing new is written about a key."""
_MOST: Final = 50_000


class Use:
    """One process's. What it gathered and did not write when it died is a moment's worth, and lost."""

    def __init__(self, database: Tenants) -> None:
        self._database = database
        self._seen: dict[UUID, float] = {}
        self._waiting: set[UUID] = set()

    def note(self, key: UUID) -> None:
        """That key was used just now. Costs a look into a dict."""
        now = time.monotonic()
        if now - self._seen.get(key, -_KNOWN_S) >= _KNOWN_S and len(self._seen) < _MOST:
            self._seen[key] = now
            self._waiting.add(key)

    async def write(self) -> None:
        """Writes down what was gathered. Where the database is away it is kept for the next time."""
        keys, self._waiting = self._waiting, set()
        if keys:
            try:
                await queries.note(self._database.gate_reader(), sorted(keys))
            except DatabaseError as error:
                log.warning("when keys were used is written later: %s", error)
                self._waiting |= keys
        horizon = time.monotonic() - _KNOWN_S
        self._seen = {key: at for key, at in self._seen.items() if at > horizon or key in self._waiting}

    async def run(self) -> None:
        """Writes every few seconds until it is cancelled, and then once more."""
        try:
            while True:
                await asyncio.sleep(_EVERY_S)
                await self.write()
        finally:
            with contextlib.suppress(DatabaseError):
                await self.write()
