"""Every statement on organizations, their members and their invitations. What changes members are functions."""

from uuid import UUID

from kijko.core.db import Json, Scalar, Statement
from kijko.core.tenancy import OrgReader, OrgTx

_UTC = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
_WIRE = (
    'o.id, o.name, o.plan, o.role, o.members as "memberCount", '
    "to_char(o.created_at at time zone 'UTC', " + _UTC + ') as "createdAt", '
    "to_char(o.updated_at at time zone 'UTC', " + _UTC + ') as "updatedAt"'
)
_GET = Json(
    "select row_to_json(r) from (select "
    + _WIRE
    + " from kijko.my_organizations() o where o.id = coalesce($1::uuid, kijko.current_org())) r"
)
_LIST = Json(
    "select coalesce(json_agg(row_to_json(r)), '[]'::json) from (select "
    + _WIRE
    + " from kijko.my_organizations() o) r"
)


async def get(door: OrgReader | OrgTx, organization_id: UUID | None = None) -> bytes | None:
    """The Organization as the wire's JSON: the active one, or another of the caller's."""
    return await door.json(_GET, organization_id)


async def list_own(reader: OrgReader) -> bytes:
    """The caller's [Organization] as the wire's JSON, first joined first."""
    return await reader.json(_LIST) or b"[]"


_ROLE = Scalar(str, "select kijko.current_role()")
_ACTIVE = Scalar(UUID, "select kijko.current_org()")
_SWITCH = Json("select set_config('app.current_org_id', coalesce($1::uuid::text, ''), true)")
_RENAME = Statement(
    "update organizations set name = $1::text, updated_at = now() where id = (select kijko.current_org())"
)
_FOUND = Scalar(UUID, "select kijko.found_organization($1::text)", writes=True)


async def role(door: OrgReader | OrgTx) -> str | None:
    """The caller's role in the active organization."""
    return await door.first(_ROLE)


async def switch(tx: OrgTx, organization_id: UUID | None) -> None:
    """Makes another organization the active one until the transaction ends; the wall asks who is a member of it."""
    await tx.json(_SWITCH, organization_id)


async def active(tx: OrgTx) -> UUID | None:
    """The active organization."""
    return await tx.first(_ACTIVE)


async def rename(tx: OrgTx, name: str) -> bool:
    """Names the active organization; whether the caller may."""
    return await tx.run(_RENAME, name) == 1


async def found(tx: OrgTx, name: str) -> UUID:
    """Makes an organization, the caller its owner."""
    return await tx.one(_FOUND, name)


_MEMBER = (
    "m.user_id as \"userId\", u.email, nullif(btrim(u.first_name || ' ' || u.last_name), '') as name, m.role, "
    "to_char(m.joined_at at time zone 'UTC', " + _UTC + ') as "joinedAt"'
)
_MEMBERS = Json(
    "select coalesce(json_agg(row_to_json(r)), '[]'::json) from (select "
    + _MEMBER
    + """
      from memberships m
      join users u on u.id = m.user_id
      where m.organization_id = (select kijko.current_org())
      order by m.joined_at, m.user_id
    ) r"""
)
_ONE_MEMBER = Json(
    "select row_to_json(r) from (select "
    + _MEMBER
    + """
      from memberships m
      join users u on u.id = m.user_id
      where m.organization_id = (select kijko.current_org()) and m.user_id = $1::uuid
    ) r"""
)


async def members(reader: OrgReader) -> bytes:
    """The active organization's [OrganizationMember] as the wire's JSON, first joined first."""
    return await reader.json(_MEMBERS) or b"[]"


async def member(tx: OrgTx, user_id: UUID) -> bytes | None:
    """The OrganizationMember as the wire's JSON."""
    return await tx.json(_ONE_MEMBER, user_id)


_CHANGE = Scalar(str, "select kijko.change_member($1::uuid, $2::text)", writes=True)
_REMOVE = Scalar(str, "select kijko.remove_member($1::uuid)", writes=True)


async def change(tx: OrgTx, user_id: UUID, new_role: str) -> str:
    """done, missing or last_owner."""
    return await tx.one(_CHANGE, user_id, new_role)


async def remove(tx: OrgTx, user_id: UUID) -> str:
    """done, missing or last_owner."""
    return await tx.one(_REMOVE, user_id)
