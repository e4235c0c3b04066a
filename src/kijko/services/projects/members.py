"""Who is in a project: listing, changing, removing. Inviting is in `invitations`."""

from typing import Final
from uuid import UUID

from kijko.core.db import Jsonb
from kijko.core.errors import AppError
from kijko.core.tenancy import OrgReader, OrgTx
from kijko.models.members import UpdateMemberRequest
from kijko.services.projects import access, member_queries, queries
from kijko.services.projects.errors import AlreadyAccepted, LastAdmin, MemberNotFound, ProjectNotFound

_ERRORS: Final[dict[str, type[AppError]]] = {
    "missing": MemberNotFound,
    "last_admin": LastAdmin,
    "accepted": AlreadyAccepted,
}


async def list_all(reader: OrgReader, project_id: UUID, *, only_open: bool = False) -> bytes:
    """A project's [ProjectMember] as JSON, first invited first; `only_open`: those who have not accepted yet.

    Raises:
        ProjectNotFound: the caller may not read it, or there is none.
    """
    project, found = await reader.gather(queries.GET.bind(project_id), member_queries.LIST.bind(project_id, only_open))
    if project is None:
        raise ProjectNotFound
    return found or b"[]"


async def get(tx: OrgTx, project_id: UUID, member_id: UUID) -> bytes:
    """The ProjectMember as JSON. Raises MemberNotFound."""
    found = await member_queries.get(tx, project_id, member_id)
    if found is None:
        raise MemberNotFound
    return found


async def change(tx: OrgTx, project_id: UUID, member_id: UUID, body: UpdateMemberRequest) -> bytes:
    """Changes the fields that are present; answers the ProjectMember as JSON. One's own notices are one's own.

    Raises:
        ProjectNotFound, Forbidden: see access. MemberNotFound: there is no such member.
        LastAdmin: the project's only admin was to have another role.
    """
    await access.require(tx, project_id, "read")
    changes = body.model_dump(mode="json", exclude_unset=True)
    with access.told("invite"):
        check(await member_queries.change(tx, project_id, member_id, Jsonb(changes)))
    return await get(tx, project_id, member_id)


async def remove(tx: OrgTx, project_id: UUID, member_id: UUID) -> None:
    """Takes a member, or an invited one, out of a project. Everybody may take themselves out.

    Raises:
        ProjectNotFound, Forbidden: see access. MemberNotFound: there is no such member.
        LastAdmin: it is the project's only admin.
    """
    await access.require(tx, project_id, "read")
    with access.told("invite"):
        check(await member_queries.remove(tx, project_id, member_id, only_open=False))


def check(outcome: str) -> None:
    """Raises what an outcome of the database's functions means, where it is an error."""
    if outcome in _ERRORS:
        raise _ERRORS[outcome]
