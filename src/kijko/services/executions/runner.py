"""A worker's executions: claims batches, runs them all on one event loop, writes results in batches.

The nudges of `core.jobs` only set an event here; a look every few seconds finds what no nudge announced.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from uuid import UUID, uuid4

import structlog

from kijko.clients import llm
from kijko.core.db.errors import ConstraintViolation, DatabaseError, InvalidArgument, Raised
from kijko.core.notices import Notices
from kijko.core.tenancy import Tenants
from kijko.services.executions import work_queries as queries
from kijko.services.executions.run import Again, Ended, run
from kijko.settings import Settings

_log = structlog.get_logger(__name__)
_STOP_GRACE_S = 4.0


class Runner:
    """Lives on one event loop: `start`, `wake` from that loop, `stop`."""

    def __init__(self, database: Tenants, models: llm.Models, notices: Notices, settings: Settings) -> None:
        self.id = uuid4()
        self._database = database
        self._models = models
        self._notices = notices
        self._settings = settings.worker
        self._timeout_s = settings.models.timeout_s
        self._awake = asyncio.Event()
        self._held: dict[UUID, asyncio.Task[None]] = {}
        self._done: asyncio.Queue[Ended | Again] = asyncio.Queue()
        self.loops: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begins to claim and to run."""
        self._awake.set()
        self.loops = [asyncio.create_task(loop()) for loop in (self._claim_loop, self._write_loop, self._renew_loop)]

    def wake(self) -> None:
        """There is something to claim."""
        self._awake.set()

    async def stop(self) -> None:
        """Claims no more, lets what is nearly done end, hands the rest back to the queue."""
        claiming, writing, renewing = self.loops
        await _end(claiming)
        if self._held:
            await asyncio.wait(self._held.values(), timeout=_STOP_GRACE_S)
        for task in self._held.values():
            task.cancel()
        await asyncio.gather(*self._held.values(), return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_GRACE_S):
                await self._done.join()
        await _end(writing)
        await _end(renewing)
        with contextlib.suppress(DatabaseError):  # then the leases run out
            async with self._database.system("a stopping worker gives its runs back") as tx:
                await queries.hand_back(tx, self.id)

    async def _claim_loop(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.sweep_s):
                    await self._awake.wait()
            self._awake.clear()
            try:
                while await self._claim():
                    pass
            except DatabaseError as error:
                _log.warning("executions.claim_failed", error=str(error))
                await asyncio.sleep(1)

    async def _claim(self) -> bool:
        most = min(self._settings.batch, self._settings.concurrency - len(self._held))
        if most <= 0:
            return False
        reader = self._database.system_reader("claiming pending executions of every organization")
        claimed = await queries.claim(reader, self.id, most=most, lease_s=self._settings.lease_s)
        for one in claimed:
            self._held[one.id] = asyncio.create_task(self._run(one))
        return len(claimed) == most

    def _let_go(self, execution_ids: Iterable[UUID]) -> None:
        if len(self._held) >= self._settings.concurrency:
            self._awake.set()  # there was no room for what waits; now there is
        for execution_id in execution_ids:
            self._held.pop(execution_id, None)

    async def _run(self, claimed: queries.Claimed) -> None:
        outcome = await run(self._models, claimed, max_attempts=self._settings.max_attempts, timeout_s=self._timeout_s)
        self._done.put_nowait(outcome)

    async def _write_loop(self) -> None:
        while True:
            batch = [await self._done.get()]
            while len(batch) < self._settings.batch and not self._done.empty():
                batch.append(self._done.get_nowait())
            await self._write_until_kept(batch)
            self._let_go(_id(one) for one in batch)
            for _ in batch:
                self._done.task_done()

    async def _write_until_kept(self, batch: Sequence[Ended | Again]) -> None:
        # A result was paid for: it is written as soon as the database is back, while the lease is ours.
        delay_s = 0.05
        while True:
            try:
                ended = await self._write(batch)
            except (ConstraintViolation, InvalidArgument, Raised) as error:
                await self._write_singly(batch, error)
                return
            except DatabaseError as error:
                _log.warning("executions.write_failed", results=len(batch), error=str(error), again_in_s=delay_s)
                await asyncio.sleep(delay_s)
                delay_s = min(delay_s * 2, 2.0)
            else:
                if ended:
                    await self._notices.publish([str(one) for one in ended])
                return

    async def _write_singly(self, batch: Sequence[Ended | Again], error: DatabaseError) -> None:
        # One result that the database will never take must not hold up the others; its lease runs out.
        if len(batch) == 1:
            _log.error("execution.unwritable", execution_id=str(_id(batch[0])), error=str(error))
            return
        for one in batch:
            await self._write_until_kept([one])

    async def _write(self, batch: Sequence[Ended | Again]) -> list[UUID]:
        endings = [one for one in batch if isinstance(one, Ended)]
        ended = await self._keep(batch, endings)
        for one in endings:
            _log.info(
                "execution.ended",
                execution_id=str(one.ending.id),
                status=one.ending.status,
                error_code=one.ending.error_code,
                duration_ms=one.ending.duration_ms,
                attempts=one.ending.attempts,
                request_id=one.ending.request_id,
            )
        return ended

    async def _keep(self, batch: Sequence[Ended | Again], endings: Sequence[Ended]) -> list[UUID]:
        reason = "writing results of every organization's executions"
        if len(endings) == len(batch) and all(one.ran for one in endings):  # most often: one statement, one trip
            return await queries.finish(self._database.system_reader(reason), self.id, [one.ending for one in endings])
        unused = {one.ending.id for one in endings if not one.ran}
        async with self._database.system(reason) as tx:
            ended = await queries.finish(tx, self.id, [one.ending for one in endings]) if endings else []
            if given_back := [one for one in ended if one in unused]:
                await queries.give_back(tx, given_back)
            for one in batch:
                if isinstance(one, Again):
                    await queries.try_again(tx, self.id, one.id, one.attempts, delay_s=one.delay_s, ran=one.ran)
        return ended

    async def _renew_loop(self) -> None:
        while True:
            await asyncio.sleep(self._settings.lease_s / 3)
            held = set(self._held)
            if not held:
                continue
            try:
                async with self._database.system("renewing this worker's leases") as tx:
                    still = await queries.renew(tx, self.id, list(held), lease_s=self._settings.lease_s)
            except DatabaseError as error:
                _log.warning("executions.renew_failed", error=str(error))
                continue
            for lost in held.difference(still):
                if task := self._held.get(lost):
                    task.cancel()


def _id(outcome: Ended | Again) -> UUID:
    return outcome.ending.id if isinstance(outcome, Ended) else outcome.id


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
