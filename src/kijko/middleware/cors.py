"""Which other sites' pages may call the API from a browser."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import Receive, Scope, Send

from kijko.core.errors import Forbidden
from kijko.middleware.answer import send_problem


class Cors(CORSMiddleware):
    """Starlette's rules, for requests that come from a page: all others carry no Origin and are none of its business.

    Without an Origin it would still mark the answer as different for each; ours are private to the caller anyhow.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on. A preflight is answered here, and refused with a problem for a site that is not on the list."""
        origin = next((value for name, value in scope.get("headers", ()) if name == b"origin"), None)
        if origin is None:
            await self.app(scope, receive, send)
        elif _is_preflight(scope) and not self.is_allowed_origin(origin.decode("latin-1")):
            await send_problem(send, Forbidden("Pages of this site may not call this API."))
        else:
            await super().__call__(scope, receive, send)


def _is_preflight(scope: Scope) -> bool:
    return (
        scope["type"] == "http"
        and scope["method"] == "OPTIONS"
        and any(name == b"access-control-request-method" for name, _ in scope["headers"])
    )
