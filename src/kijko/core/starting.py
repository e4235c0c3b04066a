"""Starting a process so that a cancellation leaves neither it nor its starter behind."""

import asyncio
import contextlib
from asyncio.subprocess import Process
from collections.abc import Callable
from typing import Any


async def started(*command: str, end: Callable[[Process], None] = Process.kill, **how: Any) -> Process:
    """As `asyncio.create_subprocess_exec`, of which `how` are the arguments.

    Whoever is cancelled half-way through that may wait for ever for a process that is gone (Python 3.11), so it is
    started to its end, and then ended by `end`.
    """
    starting = asyncio.ensure_future(asyncio.create_subprocess_exec(*command, **how))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        process = await asyncio.shield(starting)
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself
            end(process)
        await process.wait()
        raise
