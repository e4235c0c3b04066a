"""Organizations and their members over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response, status

from kijko.models.base import Success
from kijko.models.organizations import (
    DeleteOrganizationRequest,
    DeletionBegun,
    Organization,
    OrganizationInvitation,
    OrganizationInvitationRequest,
    OrganizationMember,
    OrganizationRequest,
    UpdateOrganizationMemberRequest,
)
from kijko.routers.answers import JsonBytes
from kijko.routers.deps import CurrentReader, CurrentTx
from kijko.routers.ids import ColleagueId, InvitationId
from kijko.routers.limits import person_limit
from kijko.routers.people_desk import CurrentLanguage, InvitationLimit
from kijko.routers.principal import CurrentPrincipal
from kijko.routers.problems import problems
from kijko.services import organizations
from kijko.services.organizations import errors, invitations, members
from kijko.settings import Auth

router = APIRouter(tags=["organizations"])

_MEMBER = "/organization/members/{userId}"
_THERE = problems("ORGANIZATION_NOT_FOUND")
_CHANGE = problems("ORGANIZATION_NOT_FOUND", errors.MemberNotFound, "LAST_OWNER")


def _foundings(auth: Auth) -> int:
    return auth.attempts_per_minute


_FoundingLimit = Annotated[None, Depends(person_limit("organizations", _foundings, metric="organizations"))]


@router.get("/organization", response_model=Organization, summary="Read the active organization", responses=_THERE)
async def get(reader: CurrentReader) -> Response:
    """The active organization, with its plan and your role in it. X-Organization-Id picks another of yours."""
    return JsonBytes(await organizations.get(reader))


@router.patch("/organization", response_model=Organization, summary="Name the organization", responses=_THERE)
async def rename(body: OrganizationRequest, principal: CurrentPrincipal, tx: CurrentTx) -> Response:
    """Gives the active organization another name. For owners and admins."""
    return JsonBytes(await organizations.rename(tx, principal, body.name))


@router.delete(
    "/organization",
    status_code=status.HTTP_202_ACCEPTED,
    summary="Delete the organization",
    responses=problems("ORGANIZATION_NOT_FOUND", "ACTIVE_SUBSCRIPTION"),
)
async def delete(body: DeleteOrganizationRequest, principal: CurrentPrincipal, tx: CurrentTx) -> DeletionBegun:
    """Closes the organization to everybody at once and deletes all it has, files too. For owners.

    `confirm` is its name. The answer has what to look at the deletion with. Whoever was in no other organization gets
    one of their own.
    """
    return DeletionBegun.model_validate(await organizations.delete(tx, principal, body.confirm))


@router.post(
    "/organization/leave",
    summary="Leave the organization",
    responses=problems("ORGANIZATION_NOT_FOUND", "LAST_OWNER"),
)
async def leave(principal: CurrentPrincipal, tx: CurrentTx) -> Success:
    """Takes you out of the active organization and its projects. Who is in no other one gets one of their own."""
    await organizations.leave(tx, principal)
    return Success()


@router.get(
    "/organization/members",
    response_model=list[OrganizationMember],
    summary="List the organization's members",
    responses=problems(),
)
async def list_members(reader: CurrentReader) -> Response:
    """The active organization's members, first joined first."""
    return JsonBytes(await members.list_all(reader))


@router.patch(_MEMBER, response_model=OrganizationMember, summary="Change a colleague's role", responses=_CHANGE)
async def change_member(user_id: ColleagueId, body: UpdateOrganizationMemberRequest, tx: CurrentTx) -> Response:
    """Gives a member another role. For owners and admins; an owner is named, and changed, by owners alone."""
    return JsonBytes(await members.change(tx, user_id, body.role))


@router.delete(_MEMBER, response_model=Success, summary="Remove a colleague", responses=_CHANGE)
async def remove_member(user_id: ColleagueId, principal: CurrentPrincipal, tx: CurrentTx) -> Success:
    """Takes a member out of the organization and its projects; their next request here is refused.

    For owners and admins; an owner is removed by owners alone.
    """
    await members.remove(tx, principal, user_id)
    return Success()


@router.post(
    "/organization/invitations",
    status_code=status.HTTP_201_CREATED,
    response_model=OrganizationInvitation,
    summary="Invite somebody into the organization",
    responses=problems("ORGANIZATION_NOT_FOUND", errors.MemberExists, "SEAT_LIMIT", "RATE_LIMITED", "UNAVAILABLE"),
)
async def invite(
    body: OrganizationInvitationRequest,
    _: InvitationLimit,
    language: CurrentLanguage,
    principal: CurrentPrincipal,
    tx: CurrentTx,
) -> Response:
    """Mails an invitation, valid for 7 days; it holds a seat until then. For owners and admins."""
    made = await invitations.invite(tx, principal, body.email, body.role, language)
    return JsonBytes(made, status_code=status.HTTP_201_CREATED)


@router.get(
    "/organization/invitations",
    response_model=list[OrganizationInvitation],
    summary="List the organization's open invitations",
    responses=_THERE,
)
async def list_invitations(reader: CurrentReader) -> Response:
    """Whoever is invited and has not accepted, those into projects too. For owners and admins."""
    return JsonBytes(await invitations.list_open(reader))


@router.delete(
    "/organization/invitations/{invitationId}",
    response_model=Success,
    name="withdraw_invitation",
    summary="Take an organization's invitation back",
    responses=problems("ORGANIZATION_NOT_FOUND", errors.OpenInvitationNotFound),
)
async def withdraw(invitation_id: InvitationId, tx: CurrentTx) -> Success:
    """Its link leads nowhere any more, and its seat is free. For owners and admins."""
    await invitations.withdraw(tx, invitation_id)
    return Success()


@router.get(
    "/organizations",
    response_model=list[Organization],
    name="list",
    summary="List your organizations",
    responses=problems(),
)
async def list_own(reader: CurrentReader) -> Response:
    """Every organization that you are a member of, first joined first."""
    return JsonBytes(await organizations.list_own(reader))


@router.post(
    "/organizations",
    status_code=status.HTTP_201_CREATED,
    response_model=Organization,
    name="create",
    summary="Make an organization",
    responses=problems("CONFLICT", "RATE_LIMITED", "UNAVAILABLE"),
)
async def found(body: OrganizationRequest, _: _FoundingLimit, tx: CurrentTx) -> Response:
    """Makes an organization on the free plan; you are its owner. Name it with X-Organization-Id to work in it."""
    return JsonBytes(await organizations.found(tx, body.name), status_code=status.HTTP_201_CREATED)
