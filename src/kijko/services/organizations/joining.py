"""Following an invitation's link with an account."""

from kijko.core.tenancy import OrgTx, Principal
from kijko.services import invitations
from kijko.services.organizations import members, queries
from kijko.services.projects import members as project_members


async def accept(tx: OrgTx, principal: Principal, token: str) -> bytes:
    """Takes the caller where an invitation leads; answers the ProjectMember or OrganizationMember as JSON.

    Raises:
        What invitations.accept does.
    """
    before = await queries.active(tx)
    joined = await invitations.accept(tx, token)
    # They are read as everybody in that organization reads them; the request goes on in the one that it began in.
    await queries.switch(tx, joined.tenant)
    if joined.project is not None and joined.member is not None:
        found = await project_members.get(tx, joined.project, joined.member)
    else:
        found = await members.get(tx, principal.user_id)
    await queries.switch(tx, before)
    return found
