"""Who is connected to this process, gathered in memory and written down twice a second.

Whoever has just connected is told who of their colleagues is there, after it was written that they are there too:
whoever comes later is told in their room. So nobody is missed between the two.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final
from uuid import UUID, uuid4

from kijko.core.db.errors import DatabaseError
from kijko.core.tenancy import Tenants
from kijko.services.presence import queries

log = logging.getLogger(__name__)

HEARTBEAT_S: Final = 10.0
MOST_COLLEAGUES: Final = 500
"""Of so many colleagues who are there one is told, and told to so many; more are no list that a person looks at."""
_EVERY_S: Final = 0.5

Told = Callable[[Sequence[UUID]], None]
"""Takes the colleagues who are there."""


class Present:
    """One process's people."""

    def __init__(self, database: Tenants) -> None:
        self.id = uuid4()
        self._database = database
        self._connections: Counter[UUID] = Counter()
        self._changed: set[UUID] = set()
        self._asking: list[tuple[UUID, Told]] = []
        self._said = 0.0

    @contextmanager
    def connected(self, person: UUID, told: Told | None = None) -> Iterator[None]:
        """That person has one connection more, until the end of the block; `told` is called once, a moment later."""
        self._connections[person] += 1
        self._changed.add(person)
        asked = (person, told) if told is not None else None
        if asked is not None:
            self._asking.append(asked)
        try:
            yield
        finally:
            if asked in self._asking:
                self._asking.remove(asked)
            self._connections[person] -= 1
            if self._connections[person] <= 0:
                del self._connections[person]
                self._changed.add(person)

    async def run(self) -> None:
        """Writes until it is cancelled, and then that everybody has gone."""
        try:
            while True:
                await asyncio.sleep(_EVERY_S)
                await self.write()
        finally:
            self._changed.update(self._connections)
            self._connections.clear()
            with contextlib.suppress(DatabaseError, TimeoutError):
                async with asyncio.timeout(2):
                    await self.write()

    async def write(self) -> None:
        """Writes what has changed, and a heartbeat. Where the database is away it is kept for the next time."""
        changed, self._changed = self._changed, set()
        asking, self._asking = self._asking, []
        due = time.monotonic() - self._said >= HEARTBEAT_S
        if not changed and not asking and not (due and self._connections):
            return
        here = set(self._connections) if due else {each for each in changed if each in self._connections}
        gate = self._database.gate_reader()
        try:
            await queries.note(gate, self.id, sorted(here), sorted(changed.difference(self._connections)))
            self._said = time.monotonic()
            if asking:
                await self._answer(asking)
        except DatabaseError as error:
            log.warning("who is there is written later: %s", error)
            self._changed |= changed
            self._asking = asking + self._asking

    async def _answer(self, asking: Sequence[tuple[UUID, Told]]) -> None:
        persons = sorted({person for person, _ in asking})
        there: dict[UUID, list[UUID]] = {person: [] for person in persons}
        for one in await queries.colleagues(self._database.gate_reader(), persons, MOST_COLLEAGUES):
            there[one.person].append(one.colleague)
        for person, told in asking:
            told(there[person])
