"""Who was active in which project, gathered in memory and written down every few seconds: reading writes nothing."""

import asyncio
import contextlib
import logging
import time
from typing import Final
from uuid import UUID

from kijko.core.db import Scalar
from kijko.core.db.errors import DatabaseError
from kijko.core.tenancy import GateReader, Tenants

log = logging.getLogger(__name__)

_EVERY_S: Final = 5.0
_KNOWN_S: Final = 300.0
"""As kijko.note_activity has it: for so long nothing new is written about a member."""
_MOST: Final = 50_000
_NOTE = Scalar(bool, "select kijko.note_activity($1::uuid[], $2::uuid[]) is null", writes=True)
Pair = tuple[UUID, str]


class Activity:
    """One process's. What it gathered and did not write when it died is a few seconds' worth, and lost."""

    def __init__(self, database: Tenants) -> None:
        self._database = database
        self._seen: dict[Pair, float] = {}
        self._waiting: set[Pair] = set()

    def note(self, person: UUID, project: str) -> None:
        """That person did, or read, something in the project of that id just now. Costs a look into a dict."""
        pair, now = (person, project), time.monotonic()
        if now - self._seen.get(pair, -_KNOWN_S) >= _KNOWN_S and len(self._seen) < _MOST:
            self._seen[pair] = now
            self._waiting.add(pair)

    async def write(self) -> None:
        """Writes down what was gathered. Where the database is away it is kept for the next time."""
        pairs, self._waiting = self._waiting, set()
        if pairs:
            persons, projects = zip(*pairs, strict=True)
            try:
                await _note(self._database.gate_reader(), list(persons), [UUID(each) for each in projects])
            except DatabaseError as error:
                log.warning("who was active where is written later: %s", error)
                self._waiting |= pairs
        horizon = time.monotonic() - _KNOWN_S
        self._seen = {pair: at for pair, at in self._seen.items() if at > horizon or pair in self._waiting}

    async def run(self) -> None:
        """Writes every few seconds until it is cancelled, and then once more."""
        try:
            while True:
                await asyncio.sleep(_EVERY_S)
                await self.write()
        finally:
            with contextlib.suppress(DatabaseError):
                await self.write()


async def _note(reader: GateReader, persons: list[UUID], projects: list[UUID]) -> None:
    await reader.one(_NOTE, persons, projects)
