"""At most so many at once of what a caller may hold, over all processes together: counted in Redis.

Each process writes how many it holds itself. One that died without a word is forgotten when it has been silent for long
enough. Where Redis is slow or away nobody waits for it: each process then counts for itself, and tells Redis later.
"""

import asyncio
import contextlib
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from redis.asyncio import Redis

from kijko.core.errors import Limited
from kijko.core.redis import RedisFailure

log = logging.getLogger(__name__)

# First this process lives, then what changed here is written, then each who asks is counted in all of their keys or in
# none. A process that is not among the living has nothing; it writes all it has when it finds that out.
_TRIP: Final = """
local clock = redis.call('time')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local living, me, silence, keep = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3]
local changed, kinds = tonumber(ARGV[4]), tonumber(ARGV[5])
redis.call('zremrangebyscore', living, '-inf', now)
local answers = {redis.call('zadd', living, now + silence, me)}
redis.call('pexpire', living, keep)
local key = 2
local function value()
  return tonumber(ARGV[4 + key])
end
for _ = 1, changed do
  if value() > 0 then
    redis.call('hset', KEYS[key], me, value())
    redis.call('pexpire', KEYS[key], keep)
  else
    redis.call('hdel', KEYS[key], me)
  end
  key = key + 1
end
local function held(name)
  local sum, all = 0, redis.call('hgetall', name)
  for at = 1, #all, 2 do
    if redis.call('zscore', living, all[at]) then
      sum = sum + all[at + 1]
    else
      redis.call('hdel', name, all[at])
    end
  end
  return sum
end
while key <= #KEYS do
  local full, used = 0, 0
  for kind = 1, kinds do
    if full == 0 then
      used = held(KEYS[key + kind - 1])
      if used >= tonumber(ARGV[3 + key + kind]) then
        full = kind
      end
    end
  end
  for kind = 1, full == 0 and kinds or 0 do
    redis.call('hincrby', KEYS[key + kind - 1], me, 1)
    redis.call('pexpire', KEYS[key + kind - 1], keep)
  end
  answers[#answers + 1] = full
  answers[#answers + 1] = used
  key = key + kinds
end
return answers
"""
_LIVING: Final = "{kijko:places}:living"
"""The braces put all keys of a trip into one slot of a cluster."""
_KEEP_S: Final = 3600
_AGAIN_S: Final = 600.0
"""So often everything is written anew, long before Redis drops it."""
_AT_ONCE: Final = 500
_AWAY_S: Final = 1.0
"""How long nobody asks Redis after it did not answer in time."""

Free = Callable[[], None]


class Full(Limited):
    """You have as many of these at once as you may. End one of them first."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the things that are counted: how many there may be, what it is called, and what the refused are told."""

    name: str
    metric: str
    most: int
    sentence: str


@dataclass(frozen=True, slots=True)
class _Asked:
    """Who waits for a place, with a key for each kind. Its answer: which kind is full with how many, or None."""

    keys: Sequence[str]
    answer: asyncio.Future[tuple[Kind, int] | None]


class Places:
    """One process's share. `run` it beside what asks it.

    Args:
        kinds: what each caller is counted under.
        silence_s: after so many seconds without a word a process counts for dead.
        deadline_s: so long a trip to Redis may take.
    """

    def __init__(self, redis: "Redis", kinds: Sequence[Kind], *, silence_s: float, deadline_s: float) -> None:
        self._redis = redis
        self._kinds = kinds
        self._silence_s = silence_s
        self._deadline_s = deadline_s
        self._me = uuid4().hex
        self._held: Counter[str] = Counter()
        """What is held here or asked for, by key."""
        self._pending: Counter[str] = Counter()
        """The part of it that is asked for."""
        self._changed: set[str] = set()
        self._asked: list[_Asked] = []
        self._wake = asyncio.Event()
        self._away_until = 0.0
        self._wrote_all = time.monotonic()

    async def take(self, whose: Sequence[object]) -> Free:
        """A place for whoever these are, one of each kind, in one trip at most; call what comes back to give it back.

        Raises:
            Full: they have all that they may.
        """
        keys = [f"{{kijko:places}}:{kind.name}:{one}" for kind, one in zip(self._kinds, whose, strict=True)]
        for kind, key in zip(self._kinds, keys, strict=True):
            if self._held[key] >= kind.most:
                raise _full(kind, self._held[key])
        self._held.update(keys)
        free = self._freeing(keys)
        if time.monotonic() < self._away_until:
            self._note(keys)
            return free
        self._pending.update(keys)
        answer: asyncio.Future[tuple[Kind, int] | None] = asyncio.get_running_loop().create_future()
        self._asked.append(_Asked(keys, answer))
        self._wake.set()
        try:
            full = await answer
        except asyncio.CancelledError:
            if not answer.cancelled() and answer.result() is None:  # it had just got its place
                free()
            raise
        if full is not None:
            raise _full(*full)
        return free

    async def run(self) -> None:
        """Talks with Redis until it is cancelled, and then says that this process has nothing any more."""
        try:
            while True:
                await self._pause()
                await self._trip()
        finally:
            self._away_until = math.inf
            for one in self._asked:
                self._settle(one, None)
            with contextlib.suppress(*RedisFailure):
                async with asyncio.timeout(1):
                    await self._redis.zrem(_LIVING, self._me)

    async def _pause(self) -> None:
        """Until there is something to say; this process lives, if nothing else."""
        away = self._away_until - time.monotonic()
        if away > 0:
            await asyncio.sleep(away)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._silence_s / 3):
                await self._wake.wait()

    async def _trip(self) -> None:
        if time.monotonic() - self._wrote_all > _AGAIN_S:
            self._write_all()
        changed, asked = list(self._changed)[:_AT_ONCE], self._asked[:_AT_ONCE]
        self._changed.difference_update(changed)
        self._wake.clear()
        try:
            async with asyncio.timeout(self._deadline_s):
                new, *answers = await self._tell(changed, asked)
        except Exception as error:  # whatever it is: a loop that ended would let nobody in
            self._give_up(changed, error)
            return
        del self._asked[: len(asked)]
        more = bool(self._asked or self._changed)
        for one, full, used in zip(asked, answers[::2], answers[1::2], strict=True):
            self._settle(one, (self._kinds[full - 1], used) if full else None)
        if new:
            self._write_all()
        if more:
            self._wake.set()

    async def _tell(self, changed: Sequence[str], asked: Sequence[_Asked]) -> list[int]:
        keys = [_LIVING, *changed, *(key for one in asked for key in one.keys)]
        mine = [max(0, self._held[key] - self._pending[key]) for key in changed]
        limits = [kind.most for kind in self._kinds] * len(asked)
        about: list[str | int] = [self._me, int(self._silence_s * 1000), _KEEP_S * 1000, len(changed), len(self._kinds)]
        told: list[int] = await self._redis.eval(_TRIP, len(keys), *keys, *about, *mine, *limits)
        return told

    def _give_up(self, changed: Sequence[str], error: Exception) -> None:
        """Nobody knows what Redis took of it: whoever asks has their place here, and all is told again."""
        log.warning("connections are counted in each process for itself: %s", str(error) or "Redis is slow")
        self._away_until = time.monotonic() + _AWAY_S
        self._note(changed)
        asked, self._asked = self._asked, []
        for one in asked:
            self._note(one.keys)
            self._settle(one, None)

    def _settle(self, one: _Asked, full: tuple[Kind, int] | None) -> None:
        self._pending.subtract(one.keys)
        # A trip that was made twice, since its first answer was lost, has counted this twice. The next one, which
        # nobody need hurry for, says how many there are.
        self._changed.update(one.keys)
        if one.answer.cancelled():
            self._drop(one.keys)
            self._note(one.keys)
            return
        if full is not None:
            self._drop(one.keys)
        one.answer.set_result(full)

    def _write_all(self) -> None:
        self._wrote_all = time.monotonic()
        self._note(self._held)

    def _freeing(self, keys: Sequence[str]) -> Free:
        held = [keys]

        def free() -> None:
            while held:
                self._drop(held[0])
                self._note(held.pop())

        return free

    def _drop(self, keys: Sequence[str]) -> None:
        self._held.subtract(keys)
        for key in keys:
            if not self._held[key]:
                del self._held[key]
            if not self._pending[key]:
                del self._pending[key]

    def _note(self, keys: Iterable[str]) -> None:
        """These are to be written."""
        self._changed.update(keys)
        self._wake.set()


def _full(kind: Kind, used: int) -> Full:
    details = {"metric": kind.metric, "limit": kind.most, "used": used, "resetsAt": None}
    return Full(kind.sentence, details=details, retry_after_s=5)
