"""The second phase: which files there are, which are taken, and which of those have to be read."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from kijko.clients.git import GitFailure
from kijko.core.crew import Broke
from kijko.core.db import Jsonb
from kijko.models.enums import IngestionPhase
from kijko.services.ingestion import listing_queries as listing
from kijko.services.ingestion import work_queries
from kijko.services.ingestion import work_queries as queries
from kijko.services.ingestion.fetching import reading
from kijko.services.ingestion.job import Job
from kijko.services.ingestion.parts import Listed, Name, Source

_UPLOADS: Final = 2000
# Git keeps what is alike once, so a repository of some kB can have files of many GB.
_TOO_MUCH: Final = (
    "The repository is too large: the files to read have more than {:,.0f} MB in all. Exclude some of them."
)


async def select(job: Job) -> None:
    """Makes the ingestion's list of files and compares it with the one that serves.

    Raises:
        Unreadable: what was fetched is not whole. LeaseLost. Broke: a process broke.
    """
    await job.enter(IngestionPhase.PARSING, "Listing files")
    async with job.desk.database.system("an ingestion's list begins anew") as tx:
        job.kept(await work_queries.hold(tx, job.claimed, job.desk.worker))
        await listing.clear_names(tx, job.claimed)
    skipped: list[dict[str, str]] = []
    total = place = 0
    for at, source in enumerate(job.sources):
        async with aclosing(_listed(job, source)) as parts:
            async for listed in parts:
                total += listed.skipped_total
                room = job.desk.settings.ingestion.list_length - len(skipped)
                skipped += [{"path": path, "reason": why} for path, why in listed.skipped[:room]]
                place += await _add(job, source, listed, place)
                job.progress.metrics["totalFiles"] = place
                job.progress.reach(at / len(job.sources), f"Listing files: {place:,} taken, {total:,} skipped")
    await _compare(job)
    kept = await queries.keep(job.reader, job.claimed, job.desk.worker, skipped=Jsonb(skipped), skipped_total=total)
    job.kept(kept)


async def _add(job: Job, source: Source, listed: Listed, place: int) -> int:
    if not listed.files:
        return 0
    added = await listing.add_names(job.reader, job.claimed, job.desk.worker, source, listed, place)
    job.kept(added == listed.files)
    return added


async def _compare(job: Job) -> None:
    """What the ingestion that serves has read already need not be read again, unless that is wished for."""
    serving = job.project.serving if job.project is not None else None
    if serving is None or job.claimed.force:
        return
    async with job.desk.database.system("an ingestion's list is compared with the one that serves") as tx:
        job.kept(await work_queries.hold(tx, job.claimed, job.desk.worker))
        await listing.compare(tx, job.claimed, serving)


async def _listed(job: Job, source: Source) -> AsyncGenerator[Listed, None]:
    settings = job.desk.settings
    if source.repository_id is None:
        after = ""
        while found := await queries.uploads(job.reader, source.project_id, after, _UPLOADS):
            names = [Name(each.name, each.sha256, each.size_bytes, each.id) for each in found]
            after = names[-1].path
            arguments = (source, job.wanted, names, settings.git.max_file_bytes)
            async with aclosing(job.desk.crew.run("list_uploads", *arguments, seconds=60)) as parts:
                async for listed in parts:
                    yield listed
        return
    arguments_of = (source, job.wanted, job.caps)
    most, taken = settings.git.max_text_bytes, 0
    with reading(source):
        try:
            async with aclosing(job.desk.crew.run("list_repository", *arguments_of, seconds=60)) as parts:
                async for listed in parts:
                    taken += listed.size_bytes
                    if taken > most:
                        raise GitFailure("REPOSITORY_TOO_LARGE", _TOO_MUCH.format(most / 1_000_000))
                    yield listed
        except Broke as broke:
            if job.claimed.attempts < settings.ingestion.max_attempts:
                raise  # it may have been for want of memory, or by chance
            raise GitFailure("REPOSITORY_TOO_LARGE", f"Its files cannot be listed: {broke.why}.") from broke
