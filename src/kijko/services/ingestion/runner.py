"""A worker's ingestions, beside its runs of skills: claimed under a lease, each done by a task of its own.

The loop only waits: git is a process, files are read by the crew's processes, and Postgres does the counting.
"""

import asyncio
import contextlib
import time
from functools import partial
from typing import Final
from uuid import UUID, uuid4

import structlog

from kijko.clients.forges import Forges
from kijko.clients.git import Git
from kijko.clients.storage import Storage
from kijko.core.crew import Crew
from kijko.core.crypto import Box
from kijko.core.db.errors import DatabaseError
from kijko.core.jobs import Work
from kijko.core.notices import Notices
from kijko.core.tenancy import Tenants
from kijko.services.ingestion import work_queries as queries
from kijko.services.ingestion.job import Desk, Job
from kijko.services.ingestion.requests import CANCELLED
from kijko.services.ingestion.standing import Progress
from kijko.services.ingestion.work import work
from kijko.services.ingestion.workspace import Workspace
from kijko.settings import Settings

_log = structlog.get_logger(__name__)
_LOOK_S: Final = 1.0
_TIDY_S: Final = 3600.0
_HANDS: Final = "kijko.services.ingestion.hands"


class Runner:
    """Lives on one event loop: `start`, `wake` from that loop, `stop`."""

    work: Final = Work.INGESTIONS

    def __init__(
        self,
        database: Tenants,
        notices: Notices,
        storage: Storage,
        forges: Forges,
        box: Box,
        settings: Settings,
    ) -> None:
        self.id = uuid4()
        own = settings.ingestion
        self._settings = settings
        self._database = database
        self._notices = notices
        self._crew = Crew(_HANDS, own.processes, own.process_bytes, own.process_address_bytes)
        self._desk = Desk(
            worker=self.id,
            database=database,
            notices=notices,
            git=Git(settings.git),
            storage=storage,
            forges=forges,
            box=box,
            crew=self._crew,
            workspace=Workspace(own.workspace, own.workspace_bytes),
            settings=settings,
        )
        self._awake = asyncio.Event()
        self._jobs: dict[UUID, tuple[Job, asyncio.Task[None]]] = {}
        self.loops: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begins to claim and to work."""
        self._awake.set()
        loops = (self._claim_loop, self._watch_loop, self._renew_loop, self._tidy_loop)
        self.loops = [asyncio.create_task(loop()) for loop in loops]

    def wake(self) -> None:
        """There is something to claim."""
        self._awake.set()

    async def stop(self) -> None:
        """Claims no more and hands back what is under way: another worker goes on where its phase began."""
        for loop in self.loops:
            loop.cancel()
        await asyncio.gather(*self.loops, return_exceptions=True)
        under_way = list(self._jobs.values())
        for _, task in under_way:
            task.cancel()
        await asyncio.gather(*(task for _, task in under_way), return_exceptions=True)
        for job, _ in under_way:
            with contextlib.suppress(DatabaseError):  # then the lease runs out
                await queries.again(job.reader, job.claimed, self.id, delay_s=0, free=True)
        await self._crew.close()

    async def _claim_loop(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.worker.sweep_s):
                    await self._awake.wait()
            self._awake.clear()
            try:
                await self._claim()
            except DatabaseError as error:
                _log.warning("ingestions.claim_failed", error=str(error))
                await asyncio.sleep(1)

    async def _claim(self) -> None:
        own = self._settings.ingestion
        room = own.concurrency - len(self._jobs)
        if room <= 0:
            return
        reader = self._database.system_reader("claiming pending ingestions of every organization")
        # One place is left for others: a slow server may take minutes, and nobody else's ingestion waits for that.
        of_one = max(own.concurrency - 1, 1)
        for one in await queries.claim(reader, self.id, most=room, of_one=of_one, lease_s=own.lease_s):
            job = Job(self._desk, one, Progress(one.phase, one.progress, one.metrics))
            task = asyncio.create_task(work(job))
            self._jobs[one.id] = job, task
            task.add_done_callback(partial(self._let_go, one.id))

    def _let_go(self, ingestion_id: UUID, _: asyncio.Task[None]) -> None:
        self._jobs.pop(ingestion_id, None)
        self._awake.set()

    async def _watch_loop(self) -> None:
        """Stops what is no longer this worker's: told by a notice, and looked at every second as well."""
        with self._notices.expect(CANCELLED) as notice:
            while True:
                await notice.wait(_LOOK_S)
                if not self._jobs:
                    continue
                with contextlib.suppress(DatabaseError):
                    reader = self._database.system_reader("whether ingestions are still this worker's")
                    asked = list(self._jobs)
                    self._stop_all_but(asked, await queries.held(reader, self.id, asked))

    async def _renew_loop(self) -> None:
        own = self._settings.ingestion
        while True:
            await asyncio.sleep(own.lease_s / 4)
            if not self._jobs:
                continue
            asked, began = list(self._jobs), time.monotonic()
            try:
                reader = self._database.system_reader("renewing this worker's leases on ingestions")
                still = await queries.renew(reader, self.id, asked, lease_s=own.lease_s)
            except DatabaseError as error:
                _log.warning("ingestions.renew_failed", error=str(error))
                continue
            self._stop_all_but(asked, still)
            for ingestion_id in still:
                if ingestion_id in self._jobs:
                    self._jobs[ingestion_id][0].renewed = began

    def _stop_all_but(self, asked: list[UUID], still: list[UUID]) -> None:
        for lost in set(asked).difference(still):
            if lost in self._jobs:
                self._jobs[lost][1].cancel()

    async def _tidy_loop(self) -> None:
        while True:
            try:
                await self._tidy()
            except (DatabaseError, OSError) as error:
                _log.warning("workspace.untidy", error=str(error))
            await asyncio.sleep(_TIDY_S)

    async def _tidy(self) -> None:
        workspace = self._desk.workspace
        workspace.make()
        found = await asyncio.to_thread(workspace.found)
        reader = self._database.system_reader("which repositories of every organization are still there")
        known = await queries.known(reader, list(found))
        await asyncio.to_thread(workspace.tidy, known)
