"""Who asks: the dependency that gives a route its principal. A route without one must be on the list of public ones.

async def read(principal: CurrentPrincipal) -> …
"""

from collections.abc import Awaitable
from dataclasses import replace
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends
from fastapi.openapi.models import HTTPBearer as HTTPBearerModel
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from kijko.core.errors import Unauthenticated
from kijko.core.tenancy import OrganizationNotFound, Principal
from kijko.core.tokens import Tokens

_PREFIX: Final = "bearer "


class Bearer(SecurityBase):
    """Reads `Authorization: Bearer …` and `X-Organization-Id`; no database, and no network but for new keys."""

    def __init__(self) -> None:
        self.model = HTTPBearerModel(
            bearerFormat="JWT",
            description="The access_token of a sign-in. X-Organization-Id picks another of the person's organizations.",
        )
        self.scheme_name = "bearer"

    async def __call__(self, request: HTTPConnection) -> Principal:
        """The verified principal.

        Raises:
            Unauthenticated: there is no bearer token. InvalidToken: it is not valid.
            OrganizationNotFound: X-Organization-Id is no id.
        """
        header = request.headers.get("authorization", "")
        if not header[: len(_PREFIX)].lower() == _PREFIX:
            raise Unauthenticated
        principal = await _verify(request, header[len(_PREFIX) :].strip())
        wanted = request.headers.get("x-organization-id")
        if wanted is not None:
            principal = replace(principal, organization_id=_organization(wanted), chosen=True)
        request.scope["kijko.principal"] = principal  # for the access log
        return principal


def _verify(request: HTTPConnection, token: str) -> Awaitable[Principal]:
    tokens: Tokens = request.app.state.clients.tokens
    return tokens.verify(token)


def _organization(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise OrganizationNotFound from None


bearer: Final = Bearer()

CurrentPrincipal = Annotated[Principal, Depends(bearer)]
"""Who asks, from a verified access token; whether the session has ended is asked by the first statement."""
