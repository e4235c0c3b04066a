"""Accepting an invitation over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from kijko.models.organizations import OrganizationMember
from kijko.models.projects import ProjectMember
from kijko.routers.answers import JsonBytes
from kijko.routers.deps import CurrentTx
from kijko.routers.people_desk import InvitationLimit
from kijko.routers.principal import CurrentPrincipal
from kijko.routers.problems import problems
from kijko.services.invitations.errors import InvitationNotFound
from kijko.services.organizations import joining

router = APIRouter(tags=["organizations"])


@router.post(
    "/invitations/{token}/accept",
    response_model=ProjectMember | OrganizationMember,
    name="accept_invitation",
    summary="Accept an invitation",
    responses=problems(
        InvitationNotFound, "INVITATION_EXPIRED", "WRONG_RECIPIENT", "SEAT_LIMIT", "RATE_LIMITED", "UNAVAILABLE"
    ),
)
async def accept(
    token: Annotated[str, Path(description="The last part of the mail's link.")],
    _: InvitationLimit,
    principal: CurrentPrincipal,
    tx: CurrentTx,
) -> Response:
    """Takes you into the organization, and the project, that you were invited to; again, it changes nothing.

    The invitation is for one address: sign in with the account of that address. Who has none signs up with
    `invitation_token`.
    """
    return JsonBytes(await joining.accept(tx, principal, token))
