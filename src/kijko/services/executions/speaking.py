"""A worker's side of text as it comes: it tells who follows one of its runs, and says nothing where nobody does.

What comes together goes together: one trip to Redis for all runs, then a pause of a few milliseconds. A run's first
piece goes out at once. That nobody heard it is what Redis answers; from then on the run is silent until it is asked. So
a run that nobody follows costs one message, and one that ends at once, none: who follows it gets its text with the row.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Final
from uuid import UUID

import structlog
from redis.asyncio import Redis

from kijko.clients.llm import Progress
from kijko.core.channels import Channels
from kijko.core.redis import RedisFailure
from kijko.services.executions import rules
from kijko.services.executions.words import ASKS, Words, ask, channel_of, written
from kijko.services.executions.work_queries import Claimed

_PAUSE_S: Final = 0.004
_AWAY_S: Final = 0.5
_MESSAGE: Final = 65_536
"""Characters of one message at the most."""
_log = structlog.get_logger(__name__)


class Voice:
    """One run's, while this worker has it."""

    def __init__(self, claimed: Claimed, progress: Progress, wanted: Callable[["Voice"], None]) -> None:
        self.execution_id = claimed.id
        self.cited = False
        """Whether the prompt holds a project's code."""
        self._claims, self._attempt = claimed.claims, claimed.attempts
        self._progress = progress
        self._wanted = wanted
        self._silent = False
        self._offset = 0
        """How much was told."""
        self._taken = 0
        """How many of the pieces were told or are in the backlog."""
        self._backlog = ""
        self._under_way = 0
        """How much of the backlog is being told."""
        progress.on_text = self._say

    def asked(self, claims: int, offset: int) -> None:
        """Somebody has the text up to there, of that claim, and wants the rest."""
        begin = offset if claims == self._claims else 0
        if not self._silent and begin >= self._offset:
            return
        self._silent = False
        text = self._progress.text
        self._offset, self._taken, self._backlog = begin, len(self._progress.pieces), text[begin:]
        self._under_way = 0
        if self._backlog:
            self._wanted(self)

    def end(self) -> None:
        """The attempt is over: whoever follows reads its end from the row."""
        self._progress.on_text = None
        self._silent = True

    def next(self) -> list[bytes]:
        """What was not told yet, as messages."""
        if self._silent:
            return []
        pieces = self._progress.pieces
        self._backlog += "".join(pieces[self._taken :])
        self._taken = len(pieces)
        self._under_way = len(self._backlog)
        return [written(one) for one in self._cut(rules.storable(self._backlog))]

    def told(self, listeners: int) -> None:
        """What `next` gave was told to so many."""
        if not self._under_way:  # somebody asked meanwhile, and is told from another place
            return
        self._offset += self._under_way
        self._backlog = self._backlog[self._under_way :]
        self._under_way = 0
        self._silent = self._silent or listeners == 0

    def _cut(self, text: str) -> Iterator[Words]:
        for begin in range(0, len(text), _MESSAGE):
            piece = text[begin : begin + _MESSAGE]
            yield Words(self._claims, self._attempt, self._offset + begin, self.cited, piece)

    def _say(self, _: str) -> None:
        if not self._silent:
            self._wanted(self)


class Speaker:
    """All voices of one worker. Lives on its event loop."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._channels = Channels(redis, self._heard, lambda: None)
        self._voices: dict[UUID, Voice] = {}
        self._waiting: dict[UUID, Voice] = {}
        self._some = asyncio.Event()

    async def close(self) -> None:
        """Hears nobody any more."""
        await self._channels.close()

    @contextlib.contextmanager
    def voice(self, claimed: Claimed, progress: Progress) -> Iterator[Voice]:
        """A run's voice, until the end of the block."""
        made = Voice(claimed, progress, self._want)
        self._voices[claimed.id] = made
        try:
            yield made
        finally:
            made.end()
            if self._voices.get(claimed.id) is made:
                del self._voices[claimed.id]
                self._waiting.pop(claimed.id, None)

    def _want(self, voice: Voice) -> None:
        self._waiting[voice.execution_id] = voice
        self._some.set()

    def _heard(self, channel: str, message: bytes) -> None:
        if channel == ASKS:
            said = ask(message)
            if voice := self._voices.get(said.execution_id):
                voice.asked(said.claims, said.offset)

    async def speak(self) -> None:
        """Hears who asks, and tells them, without end."""
        await self._channels.open(ASKS)
        while True:
            await self._some.wait()
            self._some.clear()
            waiting, self._waiting = self._waiting, {}
            batch = [(voice, messages) for voice in waiting.values() if (messages := voice.next())]
            if not batch:
                continue
            try:
                await self._publish(batch)
            except RedisFailure as error:  # it is told with what comes next, and else with the row
                _log.warning("text.lost", runs=len(batch), error=type(error).__name__)
                await asyncio.sleep(_AWAY_S)
            else:
                await asyncio.sleep(_PAUSE_S)

    async def _publish(self, batch: list[tuple[Voice, list[bytes]]]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for voice, messages in batch:
            for message in messages:
                pipeline.publish(channel_of(voice.execution_id), message)
        answers = iter(await pipeline.execute())
        for voice, messages in batch:
            voice.told(min(next(answers) for _ in messages))
