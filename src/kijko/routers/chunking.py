"""A project's chunking webhook over HTTP: what its server needs to check a signature."""

from fastapi import APIRouter, Request

from kijko.middleware.headers import add_header
from kijko.models.chunking import ChunkingWebhook
from kijko.routers.deps import CurrentReader, Outside
from kijko.routers.ids import ProjectId
from kijko.routers.problems import problems
from kijko.services import chunking

router = APIRouter(tags=["projects"])


@router.get(
    "/projects/{projectId}/chunking-webhook",
    response_model=ChunkingWebhook,
    name="get_chunking_webhook",
    summary="Read the chunking webhook's secret",
    responses=problems("PROJECT_NOT_FOUND"),
)
async def webhook(project_id: ProjectId, request: Request, reader: CurrentReader, outside: Outside) -> ChunkingWebhook:
    """For the server behind `settings.webhookUrl`, which cuts files where the chunking strategy is `custom`.

    Each request to it is signed as Standard Webhooks say, with this secret. It takes a role that may change settings.
    """
    add_header(request.scope, "Cache-Control", "no-store")
    found = await chunking.secret(reader, outside.box, project_id)
    return ChunkingWebhook(url=found.url, secret=found.secret)
