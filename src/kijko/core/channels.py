"""Messages between processes over Redis's publish and subscribe, on channels that come and go.

Redis may lose a message, and a subscription misses what is said before it stands: whoever listens has another way to
learn what matters, and is told when anything may have been missed.
"""

import asyncio
import contextlib
from collections.abc import Callable

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from kijko.core.redis import RedisFailure

_RECONNECT_S = 1.0
_KEPT = "kijko:open"
"""A channel that nobody speaks on: a subscription to none at all is not read."""
_log = structlog.get_logger(__name__)


class Channels:
    """One connection a process, made when the first channel is wanted."""

    def __init__(self, redis: Redis, heard: Callable[[str, bytes], None], missed: Callable[[], None]) -> None:
        """`heard(channel, message)` is called on the event loop, and may not wait; `missed()` when the connection
        stands anew, since something may have been said meanwhile.
        """
        self._redis = redis
        self._heard = heard
        self._missed = missed
        self._wanted = {_KEPT}
        self._subscription: PubSub | None = None
        self._listener: asyncio.Task[None] | None = None

    async def open(self, channel: str) -> None:
        """From when this returns the channel is heard, unless Redis is away; then from when it is back."""
        self._wanted.add(channel)
        if self._listener is None or self._listener.done():
            stands = asyncio.Event()
            self._listener = asyncio.get_running_loop().create_task(self._listen(stands), name="channels")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_RECONNECT_S):
                    await stands.wait()
        elif self._subscription is not None:
            with contextlib.suppress(*RedisFailure):  # the listener finds out, and subscribes anew
                await self._subscription.subscribe(channel)

    async def shut(self, channel: str) -> None:
        """The channel is no longer heard."""
        self._wanted.discard(channel)
        if self._subscription is not None:
            with contextlib.suppress(*RedisFailure):
                await self._subscription.unsubscribe(channel)

    async def close(self) -> None:
        """Ends the connection."""
        if self._listener is not None:
            self._listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listener

    async def _listen(self, stands: asyncio.Event) -> None:
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as subscription:
                    await self._subscribe(subscription)
                    stands.set()
                    self._missed()
                    while True:
                        message = await subscription.get_message(timeout=30.0)
                        if message is not None:
                            self._hear(message["channel"].decode(), message["data"])
            except RedisFailure as error:
                _log.warning("channels.lost", error=type(error).__name__)
                await asyncio.sleep(_RECONNECT_S)
            finally:
                self._subscription = None

    def _hear(self, channel: str, message: bytes) -> None:
        try:
            self._heard(channel, message)
        except Exception:  # one that cannot be read must not make this process deaf to the others
            _log.exception("channels.unreadable", channel=channel)

    async def _subscribe(self, subscription: PubSub) -> None:
        """To all that is wanted, and to what is wanted while that is being done."""
        known: set[str] = set()
        while missing := self._wanted - known:
            await subscription.subscribe(*missing)
            known |= missing
        self._subscription = subscription
