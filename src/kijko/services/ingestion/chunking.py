"""The third phase: files are read, cut and redacted in processes, and what comes back is staged at once."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Final

import structlog

from kijko.clients.storage import ContentNotFound
from kijko.core.crew import Broke
from kijko.core.db.errors import ConstraintViolation
from kijko.models.enums import IngestionPhase
from kijko.services import search
from kijko.services.ingestion import staging_queries as staging
from kijko.services.ingestion import work_queries
from kijko.services.ingestion.abreast import abreast
from kijko.services.ingestion.columns import texts
from kijko.services.ingestion.fetching import reading
from kijko.services.ingestion.job import Job
from kijko.services.ingestion.parts import Read, Source, Wanted

_FILES: Final = 400
_BYTES: Final = 4_000_000
_LEAST: Final = 250_000
_SHARES: Final = 4
_FILE: Final = 100
"""What a file weighs beside its bytes."""
_REPLACED: Final = "it was replaced or deleted during the ingestion"
_EMPTY: Final = ("{}",) * 11
_GONE: Final = frozenset({"source_files_repository_fkey", "source_files_upload_fkey"})
_log = structlog.get_logger(__name__)


class SourceGone(Exception):
    """A repository or an uploaded file was deleted while it was being read: the ingestion begins anew without it."""


async def read_all(job: Job) -> None:
    """Reads every file that is to be read.

    Raises:
        Unreadable: what was fetched is not whole. LeaseLost. SourceGone. StorageUnavailable.
    """
    await job.enter(IngestionPhase.CHUNKING, "Reading files")
    serving = job.project.serving if job.project is not None else None
    async with job.desk.database.system("what an earlier attempt staged goes") as tx:
        job.kept(await work_queries.hold(tx, job.claimed, job.desk.worker))
        if job.claimed.state:
            await staging.clear_staged(tx, job.claimed, serving)
            await search.discard(tx, job.claimed.id)
    amount = await staging.amount(job.reader, job.claimed)
    job.progress.set(
        totalFiles=amount.files,
        filesProcessed=amount.files - amount.unread,
        tokensProcessed=0,
        bytesProcessed=0,
        chunksCreated=0,
        errorsEncountered=0,
    )
    whole = _Reading(job, amount.unread_bytes + _FILE * amount.unread)
    for source in job.sources:
        await whole.read(source)


class _Reading:
    """One ingestion's files on their way."""

    def __init__(self, job: Job, weight: int) -> None:
        self._job = job
        self._weight = weight
        self._given = self._done = 0

    async def read(self, source: Source) -> None:
        """Reads a source, several batches at once: as many as there are processes."""
        await abreast(self._batches(source), partial(self._read_batch, source), self._job.abreast)

    async def _batches(self, source: Source) -> AsyncGenerator[list[Wanted], None]:
        """Small enough to be held, large enough that beginning one costs little; smaller towards the end, so that no
        process has much left while others have nothing."""
        batch: list[Wanted] = []
        size = after = 0
        while found := await staging.unread(self._job.reader, self._job.claimed, source, after, _FILES):
            after = found[-1].place
            for one in found:
                weight = one.size_bytes + _FILE
                if batch and (size + weight > self._most() or len(batch) >= _FILES):
                    self._given += size
                    yield batch
                    batch, size = [], 0
                batch.append(await self._wanted(source, one))
                size += weight
        if batch:
            self._given += size
            yield batch

    def _most(self) -> int:
        """What the next batch may weigh."""
        return max(min(_BYTES, (self._weight - self._given) // (_SHARES * self._job.abreast)), _LEAST)

    async def _wanted(self, source: Source, one: staging.Unread) -> Wanted:
        content = None
        if source.repository_id is None and one.storage_key is not None:
            content = await self._content(one.storage_key, one.size_bytes)
        return Wanted(one.place, one.path, one.content_key, one.size_bytes, one.upload_id, content)

    async def _content(self, key: str, most: int) -> bytes | None:
        """An upload's; None where it was replaced or deleted since it was listed."""
        kept = bytearray()
        try:
            async for piece in self._job.desk.storage.read(key):
                kept += piece
                if len(kept) > most:
                    return None
        except ContentNotFound:
            return None
        return bytes(kept)

    async def _read_batch(self, source: Source, batch: Sequence[Wanted]) -> None:
        """Reads them all. A file on which a process breaks is an error of its own, and the others are read after it."""
        left = {one.place: one for one in batch}
        if source.repository_id is None:
            await self._settle(source, [one for one in batch if one.content is None], _REPLACED, left)
        while left:
            wanted = list(left.values())
            try:
                await self._read(source, wanted, left)
            except Broke as broke:
                culprit = left.get(broke.mark)
                if culprit is None and len(wanted) > 1:
                    for one in wanted:  # nobody knows on which: each by itself
                        await self._read_batch(source, [one])
                    return
                culprit = culprit or wanted[0]
                _log.warning("ingestion.file_broke", ingestion_id=str(self._job.claimed.id), why=broke.why)
                await self._settle(source, [culprit], f"it could not be read: {broke.why}", left)

    async def _read(self, source: Source, wanted: Sequence[Wanted], left: dict[int, Wanted]) -> None:
        arguments = (source, self._job.wanted, wanted, self._job.caps)
        parts_of = self._job.desk.crew.run("read_files", *arguments, seconds=self._job.file_s)
        with reading(source):
            async with aclosing(parts_of) as parts:
                async for read in parts:
                    await self._stage(source, read)
                    for place in read.places:
                        left.pop(place, None)

    async def _settle(self, source: Source, files: Sequence[Wanted], why: str, left: dict[int, Wanted]) -> None:
        """Files that are not read, as errors."""
        if not files:
            return
        columns = ([str(one.place) for one in files], ["failed"] * len(files), [why] * len(files), [None] * len(files))
        read = Read(
            options_key="",
            places=[one.place for one in files],
            files=_EMPTY,
            chunks=_EMPTY,
            outcomes=tuple(texts(column) for column in columns),
            pieces=0,
            size_bytes=sum(one.size for one in files),
            tokens=0,
            failed=len(files),
        )
        await self._stage(source, read)
        for one in files:
            left.pop(one.place, None)

    async def _stage(self, source: Source, read: Read) -> None:
        job = self._job
        job.check()
        base = 0
        if read.pieces:
            taken = await staging.take_numbers(job.reader, job.claimed, job.desk.worker, read.pieces)
            job.kept(taken is not None)
            base = taken or 0
        try:
            job.kept(await staging.stage(job.reader, job.claimed, job.desk.worker, source, read, base))
        except ConstraintViolation as error:
            if error.name in _GONE:
                raise SourceGone from error
            raise
        self._done += read.size_bytes + _FILE * len(read.places)
        job.progress.add(
            filesProcessed=len(read.places),
            tokensProcessed=read.tokens,
            bytesProcessed=read.size_bytes,
            chunksCreated=read.pieces,
            errorsEncountered=read.failed,
        )
        told = job.progress.metrics
        words = f"Reading files: {told['filesProcessed']:,} of {told['totalFiles']:,}"
        job.progress.reach(self._done / max(self._weight, 1), words)
