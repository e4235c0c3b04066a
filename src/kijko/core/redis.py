"""Redis, asked under a deadline: it helps, and nothing waits long for it."""

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from kijko.settings import Redis as RedisSettings
from kijko.settings import required

RedisFailure = (RedisError, OSError, TimeoutError)
"""What a call may raise when Redis is gone, slow, or refuses."""


def connect(settings: RedisSettings) -> "Redis":
    """A client with a pool of its own. Nothing is connected before the first call; each call has a deadline.

    A connection that broke while it lay idle is replaced once, without a pause, so that Redis may restart.

    Raises:
        MissingSetting: KIJKO_REDIS_URL is not set.
    """
    pool = BlockingConnectionPool.from_url(
        required(settings.url, "KIJKO_REDIS_URL"),
        max_connections=50,
        timeout=settings.timeout_s,
        socket_timeout=settings.timeout_s,
        socket_connect_timeout=settings.timeout_s,
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        health_check_interval=30,
    )
    return Redis(connection_pool=pool)
