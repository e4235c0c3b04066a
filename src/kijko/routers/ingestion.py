"""Ingestions over HTTP."""

from fastapi import APIRouter, Request, Response, status

from kijko.middleware.headers import add_header
from kijko.middleware.quota import quota_headers
from kijko.models.base import Success
from kijko.models.ingestion import IngestionPage, StartIngestionRequest, StartIngestionResponse
from kijko.models.projects import IngestionProgress
from kijko.routers.answers import JsonBytes
from kijko.routers.deps import CurrentReader, CurrentTx, Outside, PageNumber, PageSize
from kijko.routers.ids import ProjectId
from kijko.routers.problems import problems
from kijko.services import ingestion

router = APIRouter(prefix="/projects/{projectId}", tags=["projects"])


@router.post(
    "/ingest",
    status_code=status.HTTP_202_ACCEPTED,
    response_model=StartIngestionResponse,
    summary="Ingest a project",
    responses=problems("PROJECT_NOT_FOUND", "ALREADY_PROCESSING", "INVALID_STATUS", "NO_SOURCES", "QUOTA_EXCEEDED"),
)
async def ingest(
    *,
    project_id: ProjectId,
    body: StartIngestionRequest | None = None,
    tx: CurrentTx,
    outside: Outside,
    request: Request,
) -> StartIngestionResponse:
    """Begins to turn the project's repositories and files into context. What served before serves until it has ended.

    A project that is `active` is ingested when its uploads, repositories or settings changed since; else it wants
    `forceReprocess`, which takes new commits too and reads every file anew. Without it, and after a push, only files
    that changed are read. Follow it at `/progress`.
    """
    started = await ingestion.start(
        tx,
        outside.jobs,
        project_id,
        force=bool(body and body.force_reprocess),
        request_id=request.scope.get("kijko.request_id"),
    )
    for name, value in quota_headers(started.quota or {}):
        add_header(request.scope, name, value)
    return StartIngestionResponse(
        job_id=started.id,
        project_id=project_id,
        ws_namespace_url=f"/api/projects/{project_id}/ws",
        estimated_duration_seconds=started.estimate_s,
    )


@router.post(
    "/cancel-ingestion",
    response_model=Success,
    name="cancel_ingestion",
    summary="Cancel an ingestion",
    responses=problems("PROJECT_NOT_FOUND", "NO_ACTIVE_INGESTION"),
)
async def cancel(project_id: ProjectId, tx: CurrentTx, outside: Outside) -> Success:
    """Ends the project's ingestion. The project is then active when an earlier index serves, else draft."""
    await ingestion.cancel(tx, outside.notices, project_id)
    return Success()


@router.get(
    "/progress",
    response_model=IngestionProgress | None,
    name="get_progress",
    summary="Read how an ingestion goes",
    responses=problems("PROJECT_NOT_FOUND"),
)
async def progress(project_id: ProjectId, reader: CurrentReader) -> Response:
    """The project's newest ingestion, under way or ended; null when it was never ingested."""
    return JsonBytes(await ingestion.progress(reader, project_id))


@router.get(
    "/ingestions",
    response_model=IngestionPage,
    name="list_ingestions",
    summary="List a project's ingestions",
    responses=problems("PROJECT_NOT_FOUND"),
)
async def history(
    *, project_id: ProjectId, reader: CurrentReader, page: PageNumber = 1, page_size: PageSize = 20
) -> Response:
    """What each ingestion read, skipped, could not read, and which secrets it found where. Newest first."""
    return JsonBytes(await ingestion.history(reader, project_id, page=page, page_size=page_size))
