"""Reading, making, naming and leaving organizations."""

from kijko.core.tenancy import OrganizationNotFound, OrgReader, OrgTx, Principal
from kijko.services.organizations import access, members, queries


async def get(reader: OrgReader) -> bytes:
    """The active Organization as JSON. Raises OrganizationNotFound for who has none."""
    return _there(await queries.get(reader))


async def list_own(reader: OrgReader) -> bytes:
    """The caller's [Organization] as JSON."""
    return await queries.list_own(reader)


async def found(tx: OrgTx, name: str) -> bytes:
    """Makes an organization on the free plan, the caller its owner; answers the Organization as JSON.

    Raises:
        Raised (KJ409, a Conflict): they own ten on the free plan.
    """
    return _there(await queries.get(tx, await queries.found(tx, name)))


async def rename(tx: OrgTx, principal: Principal, name: str) -> bytes:
    """Names the active organization; answers the Organization as JSON.

    Raises:
        Forbidden: the caller is no owner or admin. OrganizationNotFound: see access.require_meant.
    """
    await access.require_meant(tx, principal)
    await access.require_manager(tx, "name it")
    await queries.rename(tx, name)
    return _there(await queries.get(tx))


async def leave(tx: OrgTx, principal: Principal) -> None:
    """Takes the caller out of the active organization and its projects.

    Whoever is in no organization then gets one of their own.

    Raises:
        LastOwner: they are its only owner. OrganizationNotFound: see access.require_meant.
    """
    await access.require_meant(tx, principal)
    members.check(await queries.remove(tx, principal.user_id))


def _there(found_one: bytes | None) -> bytes:
    if found_one is None:
        raise OrganizationNotFound
    return found_one
