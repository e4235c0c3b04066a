"""What happens again and again, gathered in memory and written every few seconds: a request itself writes nothing."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from typing import Final, Generic, TypeVar

from kijko.core.db.errors import DatabaseError

log = logging.getLogger(__name__)

_MOST: Final = 50_000
Item = TypeVar("Item")
Keep = Callable[[Collection[Item]], Awaitable[object]]


class Gathering(Generic[Item]):
    """One process's. What it gathered and did not write when it died is a few seconds' worth, and lost.

    Args:
        what: is written, for the log where it has to wait.
        keep: writes some, each once. It may raise DatabaseError: then they are kept for the next time.
        every_s: between two writes.
        known_s: for so long nothing new is written about the same.
    """

    def __init__(self, what: str, keep: Keep[Item], *, every_s: float, known_s: float) -> None:
        self._what = what
        self._keep = keep
        self._every_s = every_s
        self._known_s = known_s
        self._seen: dict[Item, float] = {}
        self._waiting: set[Item] = set()

    def see(self, item: Item) -> None:
        """That one just now. Costs a look into a dict."""
        now = time.monotonic()
        if now - self._seen.get(item, -self._known_s) >= self._known_s and len(self._seen) < _MOST:
            self._seen[item] = now
            self._waiting.add(item)

    async def write(self) -> None:
        """Writes down what was gathered. Where the database is away it is kept for the next time."""
        items, self._waiting = self._waiting, set()
        if items:
            try:
                await self._keep(items)
            except DatabaseError as error:
                log.warning("%s is written later: %s", self._what, error)
                self._waiting |= items
        horizon = time.monotonic() - self._known_s
        self._seen = {item: at for item, at in self._seen.items() if at > horizon or item in self._waiting}

    async def run(self) -> None:
        """Writes every few seconds until it is cancelled, and then once more."""
        try:
            while True:
                await asyncio.sleep(self._every_s)
                await self.write()
        finally:
            with contextlib.suppress(DatabaseError):
                await self.write()
