"""Who may connect: an access token or an API key, and which rooms a key may hear."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starlette.types import Scope

from kijko.core.tenancy import Principal
from kijko.core.tokens import Tokens
from kijko.middleware.address import Networks, counted_address
from kijko.models.enums import ApiKeyScope
from kijko.services.api_keys import Door, Refusals, is_key, read, require

_OF_ROOMS: Final[Mapping[str, ApiKeyScope]] = {
    "project": ApiKeyScope.PROJECTS_READ,
    "user": ApiKeyScope.EXECUTIONS_READ,
    "organization": ApiKeyScope.ORGANIZATIONS_READ,
}


@dataclass(frozen=True, slots=True)
class Entrance:
    """Of one process."""

    tokens: Tokens
    door: Door
    refusals: Refusals
    trusted_proxies: Networks

    def address(self, scope: Scope) -> str:
        """Where a connection comes from, as keys that do not work are counted for it."""
        return counted_address(scope, self.trusted_proxies)

    async def enter(self, token: str, room: str, address: str) -> Principal:
        """Who connects, to hear that room first. For a key, connecting is an API call.

        Raises:
            InvalidToken, KeysUnavailable: as `Tokens.verify`.
            MistypedKey: it is no key. KeyRefused, MissingScope, QuotaExceeded: as `Door.enter`.
            TooManyRefused: as `Refusals`.
        """
        if not is_key(token):
            return await self.tokens.verify(token)
        secret = read(token)
        async with self.refusals.watch(secret, lambda: address):
            return (await self.door.enter(secret, _OF_ROOMS[room])).principal


def check_room(principal: Principal, room: str) -> None:
    """Nothing where a person asks; for a key, whether it has the scope of such a room. Raises MissingScope."""
    scope = _OF_ROOMS.get(room.partition(":")[0])
    if scope is not None:
        require(principal, scope)
