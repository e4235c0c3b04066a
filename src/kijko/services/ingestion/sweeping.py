"""What the scheduler does for ingestions, and what is done after each: nothing waits unseen, nothing stays behind."""

from typing import Final
from uuid import UUID

import structlog

from kijko.core.jobs import Jobs, Work
from kijko.core.notices import Notices
from kijko.core.tenancy import Tenants
from kijko.services import events, search
from kijko.services.ingestion import sweep_queries
from kijko.services.ingestion import work_queries as queries

_log = structlog.get_logger(__name__)
_WHY: Final = "ingestions that have ended or lost their worker, of every organization"
_LOST: Final = "The worker was lost during the ingestion, more than once. Start it again."
_FILES: Final = 200
_NAMES: Final = 5000


async def sweep(database: Tenants, jobs: Jobs, notices: Notices, *, max_attempts: int) -> None:
    """Takes ingestions away from dead workers, nudges the living ones where something waits, cleans up."""
    reader = database.system_reader(_WHY)
    for lost in await queries.expired(reader):
        _log.warning("ingestion.worker_lost", ingestion_id=str(lost.id), attempts=lost.attempts)
        if lost.attempts < max_attempts:
            await queries.requeue(reader, lost.id)
        elif await queries.take_away(reader, lost.id):
            await queries.fail(reader, lost.id, None, None, code="WORKER_LOST", message=_LOST)
            await events.told(notices, [events.project_room(lost.project_id)])
    if await queries.any_waiting(reader):
        jobs.wake(Work.INGESTIONS)
    await clean(database)


async def clean(database: Tenants, project_id: UUID | None = None) -> None:
    """Deletes what ended ingestions left that serves nobody; of one project only, where it is named."""
    reader = database.system_reader(_WHY)
    for ended in await sweep_queries.unswept(reader, project_id):
        while await sweep_queries.delete_files(reader, ended, _FILES) == _FILES:
            pass
        while await sweep_queries.delete_names(reader, ended, _NAMES) == _NAMES:
            pass
        async with database.system(_WHY) as tx:
            if not ended.serves:
                await search.discard(tx, ended.id)
            await sweep_queries.swept(tx, ended.id)
