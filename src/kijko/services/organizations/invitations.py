"""Inviting people into an organization, by its owners and admins."""

from uuid import UUID

from kijko.core.tenancy import OrgReader, OrgTx, Principal
from kijko.models.enums import OrganizationRole
from kijko.services.identity import rules as identity_rules
from kijko.services.invitations.errors import TooManyMails
from kijko.services.organizations import access, invitation_queries
from kijko.services.organizations.errors import MemberExists, OpenInvitationNotFound


async def invite(tx: OrgTx, principal: Principal, email: str, role: OrganizationRole, locale: str) -> bytes:
    """Invites an address, by a mail that is valid for seven days; answers the OrganizationInvitation as JSON.

    Raises:
        Forbidden: the caller is no owner or admin; or an admin, where an owner is invited. Invalid: it is no address.
        MemberExists: a member, or openly invited. TooManyMails: enough went to this address.
        OrganizationNotFound: see access.require_meant. Raised: KJ429 where the plan has no seat left.
    """
    await access.require_meant(tx, principal)
    address = identity_rules.email(email)
    await access.require_manager(tx, "invite people")
    with access.owners_only("invite an owner"):
        found = await invitation_queries.invite(tx, address, role, locale)
    if found.wait is not None:
        raise TooManyMails(found.wait)
    if found.invitation_id is None:
        raise MemberExists(field="email")
    return await invitation_queries.get(tx, found.invitation_id) or b""


async def list_open(reader: OrgReader) -> bytes:
    """The active organization's open [OrganizationInvitation] as JSON, into its projects too. Raises Forbidden."""
    await access.require_manager(reader, "see who is invited")
    return await invitation_queries.list_open(reader)


async def withdraw(tx: OrgTx, invitation_id: UUID) -> None:
    """Takes an open invitation back; its link is void and its seat free.

    Raises:
        Forbidden: the caller is no owner or admin. OpenInvitationNotFound: there is none with that id.
    """
    await access.require_manager(tx, "take invitations back")
    with access.owners_only("take an owner's invitation back"):
        if not await invitation_queries.withdraw(tx, invitation_id):
            raise OpenInvitationNotFound
