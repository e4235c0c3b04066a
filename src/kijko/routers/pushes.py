"""A repository's webhook over HTTP: what to enter at the git provider, and where that calls."""

from fastapi import APIRouter, Request, status

from kijko.middleware.headers import add_header
from kijko.models.pushes import PushTaken, RepositoryWebhook
from kijko.routers.deps import CurrentReader, Outside
from kijko.routers.ids import ProjectId, RepositoryId
from kijko.routers.problems import problems
from kijko.services import pushes
from kijko.services.pushes.errors import UnreadableDelivery
from kijko.settings import Settings

router = APIRouter(tags=["repositories"])
receiving = APIRouter(tags=["webhooks"])


@router.get(
    "/projects/{projectId}/repositories/{repositoryId}/webhook",
    response_model=RepositoryWebhook,
    summary="Read a repository's webhook",
    responses=problems("PROJECT_NOT_FOUND", "REPOSITORY_NOT_FOUND"),
)
async def webhook(
    project_id: ProjectId, repository_id: RepositoryId, request: Request, reader: CurrentReader, outside: Outside
) -> RepositoryWebhook:
    """What to enter at GitHub (as JSON) or GitLab, for pushes.

    A push to the repository's branch then starts the next ingestion, while the project's setting
    `processingOptions.realTimeIncremental` is on.
    """
    add_header(request.scope, "Cache-Control", "no-store")
    secret = await pushes.secret(reader, outside.box, project_id, repository_id)
    settings: Settings = request.app.state.settings
    return RepositoryWebhook(url=f"{settings.public_url}/webhooks/repository/{repository_id}", secret=secret)


@receiving.post(
    "/webhooks/repository/{repositoryId}",
    status_code=status.HTTP_202_ACCEPTED,
    response_model=PushTaken,
    summary="Tell of a push",
    responses=problems("REPOSITORY_NOT_FOUND", "INVALID_SIGNATURE", UnreadableDelivery, "PAYLOAD_TOO_LARGE"),
)
async def receive(repository_id: RepositoryId, request: Request, outside: Outside) -> PushTaken:
    """Called by GitHub (`X-Hub-Signature-256`) or GitLab (`X-Gitlab-Token`) with at most 1 MiB.

    A delivery that comes twice starts nothing twice.
    """
    delivery = pushes.Delivery(request.headers, await request.body())
    return PushTaken(started=await pushes.receive(outside.database, outside.box, outside.jobs, repository_id, delivery))
