"""Keys that do not work, by the address that asks with them: so many a minute, then 429.

A key that works is never counted, and is let in whatever its address has sent besides: many programs share one. Counted
is in Redis, for all processes; while it does not answer, nothing is. What is remembered here spares the database the
same bad key again and again: none that was refused ever works later.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from redis.asyncio import Redis

from kijko.core.redis import RedisFailure
from kijko.core.tenancy import KeyRefused
from kijko.core.window import Taken, place, take, told
from kijko.services.api_keys.errors import TooManyRefused
from kijko.services.api_keys.rules import Secret

METRIC: Final = "refused_api_keys"
_SPAN_S: Final = 60
_MOST: Final = 10_000
"""Keys that are remembered, a hundred bytes each."""


class Refusals:
    """Of one process."""

    def __init__(self, redis: Redis, per_minute: int, timeout_s: float) -> None:
        self._redis = redis
        self._per_minute = per_minute
        self._timeout_s = timeout_s
        self._closed: OrderedDict[tuple[bytes, str], tuple[float, Taken]] = OrderedDict()

    def check(self, secret: Secret, whence: Callable[[], str]) -> None:
        """Nothing, but for a key that this address was refused too often with.

        Args:
            whence: the address to count for; asked only where somebody is refused at this time.

        Raises:
            TooManyRefused: it is not looked at before the minute is over.
        """
        now = time.monotonic()
        while self._closed and next(iter(self._closed.values()))[0] <= now:
            self._closed.popitem(last=False)
        if not self._closed:
            return
        until, taken = self._closed.get((secret.hash, whence()), (now, None))
        if taken is not None and until > now:
            raise _too_many(taken, until - now)

    @asynccontextmanager
    async def watch(self, secret: Secret, whence: Callable[[], str]) -> AsyncIterator[None]:
        """Around letting a key in: checks it before, and counts it where it is refused.

        Raises:
            TooManyRefused: as `check` and `count`.
        """
        self.check(secret, whence)
        try:
            yield
        except KeyRefused:
            await self.count(secret, whence())
            raise

    async def count(self, secret: Secret, address: str) -> None:
        """Counts a key that was refused.

        Raises:
            TooManyRefused: it was one too many for this address.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                keys = [place("api_keys", "address", address)]
                taken = await take(self._redis, keys, limit=self._per_minute, span_s=_SPAN_S)
        except RedisFailure:
            return
        if not taken.allowed:
            self._closed[secret.hash, address] = (time.monotonic() + taken.wait_s, taken)
            if len(self._closed) > _MOST:
                self._closed.popitem(last=False)
            raise _too_many(taken, taken.wait_s)


def _too_many(taken: Taken, wait_s: float) -> TooManyRefused:
    seconds = max(1, math.ceil(wait_s))
    return TooManyRefused(
        f"Too many requests with API keys that do not work: {taken.limit} a minute are allowed from one address. Make "
        f"a new key, or wait {seconds} s.",
        told(METRIC, taken.limit, taken.used, wait_s),
        retry_after_s=seconds,
    )
