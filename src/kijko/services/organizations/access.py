"""Who manages an organization, and which one is meant. The rules are SQL's: `kijko.check_manager`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from kijko.core.db.errors import Raised
from kijko.core.errors import Forbidden
from kijko.core.tenancy import OrganizationNotFound, OrgReader, OrgTx, Principal
from kijko.services.organizations import queries

_INSUFFICIENT_PRIVILEGE: Final = "42501"
_MANAGERS: Final = frozenset({"owner", "admin"})


async def require_manager(door: OrgReader | OrgTx, doing: str) -> None:
    """Nothing, for an owner or admin of the active organization.

    Raises:
        Forbidden: the caller is none; `doing` is what they wanted. OrganizationNotFound: they have no organization.
    """
    role = await queries.role(door)
    if role is None:
        raise OrganizationNotFound
    if role not in _MANAGERS:
        raise Forbidden(f"Only owners and admins of the organization may {doing}. Ask one of them.")


@contextmanager
def owners_only(doing: str) -> Iterator[None]:
    """Turns the database's own refusal of an owner's or admin's request inside into a sentence."""
    try:
        yield
    except Raised as error:
        if error.sqlstate == _INSUFFICIENT_PRIVILEGE:
            raise Forbidden(f"Only an owner of the organization may {doing}. Ask one of them.") from None
        raise


async def require_meant(tx: OrgTx, principal: Principal) -> None:
    """Nothing, where the active organization is the one that the request was for.

    A token's organization falls back to another of the person's when they are not in it any more. What takes them out
    of one must not do so: sent twice, it would take them out of two. Nor must what names one, or asks people into it.

    Raises:
        OrganizationNotFound: it is another one.
    """
    if principal.organization_id is not None and principal.organization_id != await queries.active(tx):
        raise OrganizationNotFound(
            "You are not in the organization that your sign-in names. Say which one you mean with X-Organization-Id."
        )
