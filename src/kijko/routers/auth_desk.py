"""What the routes of sign-in ask for by type."""

from typing import Annotated, get_args

from fastapi import Depends, Path, Request

from kijko.clients import Clients
from kijko.middleware.address import client_address
from kijko.models.auth import Provider
from kijko.services.identity import Desk, Device


async def desk(request: Request) -> Desk:
    """Everything sign-in works with."""
    made: Clients = request.app.state.clients
    return Desk(made.database, made.keycloak, made.tokens, made.redis, made.box, request.app.state.settings)


async def device(request: Request) -> Device:
    """From where the request comes, as far as trusted proxies say."""
    address = client_address(request.scope, request.app.state.trusted_proxies)
    return Device.of(address, request.headers.get("user-agent"))


CurrentDesk = Annotated[Desk, Depends(desk)]
CurrentDevice = Annotated[Device, Depends(device)]
OutsideProvider = Annotated[
    str, Path(description="Where the other account is.", json_schema_extra={"enum": [*get_args(Provider)]})
]
"""Any text: one that is none of these has its own answer."""
