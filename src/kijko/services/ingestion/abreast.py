"""Several at once: what comes from one source, worked on by a few."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def abreast(items: AsyncGenerator[T, None], work: Callable[[T], Awaitable[None]], many: int) -> None:
    """Works on every item, `many` at once; the next is asked for when a place is free. The first error ends all."""
    turn = asyncio.Lock()

    async def go() -> None:
        while True:
            async with turn:
                item = await anext(items, None)
            if item is None:
                return
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(many):
                group.create_task(go())
    except BaseExceptionGroup as several:  # the first one says what is wrong; the others follow from it
        raise several.exceptions[0] from None
    finally:
        await items.aclose()
