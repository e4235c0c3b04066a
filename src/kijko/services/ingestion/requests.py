"""Asking for an ingestion, for its end, and for how it goes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from uuid import UUID, uuid4

from kijko.core.errors import AppError
from kijko.core.jobs import Jobs, Work
from kijko.core.notices import Notices
from kijko.core.tenancy import OrgReader, OrgTx
from kijko.services import events
from kijko.services.ingestion import queries
from kijko.services.ingestion.errors import AlreadyProcessing, InvalidStatus, NoActiveIngestion, NoSources
from kijko.services.projects import access
from kijko.services.projects.errors import ProjectNotFound

CANCELLED: Final = "ingestions-cancelled"
"""The notice that lets workers look whether what they have is still theirs."""
_AGAINST: Final[Mapping[str, type[AppError]]] = {
    "PROJECT_NOT_FOUND": ProjectNotFound,
    "ALREADY_PROCESSING": AlreadyProcessing,
    "INVALID_STATUS": InvalidStatus,
    "NO_SOURCES": NoSources,
}


@dataclass(frozen=True, slots=True)
class Started:
    """An ingestion that will be done."""

    id: UUID
    estimate_s: float
    quota: Mapping[str, Any] | None
    """{metric, limit, used, resetsAt}; None where the plan sets no limit."""


async def start(
    tx: OrgTx, jobs: Jobs, project_id: UUID, *, force: bool = False, request_id: str | None = None
) -> Started:
    """Accepts an ingestion of a project; a worker is nudged after the commit.

    Raises:
        ProjectNotFound, Forbidden: see access. AlreadyProcessing: one is under way.
        InvalidStatus: the project is neither draft nor error, and `force` is not set. NoSources: there is nothing.
        Raised: KJ429, which becomes QuotaExceeded.
    """
    await access.require(tx, project_id, "source")
    ingestion_id = uuid4()
    asked = await queries.start(tx, project_id, ingestion_id, force=force, request_id=request_id)
    if against := _AGAINST.get(asked.outcome):
        raise against
    tx.after_commit(partial(jobs.wake, Work.INGESTIONS))
    return Started(ingestion_id, float(asked.estimate_s or 0), asked.quota)


async def cancel(tx: OrgTx, notices: Notices, project_id: UUID) -> None:
    """Ends a project's ingestion. Its row has ended when this is kept, and its worker is told.

    Raises:
        ProjectNotFound, Forbidden: see access. NoActiveIngestion: none is under way.
    """
    await access.require(tx, project_id, "source")
    if await queries.cancel(tx, project_id) is None:
        raise NoActiveIngestion
    tx.after_commit(lambda: notices.publish([CANCELLED]))
    tx.after_commit(lambda: events.told(notices, [events.project_room(project_id)]))


async def progress(reader: OrgReader, project_id: UUID) -> bytes:
    """The IngestionProgress of the newest ingestion as JSON, or null. Raises ProjectNotFound."""
    await access.require(reader, project_id, "read")
    return await queries.progress(reader, project_id) or b"null"


async def history(reader: OrgReader, project_id: UUID, *, page: int, page_size: int) -> bytes:
    """A page of a project's ingestions as JSON, newest first. Raises ProjectNotFound."""
    await access.require(reader, project_id, "read")
    return await queries.history(reader, project_id, page=page, page_size=page_size)
