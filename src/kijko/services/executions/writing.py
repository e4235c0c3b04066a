"""Writing what runs came to: in batches that are small in rows and in bytes, until they are kept.

One result that the database does not take must not hold up the others.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from uuid import UUID

import structlog

from kijko.core.db.errors import ConstraintViolation, DatabaseError, InvalidArgument, Raised, StatementTimeout
from kijko.core.notices import Notices
from kijko.core.tenancy import SystemTx, Tenants
from kijko.models.enums import ExecutionErrorCode, ExecutionStatus
from kijko.services.events import told, user_room
from kijko.services.executions import ending_queries as queries
from kijko.services.executions import work_queries
from kijko.services.executions.run import Again, Ended

Outcome = Ended | Again

_log = structlog.get_logger(__name__)
_BATCH_CHARACTERS = 2_000_000
_TRIES_ALONE = 3
_REASON = "writing results of every organization's executions"


def id_of(outcome: Outcome) -> UUID:
    """The run's id."""
    return outcome.ending.id


class Batches:
    """Outcomes as they come, taken out in batches."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._queue: asyncio.Queue[Outcome] = asyncio.Queue()
        self._next: Outcome | None = None
        self.put = self._queue.put_nowait
        self.done = self._queue.task_done
        self.join = self._queue.join

    async def take(self) -> list[Outcome]:
        """Waits for an outcome; takes with it what else is there, as long as that makes no large batch."""
        batch = [self._next or await self._queue.get()]
        self._next = None
        size = _size(batch[0])
        while len(batch) < self._most and not self._queue.empty():
            following = self._queue.get_nowait()
            size += _size(following)
            if size > _BATCH_CHARACTERS:
                self._next = following
                break
            batch.append(following)
        return batch


class Writer:
    """Writes outcomes of one worker's runs."""

    def __init__(self, database: Tenants, notices: Notices, worker: UUID, is_held: Callable[[UUID], bool]) -> None:
        """`is_held` tells whether the worker still has its lease on a run: what it lost it need not write."""
        self._database = database
        self._notices = notices
        self._worker = worker
        self._is_held = is_held
        self.waiting = False
        """Whether, when results were last kept, runs waited for a worker."""

    async def write(self, batch: Sequence[Outcome]) -> None:
        """Returns when each is kept, or is not this worker's any more.

        A result was paid for: while the database is away it is tried again.
        """
        delay_s, timeouts = 0.05, 0
        while batch := [one for one in batch if self._is_held(id_of(one))]:
            try:
                ended = await self._keep(batch)
            except (ConstraintViolation, InvalidArgument, Raised, StatementTimeout) as error:
                if len(batch) > 1:
                    await self._write_halves(batch)
                    return
                timeouts += 1
                if not isinstance(error, StatementTimeout) or timeouts >= _TRIES_ALONE:
                    await self._write_refused(batch[0], error)
                    return
            except DatabaseError as error:
                _log.warning("executions.write_failed", results=len(batch), error=str(error), again_in_s=delay_s)
                await asyncio.sleep(delay_s)
                delay_s = min(delay_s * 2, 2.0)
            else:
                await self._tell(batch, ended)
                return

    async def _write_halves(self, batch: Sequence[Outcome]) -> None:
        middle = len(batch) // 2
        await self.write(batch[:middle])
        await self.write(batch[middle:])

    async def _write_refused(self, outcome: Outcome, error: DatabaseError) -> None:
        """What the database refuses ends as a failure without its texts; if that fails too, the lease runs out."""
        _log.error("execution.unwritable", execution_id=str(id_of(outcome)), error=str(error))
        if isinstance(outcome, Ended) and outcome.ending.error_code != ExecutionErrorCode.INTERNAL:
            await self.write([replace(outcome, ending=_without_texts(outcome.ending))])

    async def _keep(self, batch: Sequence[Outcome]) -> list[UUID]:
        """Answers the runs that ended. What was put back, and what is not this worker's any more, is not among them."""
        if all(isinstance(one, Ended) and one.ran for one in batch):  # most often: one statement, one trip
            reader = self._database.system_reader(_REASON)
            ended, self.waiting = await queries.finish_and_look(reader, self._worker, [one.ending for one in batch])
            if len(ended) < len(batch):
                await self._add_deleted([one for one in batch if one.ending.id not in ended])
            return ended
        unused = {one.ending.id for one in batch if not one.ran}
        async with self._database.system(_REASON) as tx:
            await queries.lock(tx, self._worker, [id_of(one) for one in batch])
            # One that cannot be put back may have been cancelled: then its account is still open.
            left = [one for one in batch if isinstance(one, Ended) or not await self._put_back(tx, one)]
            ended = await queries.finish(tx, self._worker, [one.ending for one in left]) if left else []
            if given_back := [one for one in ended if one in unused]:
                await queries.give_back(tx, given_back)
            self.waiting = await work_queries.any_waiting(tx)
        await self._add_deleted([one for one in left if one.ending.id not in ended])
        return ended

    async def _add_deleted(self, lost: Sequence[Outcome]) -> None:
        """What was used for runs that are gone, and their quota where no model ran."""
        for one in lost:
            reader = self._database.system_reader("what a run used that was deleted")
            await queries.add_deleted(reader, self._worker, one.organization_id, one.user_id, one.ending, ran=one.ran)

    async def _put_back(self, tx: SystemTx, one: Again) -> bool:
        return await queries.try_again(
            tx, self._worker, one.ending, delay_s=one.delay_s, ran=one.ran, counts=one.counts
        )

    async def _tell(self, batch: Sequence[Outcome], ended: Sequence[UUID]) -> None:
        if ended:  # first: somebody may wait for it
            await self._notices.publish([str(one) for one in ended])
        await told(self._notices, {user_room(one.user_id) for one in batch})
        kept = set(ended)
        for one in batch:
            if isinstance(one, Ended) and one.ending.id in kept:
                _log.info(
                    "execution.ended",
                    execution_id=str(one.ending.id),
                    status=one.ending.status,
                    error_code=one.ending.error_code,
                    duration_ms=one.ending.duration_ms,
                    attempts=one.ending.attempts,
                    request_id=one.ending.request_id,
                )


def _size(outcome: Outcome) -> int:
    return sum(
        len(text or "") for text in (outcome.ending.output, outcome.ending.rendered_prompt, outcome.ending.citations)
    )


def _without_texts(ending: queries.Ending) -> queries.Ending:
    return replace(
        ending,
        status=ExecutionStatus.FAILED,
        output=None,
        rendered_prompt=None,
        citations=None,
        error_code=ExecutionErrorCode.INTERNAL,
        error_message="The result could not be kept. It was logged; please ask for a shorter one.",
    )
