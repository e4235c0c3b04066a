"""The scheduler's part: keys of disabled accounts are revoked, and those that expired long ago forgotten.

That an account was disabled only the sign-in server knows, and it tells nobody. So it is asked, once a minute for each
maker whose keys are in use, and never by a request. (Who is deleted or removed here has no keys from that moment on.)
"""

from typing import Final

import structlog

from kijko.clients.keycloak import Keycloak
from kijko.core.tenancy import Tenants
from kijko.services.api_keys import queries
from kijko.services.identity import disabled_among

_log = structlog.get_logger(__name__)
_MOST: Final = 200


async def ask_after_makers(database: Tenants, keycloak: Keycloak) -> None:
    """One round: whose account is disabled has no keys any more. Without Keycloak it is left to the next one."""
    async with database.system("whose API keys are in use") as tx:
        makers = await queries.makers(tx, _MOST)
    if not makers:
        return
    disabled = await disabled_among(keycloak, makers)
    if disabled is None:
        return
    async with database.system("API keys of disabled accounts") as tx:
        await queries.asked(tx, makers)
        revoked = await queries.delete_of(tx, disabled) if disabled else 0
    if revoked:
        _log.warning("api_keys.makers_disabled", revoked=revoked, users=[str(one) for one in disabled])


async def forget(database: Tenants) -> int:
    """Deletes keys that expired a month ago; how many."""
    async with database.system("API keys that expired a month ago") as tx:
        return await queries.forget(tx)
