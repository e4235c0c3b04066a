"""Which accounts an administrator of the sign-in server has disabled: it tells nobody by itself."""

from collections.abc import Sequence
from uuid import UUID

from kijko.clients.keycloak import Keycloak
from kijko.services.identity.attempts import attempt


async def disabled_among(keycloak: Keycloak, people: Sequence[UUID]) -> list[UUID] | None:
    """Those of these people whose account is disabled; None where the sign-in server cannot be asked now.

    Whoever has no account there (another issuer's, one that was deleted) is none of them.
    """
    found: list[UUID] = []
    heard = False

    async def ask() -> None:
        nonlocal heard
        for person in people:
            account = await keycloak.user(person)
            if account is not None and not account.enabled:
                found.append(person)
        heard = True

    await attempt("looking for disabled accounts", ask())
    return found if heard else None
