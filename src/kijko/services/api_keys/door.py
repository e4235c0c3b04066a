"""Letting a request or a socket in with a key: one trip finds it, checks it, and takes an API call of the plan.

Nothing of a key is remembered between requests, so it ends in every process in the moment in which it is revoked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from kijko.core.db.errors import Raised
from kijko.core.tenancy import ApiKey, Principal, Tenants, translate
from kijko.models.enums import ApiKeyScope
from kijko.services.api_keys import queries
from kijko.services.api_keys.errors import MissingScope, PeopleOnly
from kijko.services.api_keys.rules import Secret
from kijko.services.api_keys.use import Use

SESSION: Final = "kjk:"
"""How the database knows a key at work from a session: by this and its id."""
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entered:
    """Who asks by a key."""

    principal: Principal
    quota: Mapping[str, Any] | None  # any JSON: {metric, limit, used, resetsAt}
    """What is left of the API calls; None where the plan sets no limit."""


class Door:
    """Of one process."""

    def __init__(self, database: Tenants, use: Use) -> None:
        self._database = database
        self._use = use

    async def enter(self, secret: Secret, scope: ApiKeyScope | None, *, wanted: UUID | None = None) -> Entered:
        """Takes one API call for what needs the scope.

        Args:
            secret: the key in clear.
            scope: None for what is for signed-in people only.
            wanted: the organization that the request names, if it names one.

        Raises:
            KeyRefused: it is no key that works. OrganizationNotFound: another organization is wanted.
            MissingScope, PeopleOnly: it may not do this. QuotaExceeded: the plan's API calls are used up.
            Nothing is taken then.
        """
        try:
            found = await queries.admit(
                self._database.gate_reader(), secret.hash, wanted, chosen=wanted is not None, scope=scope
            )
        except Raised as error:
            raise translate(error) or error from error
        if not found.allowed:
            raise PeopleOnly if scope is None else MissingScope(scope, found.scopes)
        self._use.note(found.id)
        return Entered(_principal(found), found.quota)


def require(principal: Principal, scope: ApiKeyScope) -> None:
    """Nothing for a person, and for a key that has the scope. Raises MissingScope."""
    if principal.key is not None and scope not in principal.key.scopes:
        raise MissingScope(scope, principal.key.scopes)


def _principal(found: queries.Admitted) -> Principal:
    return Principal(
        user_id=found.user_id,
        session_id=f"{SESSION}{found.id}",
        issued_at=datetime.now(UTC),
        organization_id=found.organization_id,
        chosen=True,
        expires_at=found.expires_at or _NEVER,
        email=found.email,
        name=found.name,
        key=ApiKey(found.id, found.prefix, frozenset(found.scopes)),
    )
