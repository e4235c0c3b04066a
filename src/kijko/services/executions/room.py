"""How much text a worker holds at once. Most prompts are small and never wait; a few large ones wait for each other."""

import asyncio
from uuid import UUID

_SMALL = 50_000


class Room:
    """Characters of prompts that are being run or whose results wait to be written. One event loop's."""

    def __init__(self, characters: int) -> None:
        self._most = characters
        self._held: dict[UUID, int] = {}
        self._freed = asyncio.Condition()

    async def take(self, execution_id: UUID, characters: int) -> None:
        """Returns when there is room. What is small has some always; what is alone has, whatever its size."""
        if characters <= _SMALL:
            return
        async with self._freed:
            await self._freed.wait_for(lambda: not self._held or sum(self._held.values()) + characters <= self._most)
            self._held[execution_id] = characters

    async def give_back(self, execution_id: UUID) -> None:
        """The run's texts are no longer held. Safe to call for one that holds nothing."""
        if self._held.pop(execution_id, None) is not None:
            async with self._freed:
                self._freed.notify_all()
