"""The short way through FastAPI answers as the long one does."""

from collections.abc import AsyncIterator
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request, Response
from fastapi.routing import APIRoute

from kijko.core.errors import Unauthenticated
from kijko.main import create_app
from kijko.routers.problems import handle_errors
from kijko.routers.reads import plan
from kijko.routers.route import Route
from kijko.settings import Settings

calls: list[str] = []


async def caller(authorization: Annotated[str | None, Header()] = None) -> str:
    calls.append("caller")
    if authorization is None:
        raise Unauthenticated
    return authorization


Caller = Annotated[str, Depends(caller)]


async def reader(request: Request, who: Caller) -> str:
    return f"{request.method} by {who}"


async def checked(level: Annotated[int, Query(ge=1)] = 1) -> int:
    calls.append("checked")
    return level


async def read(
    *,
    number: int,
    reads: Annotated[str, Depends(reader)],
    who: Caller,
    level: Annotated[int, Depends(checked)],
    page: Annotated[int, Query(le=9)] = 1,
    tags: Annotated[list[str] | None, Query(alias="tag")] = None,
) -> Response:
    """A read with something of everything."""
    calls.append("read")
    return Response(f"{number} {reads} {who} {level} {page} {tags}", headers={"x-own": "yes"})


async def opened() -> AsyncIterator[int]:
    yield 1


def with_generator(_: Annotated[int, Depends(opened)]) -> Response:
    return Response()


def app_of(route_class: type[APIRoute]) -> FastAPI:
    router = APIRouter(route_class=route_class)
    router.add_api_route("/{number}", read)
    app = FastAPI()
    app.router.routes.extend(router.routes)
    handle_errors(app)
    return app


async def ask(route_class: type[APIRoute], path: str, headers: dict[str, str]) -> tuple[httpx.Response, list[str]]:
    calls.clear()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app_of(route_class)), base_url="http://here") as http:
        return await http.get(path, headers=headers), calls.copy()


@pytest.mark.parametrize(
    "path",
    ["/7", "/7?level=3&page=2&tag=a&tag=b", "/7?page=10", "/7?level=0", "/7?level=x&page=x", "/x", "/x?level=0"],
)
@pytest.mark.parametrize("headers", [{}, {"Authorization": "me"}], ids=["nobody", "somebody"])
async def test_both_ways_give_the_same_answer_after_the_same_calls(path: str, headers: dict[str, str]) -> None:
    long, calls_of_long = await ask(APIRoute, path, headers)
    short, calls_of_short = await ask(Route, path, headers)
    assert (short.status_code, short.content) == (long.status_code, long.content)
    assert short.headers == long.headers
    assert calls_of_short == calls_of_long
    assert (long.status_code == 200) is (calls_of_long[-1] == "read")


def test_the_reads_that_matter_go_the_short_way() -> None:
    routes = [route for route in create_app(Settings()).routes if isinstance(route, APIRoute)]
    short = {route.path for route in routes if route.methods == {"GET"} and plan(route.dependant)}
    assert {"/api/skills", "/api/skills/{skillId}", "/api/executions/{executionId}"} <= short
    assert "/api/auth/me" not in short, "it answers a model, which FastAPI turns into JSON"


def not_a_coroutine() -> Response:
    return Response()


async def with_a_model() -> dict[str, int]:
    return {}


@pytest.mark.parametrize("endpoint", [with_generator, not_a_coroutine, with_a_model])
def test_whatever_is_not_plain_goes_fastapis_way(endpoint: object) -> None:
    assert plan(APIRoute("/", endpoint).dependant) is None  # type: ignore[arg-type]  # any function


async def test_a_query_that_was_read_before_means_the_same_and_a_bad_one_stays_bad() -> None:
    router = APIRouter()
    router.add_api_route("/read/{number}", read, methods=["GET"], route_class_override=Route)
    app = FastAPI()
    handle_errors(app)
    app.router.routes.extend(router.routes)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://reads", headers={"authorization": "me"}) as http:
        for _ in range(2):
            assert (await http.get("/read/1?page=3&tag=a&tag=b")).text.endswith("3 ['a', 'b']")
            assert (await http.get("/read/1?page=4")).text.endswith("4 None")
            assert (await http.get("/read/1?page=10")).status_code == 422
