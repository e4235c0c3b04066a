"""A few connections, handed out to one user at a time. What comes back is idle, or it is closed."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from kijko.core.db.errors import AcquireTimeout, MisuseError
from kijko.core.db.link import Link
from kijko.core.db.query import command

T = TypeVar("T")

_ROLLBACK: Final = (command("rollback"),)
_GRACE_S: Final = 0.05
"""How long an abandoned statement may take to end by itself. Nearly all do, and need no cancel request."""
_CANCEL_S: Final = 2.0
"""How long the server may take to cancel a statement, or to roll back, before the connection is closed under it."""
_WATCH_S: Final = 1.0
"""How often to look for trips whose server fell silent."""


class Pool:
    """At most `size` connections made by `connect(generation)`; waiting for one is bounded by `acquire_timeout_s`."""

    def __init__(self, connect: Callable[[int], Awaitable[Link]], *, size: int, acquire_timeout_s: float) -> None:
        self._connect = connect
        self._size = size
        self._timeout_s = acquire_timeout_s
        self._generation = 0
        self._open = 0
        self._idle: list[Link] = []
        self._links: set[Link] = set()
        self._waiters: deque[asyncio.Future[Link | None]] = deque()
        self._tasks: set[asyncio.Task[Any]] = set()  # Any: of what each one brings
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._watch = self._loop.call_later(_WATCH_S, self._look)

    async def acquire(self) -> Link:
        """An idle connection, for the caller alone until `release` or `abandon`.

        Raises:
            AcquireTimeout: none came free in time.
            DatabaseUnavailable: a new one could not be made.
        """
        if self._closed:
            raise MisuseError("The database was closed in this process.")
        while self._idle:
            link = self._idle.pop()
            if link.generation == self._generation and link.alive():
                return link
            self._close(link)
            self._open -= 1
        if self._open < self._size:
            self._open += 1
            return await self._make()
        return await self._wait() or await self._make()

    def release(self, link: Link) -> None:
        """Take a connection back. It is closed unless it is idle and belongs to the present generation."""
        if self._closed or not link.idle or link.generation != self._generation:
            self._close(link)
            self._hand_on(None)
        else:
            self._hand_on(link)

    def abandon(self, link: Link) -> asyncio.Task[None]:
        """Take back a connection with a trip under way or a transaction open; the task ends both."""
        return self.spawn(self._recover(link))

    def renew(self) -> None:
        """Close every present connection at its next turn: their prepared statements no longer fit the schema."""
        self._generation += 1

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:  # Any: what a coroutine never yields
        """Run on, even when the caller is cancelled; `close` waits for it."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Close all idle connections, and those in use when they come back. Waiting callers get an error."""
        self._closed = True
        self._watch.cancel()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(MisuseError("The database was closed in this process."))
        while self._tasks:
            await asyncio.wait(self._tasks)
        while self._idle:
            self._close(self._idle.pop())

    async def _make(self) -> Link:
        """A new connection in a place that is counted already.

        It is made to its end even when the caller is cancelled, for whoever comes next: a half-made one stays open on
        the server until Python happens to collect it.
        """
        making = self.spawn(self._open_link())
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            making.add_done_callback(self._keep)
            raise

    async def _open_link(self) -> Link:
        try:
            link = await self._connect(self._generation)
        except BaseException:
            self._hand_on(None)
            raise
        self._links.add(link)
        return link

    def _keep(self, making: asyncio.Task[Link]) -> None:
        if not making.cancelled() and making.exception() is None:
            self.release(making.result())

    def _close(self, link: Link) -> None:
        self._links.discard(link)
        link.close()

    def _look(self) -> None:
        now = self._loop.time()
        for link in self._links:
            link.lose_if_overdue(now)
        self._watch = self._loop.call_later(_WATCH_S, self._look)

    async def _wait(self) -> Link | None:
        """A connection that came free, or None for the place of one that was closed."""
        waiter: asyncio.Future[Link | None] = self._loop.create_future()
        timer = self._loop.call_later(self._timeout_s, _expire, waiter)
        self._waiters.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._hand_on(waiter.result())  # it came in the moment of the cancel
            raise
        finally:
            timer.cancel()

    def _hand_on(self, link: Link | None) -> None:
        """Give a connection, or the place of a closed one, to whoever waited longest."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(link)
                return
        if link is None:
            self._open -= 1
        else:
            self._idle.append(link)

    async def _recover(self, link: Link) -> None:
        try:
            if not await link.settle(_GRACE_S):
                await link.cancel(_CANCEL_S)
                await link.settle(_CANCEL_S)
                link.close()  # a cancel request that arrives late must not meet the next user
            elif not link.idle and not link.broken:
                link.send(_ROLLBACK)
                await link.settle(_CANCEL_S)
        finally:
            self.release(link)


def _expire(waiter: asyncio.Future[Link | None]) -> None:
    if not waiter.done():
        waiter.set_exception(AcquireTimeout("Every connection to the database is in use. Try again in a moment."))
