"""The last two phases: what hangs on the files, and the one transaction in which all of it begins to serve."""

from contextlib import aclosing
from typing import Final

from kijko.models.enums import IngestionPhase
from kijko.services import events, search
from kijko.services.ingestion import staging_queries as staging
from kijko.services.ingestion.job import Job

_HISTORY_S: Final = 120


async def refine(job: Job) -> None:
    """Keeps who changed each file last, where the project wants that. Raises GitFailure, LeaseLost, Broke."""
    await job.enter(IngestionPhase.OPTIMIZATION, "Adding up tokens")
    repositories = [source for source in job.sources if source.repository_id is not None]
    if not job.wanted.history:
        return
    for at, source in enumerate(repositories):
        job.progress.reach(at / len(repositories), "Looking who changed each file last")
        reading = job.desk.crew.run("read_history", source, job.desk.settings.git, seconds=_HISTORY_S)
        async with aclosing(reading) as parts:
            async for changes in parts:
                job.kept(await staging.keep_history(job.reader, job.claimed, job.desk.worker, source, changes))


async def publish(job: Job) -> None:
    """What was staged serves, what is gone does not, the ingestion has ended: all or nothing. Raises LeaseLost."""
    await job.enter(IngestionPhase.INDEXING, "Making it searchable")
    claimed = job.claimed
    async with job.desk.database.system("an ingestion begins to serve") as tx:
        job.kept(await staging.begin_publishing(tx, claimed, job.desk.worker))
        removed = await staging.swap(tx, claimed)
        await search.publish(tx, claimed.organization_id, claimed.project_id, claimed.id, removed)
        await staging.complete(tx, claimed, _words(job), job.desk.settings.ingestion.list_length)
    rooms = [events.project_room(claimed.project_id)]
    if claimed.user_id is not None:
        rooms.append(events.user_room(claimed.user_id))
    await events.told(job.desk.notices, rooms)


def _words(job: Job) -> str:
    files, chunks = job.progress.metrics["totalFiles"], job.progress.metrics["chunksCreated"]
    return f"Done: {files:,} files, {chunks:,} chunks read anew"
