"""The end of an organization: closed at once by a request, deleted by a job."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from kijko.core.errors import Invalid
from kijko.core.tenancy import OrgTx, Principal
from kijko.services.invitations import tokens
from kijko.services.organizations import access, deletion_queries
from kijko.services.organizations.errors import ActiveSubscription


@dataclass(frozen=True, slots=True)
class Begun:
    """A deletion, and the token that shows how far it is: nobody else has it."""

    deletion_id: UUID
    status_token: str


async def delete(tx: OrgTx, principal: Principal, confirm: str) -> Begun:
    """Ends the active organization: nobody gets in from the commit on, and the scheduler deletes what it has.

    Raises:
        Forbidden: the caller is no owner. Invalid: `confirm` is not its name. ActiveSubscription: it is paid for.
        OrganizationNotFound: see access.require_meant.
    """
    await access.require_meant(tx, principal)
    begun = Begun(uuid4(), tokens.fresh())
    with access.owners_only("delete it"):
        outcome = await deletion_queries.begin(tx, confirm, begun.deletion_id, tokens.digest(begun.status_token))
    if outcome == "unconfirmed":
        raise Invalid("confirm must be the organization's name, letter by letter.", field="confirm")
    if outcome == "paid":
        raise ActiveSubscription
    return begun
