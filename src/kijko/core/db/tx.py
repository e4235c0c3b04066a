"""Transactions of several trips. `begin`, the context and the first statement share the first of them."""

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from psycopg.pq.abc import PGresult

from kijko.core.db.errors import CommitUnknown, MisuseError, StaleStatement, TransactionAborted
from kijko.core.db.link import Link, Outcome
from kijko.core.db.query import Call, Context, command
from kijko.core.db.reader import Calls, Reader, failure

if TYPE_CHECKING:
    from kijko.core.db.database import Database

log = logging.getLogger(__name__)

R = TypeVar("R")
Hook = Callable[[], Awaitable[None] | None]

_BEGIN: Final = command("begin")
_BEGIN_SNAPSHOT: Final = command("begin isolation level repeatable read, read only")
_COMMIT: Final = (command("commit"),)
_SAVEPOINT: Final = command("savepoint kijko")
_RELEASE: Final = command("release savepoint kijko")
_UNDO: Final = command("rollback to savepoint kijko")
_COMMIT_S: Final = 30.0


class Tx(Reader):
    """One transaction. Use it inside `async with database.transaction(…)`, from one task at a time.

    Nothing is sent, and no connection taken, before the first call.
    """

    def __init__(self, database: "Database", context: Context, *, snapshot: bool = False) -> None:
        """`snapshot`: all its statements see what the first one saw, and none may write."""
        super().__init__(database, context)
        self._link: Link | None = None
        begin = _BEGIN_SNAPSHOT if snapshot else _BEGIN
        self._pending: list[Call[Any]] = [begin, *database.opening, *context.calls]
        self._hooks: list[Hook] = []
        self._open = True
        self._busy = False
        self._entered = False
        self._kept = False

    def after_commit(self, hook: Hook) -> None:
        """Run `hook` when the transaction was committed; hooks run in order, and not at all after a rollback.

        The work is kept by then, so a hook that fails is logged and the caller does not hear of it.
        """
        self._hooks.append(hook)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Undo what is inside, and only that, when it ends with an error. The error goes on to the caller."""
        self._pending.append(_SAVEPOINT)
        hooks = len(self._hooks)
        try:
            yield
        except BaseException:
            del self._hooks[hooks:]
            if self._open:
                await self._undo()
            raise
        else:
            if not self._drop_unsent_savepoint():
                self._pending.append(_RELEASE)

    async def last(self, call: Call[R]) -> R:
        """The value of the transaction's last call. The commit shares its trip, so nothing may follow in the block.

        Raises:
            CommitUnknown: the connection broke. Whatever the call itself raises undoes the transaction.
        """
        link = self._link
        if link is None or self._busy or not self._open:  # a first trip may have to be sent twice; a misuse is told
            return await self.call(call)
        batch = (*self._pending, call, *_COMMIT)
        self._pending.clear()
        outcome = await self._commit(link, batch)
        return call.decode(outcome.results[-2], self._db.decoder)

    async def _undo(self) -> None:
        if not self._drop_unsent_savepoint():
            await self._send((_UNDO, _RELEASE))

    def _drop_unsent_savepoint(self) -> bool:
        """Whether nothing was sent since the innermost savepoint, which is then forgotten."""
        unsent = bool(self._pending) and self._pending[-1] is _SAVEPOINT
        if unsent:
            self._pending.pop()
        return unsent

    async def _send(self, calls: Calls) -> list[PGresult]:
        if self._busy:
            raise MisuseError("A transaction was used by two tasks at once. Give each task its own.")
        if not self._open:
            raise MisuseError("The transaction is over. Open a new one.")
        self._busy = True
        try:
            batch, outcome = await self._exchange(calls)
        finally:
            self._busy = False
        error = failure(outcome, batch)
        if error is not None:
            raise error
        return outcome.results[-len(calls) :]

    async def _exchange(self, calls: Calls) -> tuple[Calls, Outcome]:
        """Send what is pending and the calls. A first trip that failed through its connection is sent once more."""
        batch = (*self._pending, *calls)
        first = self._link is None
        link = self._link = self._link or await self._db.pool.acquire()
        outcome = await self._trip(link, batch)
        if first and self._should_repeat(outcome, batch):
            self._link = None
            self._db.pool.abandon(link)
            link = self._link = await self._db.pool.acquire()
            outcome = await self._trip(link, batch)
        self._pending.clear()
        if outcome.lost is not None:
            self._end()
            self._db.pool.release(link)
        return batch, outcome

    def _should_repeat(self, outcome: Outcome, batch: Calls) -> bool:
        if outcome.lost is not None:
            return True
        stale = isinstance(failure(outcome, batch), StaleStatement)
        if stale:
            self._db.pool.renew()
        return stale

    async def _trip(self, link: Link, batch: Calls) -> Outcome:
        try:
            return await super()._trip(link, batch)
        except BaseException:
            self._end()  # the connection is being cleaned by the pool
            raise

    def _end(self) -> Link | None:
        """Close it to further calls, and let go of the connection."""
        link, self._link, self._open = self._link, None, False
        return link

    async def __aenter__(self) -> Self:
        if self._entered:
            raise MisuseError("A transaction can be entered once. Open a new one.")
        self._entered = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._kept:
            return
        was_open, link = self._open, self._end()
        if kind is None and was_open and not (link is not None and link.aborted):
            if link is None:
                await self._run(self._hooks)
            else:
                await self._commit(link, _COMMIT)
            return
        if link is not None:
            await asyncio.shield(self._db.pool.abandon(link))
        if kind is None:
            raise TransactionAborted()

    async def _commit(self, link: Link, batch: Calls) -> Outcome:
        """Send the batch, which ends in the commit, and run the hooks. The connection goes back unless aborted."""
        waiter = link.send(batch)
        try:
            outcome = await asyncio.shield(waiter)
        except BaseException:
            self._end()
            self._db.pool.spawn(self._conclude(link, waiter, batch))
            raise
        error = failure(outcome, batch)
        if error is not None and link.aborted and self._link is link:  # by the call before the commit
            raise error  # the end of the block undoes the rest
        self._end()
        self._db.pool.release(link)
        if outcome.lost is not None:
            raise CommitUnknown() from error
        if error is not None:  # a deferred constraint, say
            raise error
        self._kept = True
        await self._run(self._hooks)
        return outcome

    async def _conclude(self, link: Link, waiter: asyncio.Future[Outcome], batch: Calls) -> None:
        """The commit was sent before its task was cancelled: if it succeeds, what hangs on it must still happen."""
        await asyncio.wait([waiter], timeout=_COMMIT_S)
        self._db.pool.release(link)  # closes it when the commit is still under way
        if failure(await waiter, batch) is None:
            await self._run(self._hooks)

    async def _run(self, hooks: list[Hook]) -> None:
        for at, hook in enumerate(hooks, 1):
            try:
                waiting = hook()
                if inspect.isawaitable(waiting):
                    await waiting
            except asyncio.CancelledError:
                self._db.pool.spawn(self._run(hooks[at:]))
                raise
            except Exception:
                log.exception("A hook failed after the commit. The transaction itself was kept.")
