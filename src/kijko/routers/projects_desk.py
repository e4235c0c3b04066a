"""What the routes that work with repositories at their servers ask for."""

from typing import Annotated

from fastapi import Depends, Request

from kijko.clients import Clients
from kijko.services.projects.desk import Desk


async def desk(request: Request) -> Desk:
    """The clients and settings together."""
    found: Clients = request.app.state.clients
    return Desk(found.database, found.git, found.surveyor, found.forges, found.box, request.app.state.settings)


ProjectsDesk = Annotated[Desk, Depends(desk)]
