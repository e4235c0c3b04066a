"""A worker's embedding: project by project, the vectors of chunks that have none, from a model outside.

It runs after the lexical index serves, and search does without until it is done. No transaction is open while the model
is asked.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Final
from uuid import uuid4

import structlog

from kijko.clients.embeddings import EmbeddingFailure, Embeddings
from kijko.core.db.errors import DatabaseError
from kijko.core.jobs import Work
from kijko.core.tenancy import Tenants
from kijko.services.search import vector_queries as queries
from kijko.services.search.questions import LONGEST, written
from kijko.settings import Settings

_REASON: Final = "vectors of every organization's chunks"
_LONGEST_WAIT_S: Final = 600.0
_log = structlog.get_logger(__name__)


class Embedder:
    """Lives on one event loop: `start`, `wake` from that loop, `stop`. Without a model it has nothing to do."""

    work: Final = Work.INGESTIONS

    def __init__(self, database: Tenants, embeddings: Embeddings, settings: Settings) -> None:
        self.id = uuid4()
        self._reader = database.system_reader(_REASON)
        self._embeddings = embeddings
        self._settings = settings.embedding
        self._look_s = settings.worker.sweep_s
        self._awake = asyncio.Event()
        self.loops: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begins to claim and to work."""
        if self._embeddings.model is not None:
            self.loops = [asyncio.create_task(self._loop(self._embeddings.model))]

    def wake(self) -> None:
        """There may be something to claim."""
        self._awake.set()

    async def stop(self) -> None:
        """Leaves off, and gives back what it holds."""
        for loop in self.loops:
            loop.cancel()
        await asyncio.gather(*self.loops, return_exceptions=True)
        if self.loops:
            with contextlib.suppress(DatabaseError):  # then the lease runs out
                await queries.hand_back(self._reader, self.id)

    async def _loop(self, model: str) -> None:
        while True:
            try:
                while job := await self._claim(model):
                    await self._run(job)
            except DatabaseError as error:
                _log.warning("embedding.failed", error=str(error))
                await asyncio.sleep(1)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._look_s):
                    await self._awake.wait()
            self._awake.clear()

    async def _claim(self, model: str) -> queries.Job | None:
        settings = self._settings
        everywhere = settings.projects == "all"
        return await queries.claim(self._reader, self.id, model=model, everywhere=everywhere, lease_s=settings.lease_s)

    async def _run(self, job: queries.Job) -> None:
        made = 0
        try:
            async for kept in self._embed(job):
                made += kept
        except EmbeddingFailure as error:
            attempts = 1 if made else job.attempts
            delay_s = delay(attempts, most=self._settings.max_attempts) if error.passing else None
            _log.warning("embedding.put_off", project_id=str(job.project_id), error=str(error), again_in_s=delay_s)
            await queries.put_off(self._reader, job, self.id, delay_s=delay_s, error=str(error))
        else:
            await queries.finish(self._reader, job, self.id)
            _log.info("embedding.done", project_id=str(job.project_id), made=made)

    async def _embed(self, job: queries.Job) -> AsyncIterator[int]:
        """How many chunks got their vectors, batch by batch."""
        settings, after = self._settings, 0
        while chunks := await queries.unembedded(
            self._reader, job, self.id, after=after, most=settings.batch, lease_s=settings.lease_s
        ):
            texts = [each.content[:LONGEST] or " " for each in chunks]
            vectors = await self._embeddings.embed(texts, model=job.model, timeout_s=settings.timeout_s)
            await queries.keep(self._reader, job, self.id, chunks, [written(each) for each in vectors])
            after = chunks[-1].number
            yield len(chunks)


def delay(attempts: int, *, most: int) -> float | None:
    """Seconds until the next attempt, with jitter; None when there is to be none."""
    if attempts >= most:
        return None
    return min(2.0**attempts, _LONGEST_WAIT_S) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
