"""Every statement on a project's members and invitations. What changes them are functions, each under its locks."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from kijko.core.db import Json, Jsonb, Query, Scalar
from kijko.core.tenancy import OrgReader, OrgTx

_UTC = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
WIRE: Final = (
    'm.id, m.project_id as "projectId", m.user_id as "userId", m.email, '
    "nullif(btrim(u.first_name || ' ' || u.last_name), '') as name, "
    'null as "avatarUrl", m.role, m.notify_on_ingestion as "notifyOnIngestion", m.notify_on_error as "notifyOnError", '
    'm.notify_on_team_changes as "notifyOnTeamChanges", m.notification_level as "notificationLevel", '
    "to_char(m.invited_at at time zone 'UTC', " + _UTC + ') as "invitedAt", '
    "to_char(m.accepted_at at time zone 'UTC', " + _UTC + ') as "acceptedAt", '
    "to_char(m.last_active_at at time zone 'UTC', " + _UTC + ') as "lastActiveAt"'
)
"""A ProjectMember, of project_members m and users u."""

LIST: Final = Json(
    "select coalesce(json_agg(row_to_json(r)), '[]'::json) from (select "
    + WIRE
    + """
      from project_members m
      left join users u on u.id = m.user_id
      where m.project_id = $1::uuid and (not $2::boolean or m.accepted_at is null)
      order by m.invited_at, m.id
    ) r"""
)
"""A project's members, or only those who have not accepted."""

GET: Final = Json(
    "select row_to_json(r) from (select "
    + WIRE
    + """
      from project_members m
      left join users u on u.id = m.user_id
      where m.project_id = $1::uuid and m.id = $2::uuid
    ) r"""
)


async def get(door: OrgReader | OrgTx, project_id: UUID, member_id: UUID) -> bytes | None:
    """The ProjectMember as the wire's JSON."""
    return await door.json(GET, project_id, member_id)


@dataclass(frozen=True, slots=True)
class Invited:
    """joined, invited, exists or limited; the member's id for the first two, seconds to wait for the last."""

    outcome: str
    member_id: UUID | None
    wait: int | None


_INVITE = Query(
    Invited,
    """
    select outcome, member_id, wait
    from kijko.invite_to_project($1::uuid, $2::text, $3::text, $4::jsonb, $5::text, $6::text)
    """,
    writes=True,
)


async def invite(
    tx: OrgTx, project_id: UUID, *, email: str, role: str, notify: Jsonb, message: str | None, locale: str
) -> Invited:
    """Takes an address into a project; `notify` has ingestion, error, team and level, each with a default."""
    return await tx.one(_INVITE, project_id, email, role, notify, message, locale)


@dataclass(frozen=True, slots=True)
class Resent:
    """invited, missing, accepted or limited, then with the seconds to wait."""

    outcome: str
    wait: int | None


_RESEND = Query(Resent, "select outcome, wait from kijko.resend_invitation($1::uuid, $2::uuid, $3::text)", writes=True)
_EMAIL = Scalar(str, "select m.email from project_members m where m.project_id = $1::uuid and m.id = $2::uuid")


async def resend(tx: OrgTx, project_id: UUID, member_id: UUID, locale: str) -> Resent:
    """Makes an invitation valid anew and mails it."""
    return await tx.one(_RESEND, project_id, member_id, locale)


async def email_of(tx: OrgTx, project_id: UUID, member_id: UUID) -> str | None:
    """A member's address."""
    return await tx.first(_EMAIL, project_id, member_id)


_CHANGE = Scalar(str, "select kijko.change_project_member($1::uuid, $2::uuid, $3::jsonb)", writes=True)
_REMOVE = Scalar(str, "select kijko.remove_project_member($1::uuid, $2::uuid, $3::boolean)", writes=True)


async def change(tx: OrgTx, project_id: UUID, member_id: UUID, changes: Jsonb) -> str:
    """done, missing or last_admin."""
    return await tx.one(_CHANGE, project_id, member_id, changes)


async def remove(tx: OrgTx, project_id: UUID, member_id: UUID, *, only_open: bool) -> str:
    """done, missing, last_admin; with `only_open` accepted as well."""
    return await tx.one(_REMOVE, project_id, member_id, only_open)
