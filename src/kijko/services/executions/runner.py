"""A worker's executions: claims batches, runs them all on one event loop, writes results in batches.

The nudges of `core.jobs` only set an event here; a look every few seconds finds what no nudge announced.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final
from uuid import UUID, uuid4

import structlog

from kijko.clients import llm
from kijko.core.db.errors import DatabaseError
from kijko.core.jobs import Work
from kijko.core.notices import Notices
from kijko.core.tenancy import Tenants
from kijko.services.executions import work_queries as queries
from kijko.services.executions.room import Room
from kijko.services.executions.run import run
from kijko.services.executions.writing import Batches, Writer, id_of
from kijko.services.search import Questions
from kijko.settings import Settings

_log = structlog.get_logger(__name__)
_STOP_GRACE_S = 4.0


class Runner:
    """Lives on one event loop: `start`, `wake` from that loop, `stop`."""

    work: Final = Work.EXECUTIONS

    def __init__(
        self, database: Tenants, models: llm.Models, questions: Questions, notices: Notices, settings: Settings
    ) -> None:
        self.id = uuid4()
        self._database = database
        self._models = models
        self._questions = questions
        self._settings = settings.worker
        self._timeout_s = settings.models.timeout_s
        self._awake = asyncio.Event()
        self._full = False
        self._held: dict[UUID, asyncio.Task[None]] = {}
        self._room = Room(self._settings.held_characters)
        self._outcomes = Batches(self._settings.batch)
        self._writer = Writer(database, notices, self.id, self._held.__contains__)
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
            self._held[one.id] = asyncio.create_task(self._run(one))
        return len(claimed) == most

    async def _let_go(self, execution_ids: Sequence[UUID]) -> None:
        for execution_id in execution_ids:
            self._held.pop(execution_id, None)
            await self._room.give_back(execution_id)
        if self._full or self._writer.waiting:  # for a place, here or among its organization's runs: here is one
            self._awake.set()

    async def _run(self, claimed: queries.Claimed) -> None:
        outcome = await run(
            self._models,
            self._database,
            self._questions,
            claimed,
            room=self._room,
            max_attempts=self._settings.max_attempts,
            timeout_s=self._timeout_s,
        )
        self._outcomes.put(outcome)

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
                if task := self._held.pop(lost, None):
                    task.cancel()
                    await self._room.give_back(lost)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
