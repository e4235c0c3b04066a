"""Waiting for what comes about in a moment."""

import asyncio
import time
from collections.abc import Awaitable, Callable


async def until(is_so: Callable[[], Awaitable[bool]], what: str, *, seconds: float = 60) -> None:
    """Returns as soon as it is so; 60 s are plenty on a busy machine."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if await is_so():
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"still not so: {what}")
