"""Single trips: each call is the context, the statements and a Sync, and so one implicit transaction."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from psycopg.pq.abc import PGresult

from kijko.core.db.codec import Arg
from kijko.core.db.errors import CommitUnknown, DatabaseError, MisuseError, StaleStatement, from_result
from kijko.core.db.link import Link, Outcome
from kijko.core.db.query import Call, Context, Json, Query, Statement

if TYPE_CHECKING:
    from kijko.core.db.database import Database

R = TypeVar("R")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")

Calls = Sequence[Call[Any]]  # Any: each call has a result type of its own


class Reader:
    """Runs statements, each call in a transaction and a trip of its own. It holds no connection between calls.

    Every call may raise what kijko.core.db.errors lists. A call that only reads is sent a second time, on a new
    connection, when the first one broke; one that writes raises CommitUnknown instead.
    """

    def __init__(self, database: "Database", context: Context) -> None:
        self._db = database
        self._context = context

    async def all(self, query: Query[R], *args: Arg) -> list[R]:
        """Every row."""
        return await self.call(query.bind(*args))

    async def one(self, query: Query[R], *args: Arg) -> R:
        """The only row. Raises NoRow or TooManyRows."""
        return await self.call(query.bind_one(*args))

    async def first(self, query: Query[R], *args: Arg) -> R | None:
        """The first row, or None."""
        return await self.call(query.bind_first(*args))

    async def json(self, query: Json, *args: Arg) -> bytes | None:
        """The JSON text that Postgres wrote, as UTF-8; None for no row or null."""
        return await self.call(query.bind(*args))

    async def run(self, statement: Statement, *args: Arg) -> int:
        """The number of rows the statement changed."""
        return await self.call(statement.bind(*args))

    async def call(self, call: Call[R]) -> R:
        """The value of a bound call."""
        results = await self._send((call,))
        return call.decode(results[0], self._db.decoder)

    @overload
    async def gather(self, a: Call[A], /) -> tuple[A]: ...
    @overload
    async def gather(self, a: Call[A], b: Call[B], /) -> tuple[A, B]: ...
    @overload
    async def gather(self, a: Call[A], b: Call[B], c: Call[C], /) -> tuple[A, B, C]: ...
    @overload
    async def gather(self, a: Call[A], b: Call[B], c: Call[C], d: Call[D], /) -> tuple[A, B, C, D]: ...
    @overload
    async def gather(self, *calls: Call[R]) -> tuple[R, ...]: ...
    async def gather(self, *calls: Call[Any]) -> tuple[Any, ...]:
        """The values of several calls, run in this order in the same transaction and the same trip."""
        results = await self._send(calls)
        decoder = self._db.decoder
        return tuple(call.decode(result, decoder) for call, result in zip(calls, results, strict=True))

    async def _send(self, calls: Calls) -> list[PGresult]:
        """The results of these calls, in their order."""
        pool = self._db.pool
        batch = (*self._db.opening, *self._context.calls, *calls)
        for attempt in (1, 2):
            link = await pool.acquire()
            outcome = await self._trip(link, batch)
            ended = link.idle
            pool.release(link)
            error = failure(outcome, batch)
            if error is None:
                if not ended:
                    raise MisuseError("A statement began a transaction of its own, so nothing was kept. Use Tx.")
                return outcome.results[-len(calls) :]
            if isinstance(error, StaleStatement):
                pool.renew()  # the failed transaction kept nothing, so repeating it is safe
            elif outcome.lost is None:
                raise error
            elif any(call.sql.writes for call in calls):
                raise CommitUnknown() from error
            if attempt == 2:
                raise error
        raise AssertionError("unreachable")

    async def _trip(self, link: Link, batch: Calls) -> Outcome:
        try:
            return await link.send(batch)
        except BaseException:  # cancelled, or its coroutine was closed
            self._db.pool.abandon(link)
            raise


def failure(outcome: Outcome, batch: Calls) -> DatabaseError | None:
    """Why the trip failed, or None. The statement that failed is in the error's notes."""
    if outcome.lost is not None:
        return outcome.lost
    if outcome.error is None:
        return None
    error = from_result(outcome.error)
    error.add_note(f"in the statement at {batch[len(outcome.results)].sql.label}")
    return error
