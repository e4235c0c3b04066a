"""One connection in libpq's pipeline mode: several statements and a Sync leave together and are answered together.

Everything before one Sync is one implicit transaction, unless `begin` was among it. The socket stays registered with
the event loop, so that a server that went away is noticed while the connection is idle.
"""

import asyncio
import select
from collections.abc import Sequence
from typing import Any, Final

import psycopg
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult

from kijko.core.db.errors import DatabaseUnavailable
from kijko.core.db.query import Call

_SYNC: Final = int(ExecStatus.PIPELINE_SYNC)
_ABORTED: Final = int(ExecStatus.PIPELINE_ABORTED)
_ROWS: Final = int(ExecStatus.TUPLES_OK)
_DONE: Final = int(ExecStatus.COMMAND_OK)
_FAILED: Final = int(ExecStatus.FATAL_ERROR)
_TURNS: Final = 16
_IDLE: Final = int(TransactionStatus.IDLE)
_IN_ERROR: Final = int(TransactionStatus.INERROR)


class Stats:
    """What a database counts: `trips` is the number of Syncs sent, by all its connections."""

    __slots__ = ("trips",)

    def __init__(self) -> None:
        self.trips = 0


class Outcome:
    """What one trip brought: a result for each call up to the first error, then that error."""

    __slots__ = ("error", "lost", "results")

    def __init__(self) -> None:
        self.results: list[PGresult] = []
        self.error: PGresult | None = None
        self.lost: DatabaseUnavailable | None = None
        """Set when the connection broke before the answer was whole."""


class Link:
    """A connection used by one transaction at a time. `Pool` makes and closes it."""

    def __init__(
        self, owner: psycopg.AsyncConnection[Any], *, prepared: bool, generation: int, stats: Stats, limit_s: float
    ) -> None:
        """`limit_s` is how long one statement may go unanswered before the server is taken for dead."""
        self.generation: Final = generation
        self.broken = False
        self._owner = owner  # it owns the socket; closing it here keeps its finalizer quiet
        self._conn: PGconn = owner.pgconn
        self._prepare: Final = prepared
        self._stats: Final = stats
        self._limit_s: Final = limit_s
        self._due = 0.0
        self._known: set[bytes] = set()
        self._expected: list[bytes | None] = []
        self._at = 0
        self._outcome = Outcome()
        self._waiter: asyncio.Future[Outcome] | None = None
        self._writing = False
        self._loop = asyncio.get_running_loop()
        self._fd = self._conn.socket
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)
        self._conn.enter_pipeline_mode()
        self._loop.add_reader(self._fd, self._on_readable)

    @property
    def in_flight(self) -> bool:
        """Whether a trip was sent and its answer is not whole yet."""
        return self._waiter is not None

    @property
    def idle(self) -> bool:
        """Whether it carries nothing: no trip, no transaction, and so no role and no setting."""
        return not self.broken and self._waiter is None and self._conn.transaction_status == _IDLE

    @property
    def aborted(self) -> bool:
        """Whether the open transaction can only be rolled back."""
        return self._conn.transaction_status == _IN_ERROR

    def alive(self) -> bool:
        """Look at the socket now: False when the server closed it. Costs one system call."""
        self._drain()
        return not self.broken

    def lose_if_overdue(self, now: float) -> None:
        """Give up on a server that has been silent for far longer than it lets a statement run."""
        if self._waiter is not None and now > self._due:
            self._lose(TimeoutError("no answer in time"))

    def send(self, calls: Sequence[Call[object]]) -> asyncio.Future[Outcome]:
        """Send the calls and a Sync; the future has the outcome. It never holds an exception.

        Raises:
            RuntimeError: a trip is under way already.
        """
        if self._waiter is not None:
            raise RuntimeError("This connection has a trip under way.")
        self._stats.trips += 1
        self._due = self._loop.time() + self._limit_s * len(calls)
        self._expected.clear()
        self._at = 0
        waiter: asyncio.Future[Outcome] = self._loop.create_future()
        self._waiter = waiter
        try:
            for call in calls:
                self._queue(call)
            self._conn.pipeline_sync()
            self._flush()
        except psycopg.Error as error:
            self._lose(error)
        return waiter

    async def settle(self, timeout_s: float) -> bool:
        """Wait for an abandoned trip to end. False when it did not in time."""
        if self._waiter is None:
            return True
        if self._waiter.done():  # its task was cancelled, and the future with it
            self._waiter = self._loop.create_future()
        await asyncio.wait([self._waiter], timeout=timeout_s)
        return self._waiter is None

    async def cancel(self, timeout_s: float) -> None:
        """Ask the server to cancel what runs. The connection must be closed afterwards: the request may arrive late."""
        try:
            await self._owner.cancel_safe(timeout=timeout_s)
        except psycopg.Error as error:
            self._lose(error)

    def close(self) -> None:
        """Close the socket; a trip under way ends as lost."""
        if not self.broken:
            self._lose(None)
        self._conn.finish()

    def _queue(self, call: Call[object]) -> None:
        sql = call.sql
        if not self._prepare:
            self._conn.send_query_params(sql.encoded, call.values)
        else:
            if sql.name not in self._known and sql.name not in self._expected:
                self._conn.send_prepare(sql.name, sql.encoded)
                self._expected.append(sql.name)
            self._conn.send_query_prepared(sql.name, call.values)
        self._expected.append(None)

    def _flush(self) -> None:
        if self._conn.flush():
            if not self._writing:
                self._writing = True
                self._loop.add_writer(self._fd, self._on_writable)
        elif self._writing:
            self._writing = False
            self._loop.remove_writer(self._fd)

    def _on_writable(self) -> None:
        try:
            self._flush()
        except psycopg.Error as error:
            self._lose(error)

    def _on_readable(self) -> None:
        self._consume()
        self._drain()

    def _drain(self) -> None:
        """Read until the socket has no more. uvloop tells of an error once only, so it must not be left in there."""
        for _ in range(_TURNS):
            if self.broken or not self._poll.poll(0):
                return
            self._consume()
        self._loop.call_soon(self._drain)  # let others run meanwhile

    def _consume(self) -> None:
        if self.broken:
            return
        failure: psycopg.Error | None = None
        try:
            self._conn.consume_input()
            if self._writing:
                self._flush()
        except psycopg.Error as error:
            failure = error  # what arrived before is read all the same
        try:
            self._read()
        except psycopg.Error as error:
            failure = failure or error
        if failure is not None:
            self._lose(failure)

    def _read(self) -> None:
        """Take in what libpq has parsed. A None parts two commands; two in a row mean that nothing is left."""
        conn = self._conn
        gap = self._waiter is None
        while not conn.is_busy():
            result = conn.get_result()
            if result is not None:
                gap = False
                if self._take(result):
                    return
            elif gap:
                return
            else:
                gap = True

    def _take(self, result: PGresult) -> bool:
        """Note one result; True when the trip is over."""
        status = result.status
        if status == _SYNC:
            self._end()
            return True
        if status == _FAILED:
            if self._outcome.error is None:
                self._outcome.error = result
        elif status in (_ROWS, _DONE):
            name = self._expected[self._at]
            if name is None:
                self._outcome.results.append(result)
            else:
                self._known.add(name)
        elif status != _ABORTED:
            raise psycopg.NotSupportedError(f"result of an unexpected kind ({status})")
        self._at += 1
        return False

    def _end(self) -> None:
        waiter, self._waiter = self._waiter, None
        outcome, self._outcome = self._outcome, Outcome()  # no rows are kept here
        if waiter is not None and not waiter.done():
            waiter.set_result(outcome)

    def _lose(self, cause: Exception | None) -> None:
        if not self.broken:
            self.broken = True
            self._loop.remove_reader(self._fd)
            if self._writing:
                self._loop.remove_writer(self._fd)
        if self._waiter is not None:
            reason = f" ({' '.join(str(cause).split())})" if cause else ""
            self._outcome.lost = DatabaseUnavailable(
                f"The connection to the database broke. Try again in a moment.{reason}"
            )
        self._end()
