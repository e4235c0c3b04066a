"""Members of projects, and invitations into them, over HTTP."""

from fastapi import APIRouter, Response, status

from kijko.models.base import Success
from kijko.models.members import (
    AddMemberRequest,
    BulkInvitationRequest,
    BulkInvitationResponse,
    InvitationResult,
    UpdateMemberRequest,
)
from kijko.models.projects import ProjectMember
from kijko.routers.answers import JsonBytes
from kijko.routers.deps import CurrentReader, CurrentTx
from kijko.routers.ids import MemberId, ProjectId
from kijko.routers.people_desk import CurrentLanguage, InvitationLimit
from kijko.routers.problems import problems
from kijko.services.projects import errors, invitations, members

router = APIRouter(tags=["projects"])

_MEMBERS = "/projects/{projectId}/members"
_MEMBER = _MEMBERS + "/{memberId}"
_INVITATIONS = "/projects/{projectId}/invitations"
_INVITATION = _INVITATIONS + "/{memberId}"
_CHANGE = problems("PROJECT_NOT_FOUND", errors.MemberNotFound, "LAST_ADMIN")
_OPEN = ("PROJECT_NOT_FOUND", errors.MemberNotFound, "ALREADY_ACCEPTED")


@router.post(
    _MEMBERS,
    status_code=status.HTTP_201_CREATED,
    response_model=ProjectMember,
    summary="Add or invite somebody",
    responses=problems("PROJECT_NOT_FOUND", errors.MemberExists, "SEAT_LIMIT", "RATE_LIMITED", "UNAVAILABLE"),
)
async def add_member(
    project_id: ProjectId, body: AddMemberRequest, _: InvitationLimit, language: CurrentLanguage, tx: CurrentTx
) -> Response:
    """A member of the organization joins at once. Another address is invited by mail, for 7 days, and holds a seat."""
    made = await invitations.add(tx, project_id, body, language)
    return JsonBytes(made, status_code=status.HTTP_201_CREATED)


@router.get(
    _MEMBERS,
    response_model=list[ProjectMember],
    summary="List a project's members",
    responses=problems("PROJECT_NOT_FOUND"),
)
async def list_members(project_id: ProjectId, reader: CurrentReader) -> Response:
    """Its members and whoever is invited, first invited first."""
    return JsonBytes(await members.list_all(reader, project_id))


@router.put(_MEMBER, response_model=ProjectMember, summary="Change a member", responses=_CHANGE)
async def put_member(project_id: ProjectId, member_id: MemberId, body: UpdateMemberRequest, tx: CurrentTx) -> Response:
    """Changes the fields that are present. Everybody may change their own notices; an admin is an admin's to change."""
    return JsonBytes(await members.change(tx, project_id, member_id, body))


@router.patch(_MEMBER, response_model=ProjectMember, summary="Change a member (PATCH)", responses=_CHANGE)
async def patch_member(
    project_id: ProjectId, member_id: MemberId, body: UpdateMemberRequest, tx: CurrentTx
) -> Response:
    """The same as PUT: changes the fields that are present."""
    return JsonBytes(await members.change(tx, project_id, member_id, body))


@router.delete(_MEMBER, response_model=Success, summary="Remove a member, or leave", responses=_CHANGE)
async def remove_member(project_id: ProjectId, member_id: MemberId, tx: CurrentTx) -> Success:
    """Takes somebody out of a project; everybody may take themselves out. They stay in the organization."""
    await members.remove(tx, project_id, member_id)
    return Success()


@router.post(
    _INVITATIONS,
    response_model=BulkInvitationResponse,
    summary="Invite several people",
    responses=problems("PROJECT_NOT_FOUND", "RATE_LIMITED", "UNAVAILABLE"),
)
async def invite_many(
    project_id: ProjectId, body: BulkInvitationRequest, _: InvitationLimit, language: CurrentLanguage, tx: CurrentTx
) -> BulkInvitationResponse:
    """Adds or invites up to 100 addresses. Each succeeds or fails on its own; `error` says why one failed."""
    return await invitations.invite_many(tx, project_id, body, language)


@router.get(
    _INVITATIONS + "/pending",
    response_model=list[ProjectMember],
    summary="List open invitations",
    responses=problems("PROJECT_NOT_FOUND"),
)
async def list_open_invitations(project_id: ProjectId, reader: CurrentReader) -> Response:
    """Whoever is invited and has not accepted, also after the 7 days: send it again, or take it back."""
    return JsonBytes(await members.list_all(reader, project_id, only_open=True))


@router.post(
    _INVITATION + "/resend",
    response_model=InvitationResult,
    summary="Send an invitation again",
    responses=problems(*_OPEN, "SEAT_LIMIT", "RATE_LIMITED", "UNAVAILABLE"),
)
async def resend_invitation(
    project_id: ProjectId, member_id: MemberId, _: InvitationLimit, language: CurrentLanguage, tx: CurrentTx
) -> InvitationResult:
    """Mails a new link, valid for 7 days from now; the links of earlier mails lead nowhere any more."""
    return await invitations.resend(tx, project_id, member_id, language)


@router.delete(_INVITATION, response_model=Success, summary="Take an invitation back", responses=problems(*_OPEN))
async def withdraw_invitation(project_id: ProjectId, member_id: MemberId, tx: CurrentTx) -> Success:
    """Its link leads nowhere any more, and its seat is free, unless the address has another open invitation."""
    await invitations.withdraw(tx, project_id, member_id)
    return Success()
