"""The API's side of text as it comes: each process hears a run's text once, for all who follow it there.

What was heard is kept while somebody follows, so a slow reader costs nothing but their place in it.
"""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from redis.asyncio import Redis

from kijko.core.channels import Channels
from kijko.core.notices import Notice
from kijko.core.redis import RedisFailure
from kijko.services.executions.words import ASKS, Ask, Words, channel_of, execution_of, words, written

_MOST: Final = 4_000_000
"""Characters that are kept of a run; the rest of a longer one comes with its end."""


class Heard:
    """What a run has said in its present attempt, as far as it was heard here."""

    def __init__(self) -> None:
        self.claims = 0
        self.attempt = 0
        self.cited = False
        """Whether it may hold a project's code."""
        self.listeners: set[Notice] = set()
        self._pieces: list[str] = []
        self._ends: list[int] = []

    @property
    def length(self) -> int:
        """Characters heard."""
        return self._ends[-1] if self._ends else 0

    def take(self, said: Words) -> bool:
        """Adds what is new in it; False where something before it was missed."""
        if said.claims < self.claims:
            return True
        if said.claims > self.claims:
            self.claims, self.attempt, self.cited = said.claims, said.attempt, said.cited
            self._pieces, self._ends = [], []
        if said.offset > self.length:
            return self.length >= _MOST
        new = said.text[self.length - said.offset :]
        if new and self.length < _MOST:
            self._pieces.append(new)
            self._ends.append(self.length + len(new))
            for notice in self.listeners:
                notice.rouse()
        return True

    def behind(self, offset: int, most: int) -> str:
        """The text from there on, so much of it at the most."""
        place = bisect_right(self._ends, offset)
        found: list[str] = []
        begin = self._ends[place - 1] if place else 0
        size = begin - offset
        while place < len(self._pieces) and size < most:
            found.append(self._pieces[place])
            size += len(self._pieces[place])
            place += 1
        return "".join(found)[offset - begin :][:most]


class Texts:
    """What is heard in this process."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._heard: dict[UUID, Heard] = {}
        self._channels = Channels(redis, self._take, self._missed)
        self._asking: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def expect(self, execution_id: UUID, notice: Notice) -> AsyncIterator[Heard]:
        """What the run says, until the end of the block; the notice is roused when it says more."""
        heard = self._heard.setdefault(execution_id, Heard())
        heard.listeners.add(notice)
        try:
            await self._channels.open(channel_of(execution_id))
            yield heard
        finally:
            heard.listeners.discard(notice)
            if not heard.listeners and self._heard.get(execution_id) is heard:
                del self._heard[execution_id]
                await self._channels.shut(channel_of(execution_id))
                if execution_id in self._heard:  # somebody came meanwhile
                    await self._channels.open(channel_of(execution_id))

    async def ask(self, execution_id: UUID) -> None:
        """Lets whoever runs it tell what was not heard. Never fails."""
        heard = self._heard.get(execution_id)
        if heard is not None:
            try:
                await self._redis.publish(ASKS, written(Ask(execution_id, heard.claims, heard.length)))
            except RedisFailure:
                return  # it is asked again soon

    async def close(self) -> None:
        """Hears nothing any more."""
        await self._channels.close()

    def _take(self, channel: str, message: bytes) -> None:
        execution_id = execution_of(channel)
        heard = self._heard.get(execution_id) if execution_id else None
        if execution_id and heard and not heard.take(words(message)):
            self._ask_soon(execution_id)

    def _missed(self) -> None:
        for execution_id in self._heard:
            self._ask_soon(execution_id)

    def _ask_soon(self, execution_id: UUID) -> None:
        task = asyncio.get_running_loop().create_task(self.ask(execution_id))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
