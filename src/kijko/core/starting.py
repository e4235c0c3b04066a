"""Starting a process so that a cancellation leaves neither it nor its starter behind."""

import asyncio
import contextlib
from asyncio.subprocess import Process
from collections.abc import Callable
from typing import Any


async def started(*command: str, end: Callable[[Process], None] = Process.kill, **how: Any) -> Process:
    """As `asyncio.create_subprocess_exec`, of which `how` are the arguments.

    Whoever is cancelled half-way through that may wait for ever for a process that is gone (Python 3.11), so it is
    started to its end, and then ended by `end`, however often the caller is cancelled.

    Raises:
        OSError: it cannot be started.
    """
    starting = asyncio.ensure_future(asyncio.create_subprocess_exec(*command, **how))
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        starting.add_done_callback(lambda _: _end(starting, end))
        await asyncio.wait([starting])
        if _is_there(starting):
            await starting.result().wait()
        raise


def _is_there(starting: asyncio.Future[Process]) -> bool:
    return not starting.cancelled() and starting.exception() is None


def _end(starting: asyncio.Future[Process], end: Callable[[Process], None]) -> None:
    if _is_there(starting):
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself
            end(starting.result())
