"""Deletions over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from kijko.models.privacy import DeletionStatus
from kijko.routers.answers import JsonBytes
from kijko.routers.deps import Outside
from kijko.routers.ids import DeletionId
from kijko.routers.problems import problems
from kijko.services import privacy

router = APIRouter(tags=["privacy"])


@router.get(
    "/gdpr/account/{deletionId}",
    response_model=DeletionStatus,
    name="get_deletion",
    summary="How far a deletion is",
    responses=problems("DELETION_NOT_FOUND"),
)
async def status(
    deletion_id: DeletionId,
    outside: Outside,
    status_token: Annotated[
        str, Query(alias="statusToken", min_length=1, max_length=200, description="What the deletion's answer gave.")
    ],
) -> Response:
    """The steps of a deletion, of an organization too, and its receipt when it is done. The token is the credential."""
    return JsonBytes(await privacy.status(outside.database, deletion_id, status_token))
