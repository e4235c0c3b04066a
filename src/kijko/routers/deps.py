"""What a route asks for by type: the clients, a reader or a transaction as the caller, a page.

A transaction commits when the route has returned and before the answer is sent (`scope="function"`), so that a
commit that fails is an error answer and not a success that never happened.
"""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Query, Request

from kijko.clients import Clients
from kijko.core.tenancy import OrgReader, OrgTx
from kijko.routers import idempotency
from kijko.routers.numbers import WHOLE
from kijko.routers.principal import CurrentPrincipal


async def clients(request: Request) -> Clients:
    """Everything outside, as the lifespan made it."""
    found: Clients = request.app.state.clients
    return found


async def org_reader(request: Request, principal: CurrentPrincipal) -> OrgReader:
    """Statements as the caller, one trip each."""
    made: Clients = request.app.state.clients
    return made.database.reader(principal)


async def org_tx(request: Request, principal: CurrentPrincipal) -> AsyncIterator[OrgTx]:
    """A transaction as the caller; a request with an Idempotency-Key keeps its answer in it."""
    made: Clients = request.app.state.clients
    async with idempotency.transaction(made, principal, request) as tx:
        yield tx


Outside = Annotated[Clients, Depends(clients)]
CurrentReader = Annotated[OrgReader, Depends(org_reader)]
CurrentTx = Annotated[OrgTx, Depends(org_tx, scope="function")]
PageNumber = Annotated[int, Query(ge=1, le=1_000_000, description="Which page, from 1."), WHOLE]
PageSize = Annotated[int, Query(alias="pageSize", ge=1, le=100, description="Rows a page, at most 100."), WHOLE]
