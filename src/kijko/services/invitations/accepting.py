"""Following an invitation's link: with an account, or by signing up."""

from uuid import UUID

from kijko.core.errors import AppError
from kijko.core.tenancy import GateTx, OrgTx
from kijko.services.invitations import queries, tokens
from kijko.services.invitations.errors import InvitationExpired, InvitationNotFound, WrongRecipient
from kijko.services.invitations.queries import Accepted

_ERRORS: dict[str, type[AppError]] = {
    "missing": InvitationNotFound,
    "expired": InvitationExpired,
    "wrong_recipient": WrongRecipient,
}


async def accept(tx: OrgTx, token: str) -> Accepted:
    """Takes the caller into the organization, and the project, of an invitation; again, it changes nothing.

    The link came by mail to the invited address, so whoever has it and an account of that address has proven both.

    Raises:
        InvitationNotFound, InvitationExpired, WrongRecipient. Raised: KJ429 where the plan has become too small.
    """
    found = await queries.accept(tx, tokens.digest(token))
    _check(found.outcome)
    return found


async def check(tx: GateTx, token: str, email: str) -> UUID:
    """The organization that an open invitation of that address leads to. Raises as accept does."""
    found = await queries.look(tx, tokens.digest(token), email)
    _check(found.outcome)
    if found.tenant is None:
        raise InvitationNotFound
    return found.tenant


async def join(tx: GateTx, token: str, *, user_id: UUID, email: str, first_name: str, last_name: str) -> None:
    """Makes a person who signs up at a link, their address proven by it, a member where it leads. Raises as accept."""
    _check(await queries.join(tx, user_id, email, first_name, last_name, tokens.digest(token)))


def _check(outcome: str) -> None:
    if outcome in _ERRORS:
        raise _ERRORS[outcome]
