"""A worker's executions: claims batches, runs them all on one event loop, writes results in batches.

The nudges of `core.jobs` only set an event here; a look every few seconds finds what no nudge announced.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

import structlog
from redis.asyncio import Redis

from kijko.clients import llm
from kijko.core.db.errors import DatabaseError
from kijko.core.jobs import Work
from kijko.core.notices import Notices
from kijko.core.tenancy import Tenants
from kijko.services.executions import ending_queries
from kijko.services.executions import work_queries as queries
from kijko.services.executions.cancelling import CANCELLED
from kijko.services.executions.room import Room
from kijko.services.executions.run import Attempt, Limits, With
from kijko.services.executions.speaking import Speaker
from kijko.services.executions.writing import Batches, Outcome, Writer, id_of
from kijko.services.search import Questions
from kijko.settings import Settings

_log = structlog.get_logger(__name__)
_STOP_GRACE_S = 4.0
_LOOK_S = 0.5
"""How often a worker that holds runs asks which were cancelled or deleted, where no notice says so."""


@dataclass(slots=True)
class _Held:
    """A run of this worker's. `cancelled`: by a person, who may have deleted it."""

    attempt: Attempt
    task: asyncio.Task[None]
    cancelled: bool = False


class Runner:
    """Lives on one event loop: `start`, `wake` from that loop, `stop`."""

    work: Final = Work.EXECUTIONS

    def __init__(
        self,
        database: Tenants,
        models: llm.Models,
        questions: Questions,
        notices: Notices,
        redis: Redis,
        settings: Settings,
    ) -> None:
        self.id = uuid4()
        self._database = database
        self._notices = notices
        self._settings = settings.worker
        self._awake = asyncio.Event()
        self._full = False
        self._held: dict[UUID, _Held] = {}
        self._room = Room(self._settings.held_characters)
        limits = Limits(self._settings.max_attempts, settings.models.timeout_s, self._settings.run_s)
        self._speaker = Speaker(redis)
        self._given = With(self.id, models, database, questions, self._room, limits)
        self._outcomes = Batches(self._settings.batch)
        self._writer = Writer(database, notices, self.id, self._held.__contains__)
        self.loops: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begins to claim and to run."""
        self._awake.set()
        loops = (self._claim_loop, self._write_loop, self._renew_loop, self._cancel_loop, self._speaker.speak)
        self.loops = [asyncio.create_task(loop()) for loop in loops]

    def wake(self) -> None:
        """There is something to claim."""
        self._awake.set()

    async def stop(self) -> None:
        """Claims no more, lets what is nearly done end, hands the rest back to the queue."""
        claiming, writing, renewing, cancelling, speaking = self.loops
        await _end(claiming)
        tasks = [held.task for held in self._held.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=_STOP_GRACE_S)
        await _end(cancelling)
        await _end(speaking)
        await self._speaker.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_GRACE_S):
                await self._outcomes.join()
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
        self._full = most <= 0
        if self._full:
            return False
        reader = self._database.system_reader("claiming pending executions of every organization")
        claimed = await queries.claim(reader, self.id, most=most, lease_s=self._settings.lease_s)
        for one in claimed:
            self._hold(one)
        return len(claimed) == most

    async def _let_go(self, execution_ids: Sequence[UUID]) -> None:
        for execution_id in execution_ids:
            self._held.pop(execution_id, None)
            await self._room.give_back(execution_id)
        if self._full or self._writer.waiting:  # for a place, here or among its organization's runs: here is one
            self._awake.set()

    def _hold(self, claimed: queries.Claimed) -> None:
        attempt = Attempt(claimed, llm.Progress())
        self._held[claimed.id] = _Held(attempt, asyncio.create_task(self._run(attempt)))

    async def _run(self, attempt: Attempt) -> None:
        outcome: Outcome | None
        try:
            with self._speaker.voice(attempt.claimed, attempt.progress) as attempt.voice:
                outcome = await attempt.run(self._given)
        except asyncio.CancelledError:
            held = self._held.get(attempt.claimed.id)
            if held is None or held.attempt is not attempt:  # it is another worker's now
                raise
            outcome = await attempt.interrupted(cancelled=held.cancelled)
            if outcome is None:
                raise
        self._outcomes.put(outcome)

    async def _cancel_loop(self) -> None:
        """Drops the calls of runs that were cancelled, or deleted with their skill: told by a notice, or found."""
        with self._notices.expect(CANCELLED) as notice:
            while True:
                await notice.wait(_LOOK_S)
                if not self._held:
                    continue
                reader = self._database.system_reader("which of this worker's runs were cancelled, or deleted")
                try:
                    dropped = await queries.dropped(reader, self.id, list(self._held))
                except DatabaseError as error:
                    _log.warning("executions.look_failed", error=str(error))
                    continue
                for execution_id in dropped:
                    self._drop(execution_id)

    def _drop(self, execution_id: UUID) -> None:
        held = self._held.get(execution_id)
        if held is not None and not held.cancelled:
            held.cancelled = True
            held.task.cancel()  # one that is done already waits to be written, and is written as cancelled

    async def _write_loop(self) -> None:
        while True:
            batch = await self._outcomes.take()
            await self._writer.write(batch)
            await self._let_go([id_of(one) for one in batch])
            for _ in batch:
                self._outcomes.done()

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
                if taken := self._held.pop(lost, None):
                    await self._let_be(taken)

    async def _let_be(self, lost: _Held) -> None:
        """A run that is another worker's now, or was deleted: then nobody else knows what it used."""
        claimed = lost.attempt.claimed
        lost.task.cancel()
        await self._room.give_back(claimed.id)
        outcome = await lost.attempt.interrupted(cancelled=True)
        if outcome is None:
            return
        reader = self._database.system_reader("what a run used that was deleted")
        try:
            await ending_queries.add_deleted(
                reader, self.id, claimed.organization_id, claimed.user_id, outcome.ending, ran=outcome.ran
            )
        except DatabaseError as error:
            _log.error("execution.unaccounted", execution_id=str(claimed.id), error=str(error))


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
