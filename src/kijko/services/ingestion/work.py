"""One ingestion from where it stands to its end, and what becomes of it when something goes wrong."""

import asyncio
import contextlib
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, Final

import structlog

from kijko.clients.chunker import Hook
from kijko.clients.forges import ForgeUnavailable
from kijko.clients.git import GitFailure
from kijko.clients.storage import StorageUnavailable
from kijko.core.db import Jsonb
from kijko.core.db.errors import DatabaseError
from kijko.models.enums import ChunkingStrategy, IngestionPhase
from kijko.services import events
from kijko.services.chunking import hook_of
from kijko.services.ingestion import chunking, fetching, publishing, selecting, sweeping
from kijko.services.ingestion import work_queries as queries
from kijko.services.ingestion.chunking import SourceGone
from kijko.services.ingestion.fetching import SourceFailure, Unreadable
from kijko.services.ingestion.job import Job, LeaseLost, wishes_of
from kijko.services.ingestion.parts import Wishes
from kijko.services.ingestion.standing import PHASES

_log = structlog.get_logger(__name__)
_LATER_S: Final = 5.0
_BROKEN: Final = "Something went wrong on our side. It was logged; please try again."


async def work(job: Job) -> None:
    """Does the ingestion. Whatever goes wrong becomes its end or a later attempt; only a cancellation gets out."""
    telling = asyncio.create_task(_tell(job, asyncio.current_task()))
    try:
        await _ingest(job)
    except LeaseLost:
        _log.info("ingestion.lost", **_named(job))
    except SourceFailure as failed:
        await _fail(job, failed.failure, failed.repository)
    except SourceGone:
        await _again(job, free=True, why="a source was deleted")
    except (DatabaseError, StorageUnavailable, ForgeUnavailable) as error:
        await _again(job, why=str(error))
    except (Exception, BaseExceptionGroup):
        _log.exception("ingestion.broke", **_named(job))
        await _again(job, why="")
    else:
        _log.info("ingestion.ended", status="completed", **_named(job))
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


async def _ingest(job: Job) -> None:
    async with AsyncExitStack() as holding:
        repositories = await _begin(job)
        at = PHASES.index(IngestionPhase(job.claimed.phase))
        if at == 0 or not await fetching.resume(job, repositories, holding):
            await holding.aclose()
            await fetching.fetch(job, repositories, holding)
            at = 1
        job.sources = fetching.sources(job, repositories)
        # The first time in a process this takes seconds: it is told, or the fetch would seem to go on.
        job.progress.reach(0.0, "Preparing to read: compiling the rules that find secrets")
        await job.tell()
        await job.desk.crew.warm()
        if at <= 1:
            await _reading(job, repositories, selecting.select(job))
        if at <= 2:
            await _reading(job, repositories, chunking.read_all(job))
        if at <= 3:
            await _reading(job, repositories, publishing.refine(job))
        await publishing.publish(job)
    await sweeping.clean(job.desk.database, job.claimed.project_id)


async def _begin(job: Job) -> list[queries.Repository]:
    """Looks at the project. Where its settings changed between two attempts, what the first did is for nothing."""
    project, repositories = await queries.project(job.reader, job.claimed.project_id)
    if project is None:
        raise LeaseLost
    salt = await queries.salt(job.reader, job.claimed.organization_id)
    job.project, job.wishes = project, wishes_of(project, salt, _hook(job, project))
    key = _key(job.wishes)
    if job.claimed.state.get("wishes") not in (None, key):
        # The settings were changed between two attempts: what the first has listed was for others.
        job.claimed = replace(job.claimed, phase=IngestionPhase.REPOSITORY_FETCH)
    job.kept(await queries.keep(job.reader, job.claimed, job.desk.worker, state=Jsonb({"wishes": key})))
    return repositories


def _hook(job: Job, project: queries.Project) -> Hook | None:
    """The project's webhook, where that cuts its files."""
    url = project.settings.get("webhookUrl")
    if project.chunking_strategy != ChunkingStrategy.CUSTOM or not url:
        return None
    return hook_of(job.desk.box, job.claimed.project_id, url, allowed=job.desk.settings.git.allowed_hosts)


def _key(wishes: Wishes) -> str:
    return "|".join(map(str, (
        wishes.strategy, wishes.signatures, wishes.imports, wishes.structure, wishes.annotations,
        wishes.anonymize_secrets, wishes.include, wishes.exclude, wishes.history,
        wishes.hook.url if wishes.hook is not None else None,
    )))  # fmt: skip


async def _reading(job: Job, repositories: list[queries.Repository], phase: Coroutine[Any, Any, None]) -> None:
    """A phase that reads what was fetched: what is wrong with it is wrong with the repository."""
    try:
        await phase
    except Unreadable as broken:
        by_id = {one.id: one for one in repositories}
        raise SourceFailure(by_id[broken.source.id], broken.failure) from broken


async def _tell(job: Job, whole: "asyncio.Task[None] | None") -> None:
    """Tells progress as it happens; ends the work when it is no longer this worker's."""
    while True:
        try:
            await job.tell_on()
        except LeaseLost:
            if whole is not None:
                whole.cancel()
            return
        except DatabaseError as error:
            _log.warning("ingestion.untold", error=str(error))


async def _fail(job: Job, failure: GitFailure, repository: queries.Repository) -> None:
    sentence = f"{repository.name}: {failure.sentence}"
    with contextlib.suppress(DatabaseError):  # then the lease runs out
        await queries.fail(
            job.reader,
            job.claimed.id,
            job.desk.worker,
            job.claimed.attempts,
            code=failure.code,
            message=sentence,
            repository_id=repository.id,
        )
        await events.told(job.desk.notices, [events.project_room(job.claimed.project_id)])
    _log.info("ingestion.ended", status="failed", error_code=failure.code, **_named(job))


async def _again(job: Job, *, why: str, free: bool = False) -> None:
    """A later attempt goes on where the phase began; after the last one it has failed."""
    last = not free and job.claimed.attempts >= job.desk.settings.ingestion.max_attempts
    _log.warning("ingestion.again" if not last else "ingestion.given_up", why=why, **_named(job))
    with contextlib.suppress(DatabaseError):
        if last:
            await queries.fail(
                job.reader, job.claimed.id, job.desk.worker, job.claimed.attempts, code="INTERNAL", message=_BROKEN
            )
            await events.told(job.desk.notices, [events.project_room(job.claimed.project_id)])
        else:
            await queries.again(job.reader, job.claimed, job.desk.worker, delay_s=_LATER_S, free=free)


def _named(job: Job) -> dict[str, object]:
    return {
        "ingestion_id": str(job.claimed.id),
        "project_id": str(job.claimed.project_id),
        "attempts": job.claimed.attempts,
        "request_id": job.claimed.request_id,
    }
