"""Keeping, listing and deleting an organization's keys: for its owners and admins."""

from uuid import uuid4

from kijko.core.envelope import Masters
from kijko.core.tenancy import OrganizationNotFound, OrgReader, OrgTx, Principal
from kijko.services.model_keys import queries, rules
from kijko.services.model_keys.errors import ModelKeyNotFound
from kijko.services.organizations import access


async def list_all(reader: OrgReader) -> bytes:
    """[ModelKey] as JSON, by provider.

    Raises:
        Forbidden: the caller is no owner or admin. OrganizationNotFound: they have no organization.
    """
    await access.require_manager(reader, "see its model keys")
    return await queries.list_all(reader)


async def put(tx: OrgTx, masters: Masters, principal: Principal, provider: str, key: str) -> bytes:
    """Keeps a key, in the place of an earlier one; answers the ModelKey as JSON. The next run uses it.

    Raises:
        UnknownModelProvider. Forbidden, OrganizationNotFound: as `list_all`, and see access.require_meant.
        Invalid: it has not the form of a key.
    """
    whose = rules.provider_of(provider)
    await access.require_meant(tx, principal)
    await access.require_manager(tx, "set its model keys")
    text = rules.checked(whose, key)
    organization_id = await queries.active(tx)
    if organization_id is None:
        raise OrganizationNotFound
    sealed = masters.seal(text.encode(), rules.bound(organization_id, whose))
    await queries.put(tx, whose, uuid4(), sealed, rules.hint(text))
    return await queries.get(tx, whose) or b"null"


async def delete(tx: OrgTx, principal: Principal, provider: str) -> None:
    """Forgets a key; the next run uses the server's own.

    Raises:
        UnknownModelProvider, ModelKeyNotFound. Forbidden, OrganizationNotFound: as `put`.
    """
    whose = rules.provider_of(provider)
    await access.require_meant(tx, principal)
    await access.require_manager(tx, "delete its model keys")
    if not await queries.delete(tx, whose):
        raise ModelKeyNotFound


async def providers_with_key(reader: OrgReader | OrgTx) -> frozenset[str]:
    """The providers at which the active organization has a key of its own: for every member, who may use it."""
    return frozenset(await queries.providers(reader))
