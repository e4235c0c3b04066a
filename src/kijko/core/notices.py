"""Short notices between processes over Redis's publish and subscribe: "this has ended, look at the row".

A notice is a hint. Redis may lose it, so whoever waits for one also looks by itself from time to time.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterator, Sequence

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

_CHANNEL = "kijko:notices"
_RECONNECT_S = 1.0
_log = structlog.get_logger(__name__)


class Notice:
    """One key's notice, waited for by one caller."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._arrived = False

    def arrive(self) -> None:
        """It has come: wakes the waiter."""
        self._arrived = True
        self._event.set()

    def rouse(self) -> None:
        """Wakes the waiter for something else that they wait for."""
        self._event.set()

    async def wait(self, seconds: float) -> bool:
        """Returns when the notice has come (True), when it was roused, or after the seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
        self._event.clear()
        arrived, self._arrived = self._arrived, False
        return arrived


class Notices:
    """One subscription a process, shared by all who wait; made when the first one waits."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiting: defaultdict[str, set[Notice]] = defaultdict(set)
        self._listener: asyncio.Task[None] | None = None

    async def publish(self, keys: Sequence[str]) -> None:
        """Tells every process that something came of these keys. Never fails."""
        try:
            await self._redis.publish(_CHANNEL, " ".join(keys))
        except (RedisError, OSError, TimeoutError) as error:
            _log.warning("notice.lost", keys=len(keys), error=type(error).__name__)

    @contextlib.contextmanager
    def expect(self, key: str) -> Iterator[Notice]:
        """A notice of that key, from now until the end of the block."""
        if self._listener is None or self._listener.done():
            self._listener = asyncio.get_running_loop().create_task(self._listen(), name="notices")
        notice = Notice()
        self._waiting[key].add(notice)
        try:
            yield notice
        finally:
            self._waiting[key].discard(notice)
            if not self._waiting[key]:
                del self._waiting[key]

    async def close(self) -> None:
        """Ends the subscription."""
        if self._listener is not None:
            self._listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listener

    async def _listen(self) -> None:
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as subscription:
                    await subscription.subscribe(_CHANNEL)
                    # What came before the subscription stood was not heard: let everyone look once.
                    self._arrive(list(self._waiting))
                    while True:
                        message = await subscription.get_message(timeout=30.0)
                        if message is not None:
                            data = message["data"]
                            self._arrive((data.decode() if isinstance(data, bytes) else data).split())
            except (RedisError, OSError, TimeoutError):
                await asyncio.sleep(_RECONNECT_S)

    def _arrive(self, keys: Sequence[str]) -> None:
        for key in keys:
            for notice in self._waiting.get(key, ()):
                notice.arrive()
