"""Letting a request or a socket in with a key: one trip finds it, checks it, and takes an API call of the plan.

Nothing of a key is remembered between requests, so it ends in every process in the moment in which it is revoked. But
requests that wait at the same time with the same key are let in together: counting five costs what counting one does.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID, uuid4

from kijko.core.db.errors import CommitUnknown, Raised
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


Asked = tuple[bytes, UUID | None, ApiKeyScope | None]
"""A key's hash, the organization that is wanted, and the scope."""
Waiting = asyncio.Future[Entered]


class Door:
    """Of one process. Requests with one key that come while it is being asked for share the next trip."""

    def __init__(self, database: Tenants, use: Use) -> None:
        self._database = database
        self._use = use
        self._lanes: dict[Asked, list[Waiting]] = {}
        """Who waits while a trip is under way; a key that nobody asks with has no lane."""
        self._trips: set[asyncio.Task[None]] = set()

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
        asked: Asked = (secret.hash, wanted, scope)
        waiting: Waiting = asyncio.get_running_loop().create_future()
        if asked in self._lanes:
            self._lanes[asked].append(waiting)
        else:
            self._lanes[asked] = [waiting]
            trip = asyncio.create_task(self._serve(asked))
            self._trips.add(trip)
            trip.add_done_callback(self._trips.discard)
        return await waiting

    async def _serve(self, asked: Asked) -> None:
        """Lets in who waits, all of them in one trip, until nobody does."""
        while some := [one for one in self._lanes[asked] if not one.done()]:  # whoever went away waits no more
            self._lanes[asked] = []
            try:
                left = await self._let_in(asked, some)
            except Exception as error:
                _refuse(some, error)
            else:
                self._lanes[asked] = [*left, *self._lanes[asked]]
        del self._lanes[asked]

    async def _let_in(self, asked: Asked, some: Sequence[Waiting]) -> Sequence[Waiting]:
        """Answers those for whom there is an API call; the others."""
        found = await self._admit(asked, len(some))
        if not found.allowed:
            scope = asked[2]
            raise PeopleOnly if scope is None else MissingScope(scope, found.scopes)
        self._use.note(found.id)
        principal = _principal(found)
        for at, one in enumerate(some[: found.taken], 1):
            if not one.done():
                one.set_result(Entered(principal, _quota(found, at)))
        return some[found.taken :]

    async def _admit(self, asked: Asked, many: int) -> queries.Admitted:
        """As a read, it is sent once more where the connection broke, so that Postgres may restart; it counts once."""
        reader, call, (key_hash, wanted, scope) = self._database.gate_reader(), uuid4(), asked
        try:
            return await queries.admit(reader, key_hash, wanted, scope, many=many, call=call, repeated=False)
        except CommitUnknown:
            return await queries.admit(reader, key_hash, wanted, scope, many=many, call=call, repeated=True)


def _refuse(some: Sequence[Waiting], error: Exception) -> None:
    for one in some:
        if not one.done():
            said = translate(error) if isinstance(error, Raised) else None
            one.set_exception(said or error)


def _quota(found: queries.Admitted, at: int) -> Mapping[str, Any] | None:  # any JSON
    """What is used after the call in that place, from 1: others came with it, and count after it."""
    return found.quota and {**found.quota, "used": found.quota["used"] - (found.taken - at)}


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
