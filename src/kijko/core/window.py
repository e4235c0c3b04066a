"""A sliding window, counted in Redis: at most so many in any span of so many seconds, exact under races."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from secrets import token_hex
from typing import Final

from redis.asyncio import Redis

# Every key is looked at before any is counted: an attempt that is refused for one reason is not held against another.
_TAKE: Final = """
local clock = redis.call('time')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local limit, span = tonumber(ARGV[1]), tonumber(ARGV[2])
local used, wait = 0, span
for _, key in ipairs(KEYS) do
  redis.call('zremrangebyscore', key, '-inf', now - span)
  local count = redis.call('zcard', key)
  if count > 0 and count >= used then
    local first = redis.call('zrange', key, 0, 0, 'withscores')
    used, wait = count, first[2] + span - now
  end
end
if used >= limit then
  return {0, used, wait}
end
for _, key in ipairs(KEYS) do
  redis.call('zadd', key, now, ARGV[3])
  redis.call('pexpire', key, span)
end
return {1, used + 1, wait}
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """What an attempt met: the fullest of its windows."""

    allowed: bool
    limit: int
    used: int
    wait_s: float
    """Seconds until that window's oldest entry leaves it."""

    @property
    def remaining(self) -> int:
        """How many more there may be now."""
        return max(0, self.limit - self.used)


def told(metric: str, limit: int, used: int, wait_s: float) -> dict[str, str | int]:
    """{metric, limit, used, resetsAt}: what the details of every 429 are. `wait_s`: seconds until there is a place."""
    resets_at = datetime.now(UTC) + timedelta(seconds=wait_s)
    at = resets_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"metric": metric, "limit": limit, "used": used, "resetsAt": at}


def place(name: str, kind: str, value: str) -> str:
    """The key of a window: of attempts at `name`, for one value of that kind (an address, an account).

    Hashed: Redis keeps no list of who tries what. The braces put all keys into one slot of a cluster.
    """
    return f"{{kijko:attempts}}:{name}:{kind}:{sha256(value.encode()).hexdigest()[:32]}"


async def take(redis: "Redis", keys: Sequence[str], *, limit: int, span_s: int) -> Taken:
    """Count one attempt in each key's window, unless one of them is full; all keys or none, in one round trip.

    Raises:
        RedisError, OSError: Redis does not answer (kijko.core.redis.RedisFailure).
    """
    script = redis.register_script(_TAKE)
    allowed, used, wait_ms = await script(keys=keys, args=[limit, span_s * 1000, token_hex(8)])
    return Taken(bool(allowed), limit, int(used), max(0.0, int(wait_ms) / 1000))
