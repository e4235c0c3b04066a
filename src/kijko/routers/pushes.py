"""A repository's webhook over HTTP: what to enter at the git provider, and where that calls."""

from typing import Final

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

_PUSH: Final = {
    "type": "object",
    "required": ["ref", "after"],
    "properties": {
        "ref": {"type": "string", "description": "The branch that was pushed to: `refs/heads/…`."},
        "after": {"type": "string", "description": "The commit it is at now; zeros where it was deleted."},
    },
}
_BODY: Final = {
    "required": True,
    "content": {
        "application/json": {
            "schema": _PUSH,
            "example": {"ref": "refs/heads/main", "after": "3bf7f555610dfc720166d67ec1b03a771d3782fd"},
        },
        "application/x-www-form-urlencoded": {
            "schema": {"type": "object", "properties": {"payload": {"type": "string"}}},
            "example": {"payload": '{"ref": "refs/heads/main", "after": "3bf7f555610dfc720166d67ec1b03a771d3782fd"}'},
        },
    },
}
_HEADERS: Final = [
    {"name": name, "in": "header", "required": False, "description": meaning, "schema": {"type": "string"}}
    for name, meaning in (
        ("X-Hub-Signature-256", "GitHub's `sha256=` and the HMAC-SHA256 of the body with the secret, in hexadecimal."),
        ("X-GitHub-Event", "GitHub's event; anything but `push` is taken and starts nothing."),
        ("X-GitHub-Delivery", "GitHub's id of the delivery."),
        ("X-Gitlab-Token", "GitLab's: the secret itself."),
        ("X-Gitlab-Event", "GitLab's event; anything but `Push Hook` is taken and starts nothing."),
        ("X-Gitlab-Event-UUID", "GitLab's id of the delivery."),
    )
]


@router.get(
    "/projects/{projectId}/repositories/{repositoryId}/webhook",
    response_model=RepositoryWebhook,
    name="get_webhook",
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
    name="receive_push",
    summary="Tell of a push",
    responses=problems("REPOSITORY_NOT_FOUND", "INVALID_SIGNATURE", UnreadableDelivery, "PAYLOAD_TOO_LARGE"),
    openapi_extra={"requestBody": _BODY, "parameters": _HEADERS},
)
async def receive(repository_id: RepositoryId, request: Request, outside: Outside) -> PushTaken:
    """Called by GitHub (`X-Hub-Signature-256`) or GitLab (`X-Gitlab-Token`) with at most 1 MiB.

    A delivery that comes twice starts nothing twice. `started` is false for another branch, while the project's
    setting `processingOptions.realTimeIncremental` is off (as it is at first), and where the plan has none left;
    `reason` and `message` say which it was.
    """
    delivery = pushes.Delivery(request.headers, await request.body())
    return await pushes.receive(outside.database, outside.box, outside.jobs, repository_id, delivery)
