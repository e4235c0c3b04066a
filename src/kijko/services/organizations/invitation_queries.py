"""The statements on an organization's open invitations."""

from dataclasses import dataclass
from uuid import UUID

from kijko.core.db import Json, Query, Scalar
from kijko.core.tenancy import OrgReader, OrgTx

_UTC = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
_WIRE = (
    'i.id, i.email, i.role, i.project_id as "projectId", i.invited_by as "invitedBy", '
    "to_char(i.created_at at time zone 'UTC', " + _UTC + ') as "createdAt", '
    "to_char(i.expires_at at time zone 'UTC', " + _UTC + ') as "expiresAt", '
    "(select s.status from mails s where s.organization_id = i.organization_id and s.invitation_id = i.id "
    'order by s.created_at desc limit 1) as "mailStatus"'
)
_LIST = Json(
    "select coalesce(json_agg(row_to_json(r)), '[]'::json) from (select "
    + _WIRE
    + """
      from invitations i
      where i.organization_id = (select kijko.current_org()) and i.accepted_at is null
      order by i.created_at, i.id
    ) r"""
)
_GET = Json(
    "select row_to_json(r) from (select "
    + _WIRE
    + " from invitations i where i.organization_id = (select kijko.current_org()) and i.id = $1::uuid) r"
)


async def list_open(reader: OrgReader) -> bytes:
    """The active organization's [OrganizationInvitation] as the wire's JSON, those into its projects too."""
    return await reader.json(_LIST) or b"[]"


async def get(tx: OrgTx, invitation_id: UUID) -> bytes | None:
    """The OrganizationInvitation as the wire's JSON."""
    return await tx.json(_GET, invitation_id)


@dataclass(frozen=True, slots=True)
class Invited:
    """invited (with the id), exists, or limited (with the seconds to wait)."""

    outcome: str
    invitation_id: UUID | None
    wait: int | None


_INVITE = Query(
    Invited,
    "select outcome, invitation_id, wait from kijko.invite_to_organization($1::text, $2::text, $3::text)",
    writes=True,
)
_WITHDRAW = Scalar(bool, "select kijko.withdraw_invitation($1::uuid)", writes=True)


async def invite(tx: OrgTx, email: str, role: str, locale: str) -> Invited:
    """Invites an address into the active organization."""
    return await tx.one(_INVITE, email, role, locale)


async def withdraw(tx: OrgTx, invitation_id: UUID) -> bool:
    """Takes an open invitation back; whether there was one."""
    return await tx.one(_WITHDRAW, invitation_id)
