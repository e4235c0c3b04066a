"""The last two phases: words for the search index, and the one transaction in which all of it begins to serve."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import orjson
import structlog

from kijko.core.crew import Broke
from kijko.core.words import counted
from kijko.models.enums import IngestionPhase
from kijko.services import events, search
from kijko.services.ingestion import publishing_queries as queries
from kijko.services.ingestion import work_queries
from kijko.services.ingestion.abreast import abreast
from kijko.services.ingestion.fetching import reading
from kijko.services.ingestion.job import Job
from kijko.services.ingestion.parts import Unindexed

_log = structlog.get_logger(__name__)
_HISTORY_S: Final = 120
_PAGE_BYTES: Final = 1_500_000
_UNINDEXED: Final = "search does not find it, since its words could not be indexed: {}"


async def refine(job: Job) -> None:
    """Makes the staged chunks' part of the search index; keeps who changed each file last, where that is wanted.

    Raises:
        Unreadable: what was fetched is not whole. LeaseLost. Broke: a process broke.
    """
    await job.enter(IngestionPhase.OPTIMIZATION, "Indexing words")
    async with job.desk.database.system("what an earlier attempt indexed goes") as tx:
        job.kept(await work_queries.hold(tx, job.claimed, job.desk.worker))
        await search.discard(tx, job.claimed.id)
        if job.claimed.state:
            await queries.index_anew(tx, job.claimed)
    await _count_errors(job)
    total = max(job.progress.metrics["chunksCreated"], 1)
    done = 0

    async def index(page: queries.Page) -> None:
        nonlocal done
        await _index(job, page)
        done += page.chunks
        job.progress.reach(0.95 * done / total, f"Indexing words: {counted(done, 'chunk')}")

    await abreast(_pages(job), index, job.abreast)
    await _count_errors(job)
    if job.wanted.history:
        await _tell_history(job)


async def _count_errors(job: Job) -> None:
    """Counted from the rows: a worker that was killed had told some of them, and not counted them."""
    job.progress.set(errorsEncountered=await queries.errors(job.reader, job.claimed))


async def _pages(job: Job) -> AsyncGenerator[queries.Page, None]:
    after: queries.Page | None = None
    while (after := await queries.page(job.reader, job.claimed, after, _PAGE_BYTES)) is not None:
        yield after


async def _index(job: Job, page: queries.Page) -> None:
    """A segment of these files. Files that break a process are indexed one by one, and what breaks it then is told."""
    claimed, settings = job.claimed, job.desk.settings.ingestion
    without: list[Unindexed] = []
    kept = False
    try:
        async with aclosing(job.desk.crew.run("index_files", page.files, seconds=settings.file_s)) as parts:
            async for made in parts:
                if isinstance(made, Unindexed):
                    without.append(made)
                    continue
                job.check()
                await search.keep(job.desk.database, claimed.organization_id, claimed.project_id, claimed.id, made)
                kept = True
    except Broke as broke:
        files = orjson.loads(page.files)
        if not kept and len(files) > 1:
            for each in files:
                await _index(job, queries.Page(page.source_id, page.path, len(each["chunks"]), orjson.dumps([each])))
            return
        if not kept:
            without = [Unindexed(files[0]["id"], broke.why)]
    for one in without:
        await _tell_unindexed(job, one)


async def _tell_unindexed(job: Job, one: Unindexed) -> None:
    """The file serves all the same: it can be read and exported, and only search does not know its words."""
    _log.warning("ingestion.file_unindexed", ingestion_id=str(job.claimed.id), why=one.why)
    job.kept(await queries.unindexed(job.reader, job.claimed, job.desk.worker, one.file_id, _UNINDEXED.format(one.why)))


async def _tell_history(job: Job) -> None:
    """Who changed each file last. It is told beside the files: one whose past is too much to read is without."""
    repositories = [source for source in job.sources if source.repository_id is not None]
    job.progress.reach(0.95, "Looking who changed each file last")
    for source in repositories:
        run = job.desk.crew.run("read_history", source, job.caps, job.wanted, seconds=_HISTORY_S)
        try:
            with reading(source):
                async with aclosing(run) as parts:
                    async for changes in parts:
                        job.kept(await queries.keep_history(job.reader, job.claimed, job.desk.worker, source, changes))
        except Broke as broke:
            _log.warning("ingestion.history_broke", ingestion_id=str(job.claimed.id), why=broke.why)


async def publish(job: Job) -> None:
    """What was staged serves, what is gone does not, the ingestion has ended: all or nothing. Raises LeaseLost."""
    await job.enter(IngestionPhase.INDEXING, "Making it searchable")
    claimed = job.claimed
    async with job.desk.database.system("an ingestion begins to serve") as tx:
        job.kept(await work_queries.hold(tx, claimed, job.desk.worker))
        removed = await queries.swap(tx, claimed)
        await search.publish(tx, claimed.organization_id, claimed.project_id, claimed.id, removed)
        await queries.complete(tx, claimed, _words(job), job.desk.settings.ingestion.list_length)
    rooms = [events.project_room(claimed.project_id)]
    if claimed.user_id is not None:
        rooms.append(events.user_room(claimed.user_id))
    await events.told(job.desk.notices, rooms)


def _words(job: Job) -> str:
    files, chunks = job.progress.metrics["totalFiles"], job.progress.metrics["chunksCreated"]
    return f"Done: {counted(files, 'file')}, {counted(chunks, 'chunk')} read anew"
