"""What every route of the API does beside its own work: reads JSON strictly, and honours an Idempotency-Key."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import orjson
from fastapi.params import Form
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from kijko.middleware.errors import MalformedJson, Refusal, UnsupportedMediaType
from kijko.routers.idempotency import Handler, answer
from kijko.routers.reads import plan, shortcut

_DEEPEST: Final = 100
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class StrictRequest(Request):
    """A request whose JSON is what RFC 8259 says: no NaN, no lone surrogates, no endless nesting, UTF-8 only."""

    async def json(self) -> Any:  # Any: JSON
        """The body.

        Raises:
            JSONDecodeError: it is not JSON.
            Refusal: it is nested too deeply for what works on it later.
        """
        if not hasattr(self, "_json"):
            text = await self.body()
            self._json = orjson.loads(text)
            if text.count(b"[") + text.count(b"{") > _DEEPEST and _is_deeper(self._json, _DEEPEST):
                raise Refusal(MalformedJson(f"The body is nested more than {_DEEPEST} levels deep. Flatten it."))
        return self._json


class Route(APIRoute):
    """A route that takes JSON where it takes a body, and nothing else."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # Any: FastAPI's own options
        super().__init__(path, endpoint, **options)
        steps = plan(self.dependant) if self.methods == {"GET"} else None
        if steps is not None:
            self.app = shortcut(steps)

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


def _is_deeper(value: Any, levels: int) -> bool:  # Any: JSON
    """Whether a value has more levels than that; level by level, so that it needs no stack itself."""
    level = [value]
    for _ in range(levels):
        level = [each for one in level for each in _inside(one)]
        if not level:
            return False
    return any(isinstance(one, dict | list) for one in level)


def _inside(value: Any) -> Iterable[Any]:
    match value:
        case dict():
            return value.values()
        case list():
            return value
        case _:
            return ()
