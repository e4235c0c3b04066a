"""Whoever may not ask at all is told that, before what is wrong with their request.

The body is read before anybody looks who asks, and whether a session has ended only the first statement says. So it is
asked once more where a request was refused for its form: there alone it costs a trip, and a good request costs none.
"""

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.requests import Request

from kijko.clients import Clients
from kijko.core.db.errors import DatabaseError
from kijko.core.errors import AppError, Unauthenticated
from kijko.core.tenancy import OrganizationNotFound, translate
from kijko.routers.principal import bearer
from kijko.services.api_keys import TooManyRefused


async def stranger(request: Request) -> AppError | None:
    """Why the caller may not ask; None when they may, when anybody may, and when it cannot be found out now."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute) or not _asks_who(route.dependant):
        return None
    made: Clients = request.app.state.clients
    found: AppError | None
    try:
        await made.database.admit(await bearer(request))
    except AppError as error:
        found = error
    except DatabaseError as error:
        found = translate(error)
    else:
        return None
    return found if isinstance(found, Unauthenticated | OrganizationNotFound | TooManyRefused) else None


def _asks_who(of: Dependant) -> bool:
    return of.call is bearer or any(_asks_who(each) for each in of.dependencies)
