"""Inviting people into a project. Whoever is of the organization joins at once; others get a mail, and hold a seat."""

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from kijko.core.db import Jsonb
from kijko.core.db.errors import Raised
from kijko.core.errors import AppError
from kijko.core.tenancy import OrgTx, translate
from kijko.models.enums import NotificationLevel, ProjectMemberRole
from kijko.models.members import (
    AddMemberRequest,
    BulkInvitationRequest,
    BulkInvitationResponse,
    InvitationResult,
    TeamMemberInvitation,
)
from kijko.services.identity import rules as identity_rules
from kijko.services.invitations.errors import TooManyMails
from kijko.services.projects import access, member_queries, members
from kijko.services.projects.errors import MemberExists

_STATUS: Final = {"joined": "sent", "invited": "pending"}


async def add(tx: OrgTx, project_id: UUID, body: AddMemberRequest, locale: str) -> bytes:
    """Adds a colleague, or invites an address; answers the ProjectMember as JSON.

    Raises:
        ProjectNotFound, Forbidden: see access. Invalid: it is no address.
        MemberExists: in the project already, or openly invited.
        TooManyMails: enough went to this address. Raised: KJ429 where the plan has no seat left.
    """
    email = identity_rules.email(body.email)
    await access.require(tx, project_id, _action(body.role))
    notify = {
        "ingestion": body.notify_on_ingestion,
        "error": body.notify_on_error,
        "team": body.notify_on_team_changes,
    }
    member_id, _ = await _invite(
        tx, project_id, email=email, role=body.role, notify=notify, message=body.invite_message, locale=locale
    )
    return await members.get(tx, project_id, member_id)


async def invite_many(tx: OrgTx, project_id: UUID, body: BulkInvitationRequest, locale: str) -> BulkInvitationResponse:
    """Adds or invites each address by itself: what is wrong with one changes nothing for the others.

    Raises:
        ProjectNotFound, Forbidden: see access; for the whole, where one of them is to be an admin.
    """
    roles = {each.role for each in body.invitations}
    await access.require(tx, project_id, _action(*roles))
    results = [await _one_of_many(tx, project_id, each, locale) for each in body.invitations]
    failed = sum(each.status == "failed" for each in results)
    return BulkInvitationResponse(
        success=failed == 0, results=results, total_sent=len(results) - failed, total_failed=failed
    )


async def resend(tx: OrgTx, project_id: UUID, member_id: UUID, locale: str) -> InvitationResult:
    """Makes an invitation valid anew, for seven days and with a new link, and mails it; the old link is void.

    Raises:
        ProjectNotFound, Forbidden: see access. MemberNotFound, AlreadyAccepted.
        TooManyMails: enough went to this address. Raised: KJ429 where its seat was given back and none is left.
    """
    await access.require(tx, project_id, "invite")
    with access.told("name_admin"):
        found = await member_queries.resend(tx, project_id, member_id, locale)
    members.check(found.outcome)
    if found.wait is not None:
        raise TooManyMails(found.wait)
    email = await member_queries.email_of(tx, project_id, member_id)
    return InvitationResult(email=email or "", status="pending", member_id=member_id)


async def withdraw(tx: OrgTx, project_id: UUID, member_id: UUID) -> None:
    """Takes an open invitation back; its link is void, and its seat is free.

    Raises:
        ProjectNotFound, Forbidden: see access. MemberNotFound, AlreadyAccepted.
    """
    await access.require(tx, project_id, "invite")
    with access.told("name_admin"):
        members.check(await member_queries.remove(tx, project_id, member_id, only_open=True))


def _action(*roles: ProjectMemberRole) -> access.Action:
    return "name_admin" if ProjectMemberRole.ADMIN in roles else "invite"


async def _one_of_many(tx: OrgTx, project_id: UUID, each: TeamMemberInvitation, locale: str) -> InvitationResult:
    try:
        email = identity_rules.email(each.email)
        async with tx.savepoint():
            member_id, outcome = await _invite(
                tx, project_id, email=email, role=each.role, notify={"level": each.notification_level}, locale=locale
            )
    except (AppError, Raised) as error:
        said = error if isinstance(error, AppError) else translate(error)
        if said is None:
            raise
        return InvitationResult(email=each.email, status="failed", error=said.detail)
    return InvitationResult(email=email, status=_STATUS[outcome], member_id=member_id)


async def _invite(
    tx: OrgTx,
    project_id: UUID,
    *,
    email: str,
    role: str,
    notify: Mapping[str, bool | NotificationLevel | None],
    locale: str,
    message: str | None = None,
) -> tuple[UUID, str]:
    with access.told("name_admin"):
        found = await member_queries.invite(
            tx, project_id, email=email, role=role, notify=Jsonb(dict(notify)), message=message, locale=locale
        )
    if found.wait is not None:
        raise TooManyMails(found.wait)
    if found.member_id is None:
        raise MemberExists(field="email")
    return found.member_id, found.outcome
