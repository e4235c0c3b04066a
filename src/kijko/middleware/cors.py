"""Which other sites' pages may call the API from a browser."""

from typing import Final

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from kijko.core.errors import Forbidden
from kijko.middleware.answer import rendered

_OF_THE_TEXT: Final = {"content-type", "content-length"}


class Cors(CORSMiddleware):
    """Starlette's rules, for requests that come from a page: all others carry no Origin and are none of its business.

    Without an Origin it would still mark the answer as different for each; ours are private to the caller anyhow.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; a preflight is answered here."""
        if any(name == b"origin" for name, _ in scope.get("headers", ())):
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def preflight_response(self, request_headers: Headers) -> Response:
        """Starlette's answer, with its headers; where that is a refusal, a problem that says what is allowed."""
        answer = super().preflight_response(request_headers)
        if answer.status_code < 400:
            return answer
        status, body, own = rendered(self._refusal(request_headers))
        refused = Response(body, status)
        kept = (header for header in answer.raw_headers if header[0].decode() not in _OF_THE_TEXT)
        refused.raw_headers = [*own, *kept]
        return refused

    def _refusal(self, asked: Headers) -> Forbidden:
        if not self.is_allowed_origin(asked["origin"]):
            return Forbidden("Pages of this site may not call this API.")
        if asked["access-control-request-method"] not in self.allow_methods:
            return Forbidden(f"Pages may use these methods only: {', '.join(self.allow_methods)}.")
        if "access-control-request-private-network" in asked:
            return Forbidden("Pages may not reach into a private network; call the API at its public address.")
        allowed = self.preflight_headers["Access-Control-Allow-Headers"]
        return Forbidden(f"Pages may send these headers only: {allowed}.")
