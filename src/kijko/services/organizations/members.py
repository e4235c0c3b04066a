"""Members of an organization: listing, changing, removing."""

from typing import Final
from uuid import UUID

from kijko.core.errors import AppError
from kijko.core.tenancy import OrgReader, OrgTx, Principal
from kijko.models.enums import OrganizationRole
from kijko.services.organizations import access, queries
from kijko.services.organizations.errors import LastOwner, MemberNotFound

_ERRORS: Final[dict[str, type[AppError]]] = {"missing": MemberNotFound, "last_owner": LastOwner}


async def list_all(reader: OrgReader) -> bytes:
    """The active organization's [OrganizationMember] as JSON, first joined first."""
    return await queries.members(reader)


async def get(tx: OrgTx, user_id: UUID) -> bytes:
    """The OrganizationMember as JSON. Raises MemberNotFound."""
    found = await queries.member(tx, user_id)
    if found is None:
        raise MemberNotFound
    return found


async def change(tx: OrgTx, user_id: UUID, role: OrganizationRole) -> bytes:
    """Gives a member another role; answers the OrganizationMember as JSON.

    Raises:
        Forbidden: the caller is no owner or admin; or an admin, where an owner is named or touched.
        MemberNotFound: there is no such member. LastOwner: the only owner was to be something else.
    """
    await access.require_manager(tx, "change members")
    with access.owners_only("name an owner, or change one"):
        check(await queries.change(tx, user_id, role))
    return await get(tx, user_id)


async def remove(tx: OrgTx, principal: Principal, user_id: UUID) -> None:
    """Takes a member out of the active organization and of its projects; their next request is refused.

    Raises:
        Forbidden, MemberNotFound, LastOwner: see change. OrganizationNotFound: see access.require_meant.
    """
    if user_id == principal.user_id:
        await access.require_meant(tx, principal)
    else:
        await access.require_manager(tx, "remove members")
    with access.owners_only("remove an owner"):
        check(await queries.remove(tx, user_id))


def check(outcome: str) -> None:
    """Raises what an outcome of the database's functions means, where it is an error."""
    if outcome in _ERRORS:
        raise _ERRORS[outcome]
