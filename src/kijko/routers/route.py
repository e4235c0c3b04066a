"""What every route of the API does beside its own work: reads JSON strictly, and honours an Idempotency-Key."""

from typing import Any, Final

import orjson
from fastapi.params import Form
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from kijko.middleware.errors import UnsupportedMediaType
from kijko.routers.idempotency import Handler, answer

_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class StrictRequest(Request):
    """A request whose JSON is what RFC 8259 says: no NaN, no lone surrogates, no endless nesting, UTF-8 only."""

    async def json(self) -> Any:  # Any: JSON
        """The body.

        Raises:
            JSONDecodeError: it is not JSON.
        """
        if not hasattr(self, "_json"):
            self._json = orjson.loads(await self.body())
        return self._json


class Route(APIRoute):
    """A route that takes JSON where it takes a body, and nothing else."""

    def get_route_handler(self) -> Handler:
        """FastAPI's own handler, behind ours."""
        handle = super().get_route_handler()
        if not _WITH_BODY & (self.methods or set()):
            return handle
        takes_json = self.body_field is not None and not isinstance(self.body_field.field_info, Form)

        async def handle_strictly(request: Request) -> Response:
            if takes_json:
                _check_type(request)
            return await answer(handle, StrictRequest(request.scope, request.receive))

        return handle_strictly


def _check_type(request: Request) -> None:
    """A type that is named must be JSON; where none is named, the body has to prove it."""
    kind = request.headers.get("content-type")
    if kind is None:
        return
    main = kind.split(";", 1)[0].strip().lower()
    if main != "application/json" and not (main.startswith("application/") and main.endswith("+json")):
        raise UnsupportedMediaType
