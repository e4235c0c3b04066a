"""Finds the route of a path by its first segments, instead of trying every route of the API in turn."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from kijko.core.errors import NotFound
from kijko.middleware.answer import send_problem
from kijko.middleware.errors import MethodNotAllowed

Found = tuple[BaseRoute, Scope]


class Dispatch(APIRouter):
    """A router of flat routes. HEAD is answered as GET is, OPTIONS with the methods there are; no slash redirects."""

    index: Mapping[str, Sequence[BaseRoute]] = {}

    def reindex(self) -> None:
        """Call it when the last route was added."""
        index: defaultdict[str, list[BaseRoute]] = defaultdict(list)
        for route in self.routes:
            index[_key(getattr(route, "path", ""))].append(route)
        self.index = dict(index)

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request to its route, or answer 404 or 405."""
        if scope["type"] == "lifespan":
            await super().app(scope, receive, send)
            return
        scope.setdefault("router", self)
        found, partial = self._find(scope)
        if found is not None:
            await _hand_over(found, scope, receive, send)
        elif scope["type"] != "http":
            await self.default(scope, receive, send)
        elif not partial:
            await send_problem(send, NotFound())
        else:
            await self._other_method(partial, scope, receive, send)

    def _find(self, scope: Scope) -> tuple[Found | None, list[Found]]:
        partial: list[Found] = []
        for route in self.index.get(_key(scope["path"]), ()):
            match, child = route.matches(scope)
            if match is Match.FULL:
                return (route, child), partial
            if match is Match.PARTIAL:
                partial.append((route, child))
        return None, partial

    async def _other_method(self, partial: list[Found], scope: Scope, receive: Receive, send: Send) -> None:
        methods = {method for route, _ in partial for method in getattr(route, "methods", None) or ()}
        allow = sorted(methods | ({"HEAD"} if "GET" in methods else set()) | {"OPTIONS"})
        scope.update(partial[0][1])
        match scope["method"]:
            case "HEAD" if "GET" in methods:
                found, _ = self._find({**scope, "method": "GET"})
                assert found is not None  # noqa: S101  # GET is among the methods
                # A copy: the server drops the body, and it goes by the method of the scope it made.
                await _hand_over(found, {**scope, "method": "GET"}, receive, send)
            case "OPTIONS":
                await Response(status_code=204, headers={"allow": ", ".join(allow)})(scope, receive, send)
            case _:
                await send_problem(send, MethodNotAllowed(), [(b"allow", ", ".join(allow).encode())])


def mount(into: APIRouter, prefix: str, router: APIRouter, route_class: type[APIRoute]) -> None:
    """Make every route of `router` a route of `into`, under the prefix, as a `route_class`."""
    for route in _flat(router):
        into.add_api_route(
            prefix + route.path,
            route.endpoint,
            response_model=route.response_model,
            status_code=route.status_code,
            tags=route.tags,
            dependencies=route.dependencies,
            summary=route.summary,
            description=route.description,
            response_description=route.response_description,
            responses=route.responses,
            deprecated=route.deprecated,
            methods=route.methods,
            operation_id=route.operation_id,
            include_in_schema=route.include_in_schema,
            response_class=route.response_class,
            name=route.name,
            route_class_override=route_class,
            strict_content_type=False,  # where no type is named, the body itself shows whether it is JSON
            openapi_extra=route.openapi_extra,
        )


def _flat(router: APIRouter) -> Iterator[APIRoute]:
    for route in router.routes:
        if not isinstance(route, APIRoute):
            raise TypeError(f"{route!r} is no plain route. Put each router into the list of kijko.routers instead.")
        yield route


async def _hand_over(found: Found, scope: Scope, receive: Receive, send: Send) -> None:
    route, child = found
    scope.update(child)
    await route.handle(scope, receive, send)


def _key(path: str) -> str:
    """/api/skills/{id} and /api/skills/7 → /api/skills; /health/live → /health. Templates come after these segments."""
    parts = path.split("/", 3)
    return "/".join(parts[:3] if parts[1:2] == ["api"] else parts[:2])
