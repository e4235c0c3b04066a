"""Who asks: the dependency that gives a route its principal. A route without one must be on the list of public ones.

async def read(principal: CurrentPrincipal) -> …
"""

from dataclasses import replace
from functools import partial
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from kijko.core.errors import Unauthenticated
from kijko.core.tenancy import OrganizationNotFound, Principal
from kijko.core.tokens import Tokens
from kijko.middleware.address import counted_address
from kijko.middleware.headers import add_header
from kijko.middleware.quota import quota_headers
from kijko.models.enums import ApiKeyScope
from kijko.routers.scopes import needed
from kijko.services.api_keys import Door, Entered, Refusals, Secret, TooManyRefused, is_key, read

_PREFIX: Final = "bearer "
_KNOWN: Final = "kijko.principal"
_NOWHERE: Final = UUID(int=0)
"""An organization that nobody has."""


class Bearer(SecurityBase):
    """Reads `Authorization: Bearer …` and `X-Organization-Id`.

    An access token needs no database, and no network but for new keys; an API key is asked for in the database.
    """

    def __init__(self) -> None:
        self.model = HTTPBearerModel(
            description="The access_token of a sign-in (a JWT), or an API key (`kjk_…`, made at POST /api/api-keys). "
            "X-Organization-Id picks another of the person's organizations; a key is of one organization alone, and "
            "may do what its scopes say.",
        )
        self.scheme_name = "bearer"

    async def __call__(self, request: HTTPConnection) -> Principal:
        """The verified principal. An API key takes an API call, once for a request however often it is asked.

        Raises:
            Unauthenticated: there is no bearer token. InvalidToken: it is not valid.
            OrganizationNotFound: X-Organization-Id is no id.
            MistypedKey: it is no API key. KeyRefused, MissingScope, PeopleOnly, QuotaExceeded: as `Door.enter`.
            TooManyRefused: as `Refusals`.
        """
        known: Principal | None = request.scope.get(_KNOWN)
        if known is not None:
            return known
        header = request.headers.get("authorization", "")
        if not header[: len(_PREFIX)].lower() == _PREFIX:
            raise Unauthenticated
        token, wanted = header[len(_PREFIX) :].strip(), request.headers.get("x-organization-id")
        principal = await (_by_key if is_key(token) else _by_token)(request, token, wanted)
        request.scope[_KNOWN] = principal  # for the access log, too
        return principal


async def _by_token(request: HTTPConnection, token: str, wanted: str | None) -> Principal:
    tokens: Tokens = request.app.state.clients.tokens
    principal = await tokens.verify(token)
    if wanted is None:
        return principal
    organization = _organization(wanted)
    if organization is None:
        raise OrganizationNotFound
    return replace(principal, organization_id=organization, chosen=True)


async def _by_key(request: HTTPConnection, token: str, wanted: str | None) -> Principal:
    organization = None if wanted is None else _organization(wanted) or _NOWHERE
    secret = read(token)
    request.scope["kijko.key"] = secret.prefix  # for the access log: whose request was refused, too
    scope = needed(request.scope["method"], request.scope["route"].path)
    entered = await _entered(request, secret, scope, organization)
    for name, value in quota_headers(entered.quota or {}):
        add_header(request.scope, name, value)
    return entered.principal


async def _entered(
    request: HTTPConnection, secret: Secret, scope: ApiKeyScope | None, organization: UUID | None
) -> Entered:
    door: Door = request.app.state.door
    refusals: Refusals = request.app.state.refusals
    try:
        async with refusals.watch(secret, partial(_address, request)):
            return await door.enter(secret, scope, wanted=organization)
    except TooManyRefused as error:
        for name, value in quota_headers(error.quota):
            add_header(request.scope, name, value)
        raise


def _address(request: HTTPConnection) -> str:
    return counted_address(request.scope, request.app.state.trusted_proxies)


def _organization(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


bearer: Final = Bearer()

CurrentPrincipal = Annotated[Principal, Depends(bearer)]
"""Who asks, from a verified access token or an API key; whether it has ended is asked by the first statement."""
