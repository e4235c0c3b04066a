"""The documentation as a page, from files of this package and of fastapi-swagger: no other server is asked."""

from asyncio import to_thread
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

import orjson
from fastapi import APIRouter, Request, Response

from kijko.core.errors import NotFound
from kijko.routers.answers import JsonBytes
from kijko.routers.asyncapi import asyncapi_of
from kijko.routers.openapi import Described

router = APIRouter(include_in_schema=False)

_OURS: Final = "kijko.routers"
_SWAGGER: Final = "fastapi_swagger"
_ASSETS: Final[Mapping[str, tuple[str, str, str]]] = {
    "docs.js": (_OURS, "assets/docs.js", "text/javascript; charset=utf-8"),
    "docs.css": (_OURS, "assets/docs.css", "text/css; charset=utf-8"),
    "swagger-ui-bundle.js": (_SWAGGER, "resources/swagger-ui-bundle.js", "text/javascript; charset=utf-8"),
    "swagger-ui.css": (_SWAGGER, "resources/swagger-ui.css", "text/css; charset=utf-8"),
    "favicon-32x32.png": (_SWAGGER, "resources/favicon-32x32.png", "image/png"),
}
# Swagger UI writes style attributes; it needs no script but its file and ours.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@router.get("/docs", summary="The documentation as a page")
async def page() -> Response:
    """Every operation, with examples, to be tried out after signing in at the top."""
    headers = {"content-security-policy": _POLICY}
    return Response(_read(_OURS, "assets/docs.html"), media_type="text/html; charset=utf-8", headers=headers)


@router.get("/docs/{asset}", summary="A file that the page needs")
async def asset(asset: str) -> Response:
    """A script, a style sheet or a picture.

    Raises:
        NotFound: the page has no such file.
    """
    if asset not in _ASSETS:
        raise NotFound
    package, path, kind = _ASSETS[asset]
    return Response(_read(package, path), media_type=kind, headers={"cache-control": "private, max-age=3600"})


@router.get("/openapi.json", summary="The documentation for programs (OpenAPI 3.1)")
async def document(request: Request) -> Response:
    """Every operation and shape of the API."""
    described: Described = request.app.state.described
    return JsonBytes(await to_thread(described.written))


@router.get("/asyncapi.json", summary="The events, for programs (AsyncAPI 3.0)")
async def events(request: Request) -> Response:
    """Every event of a room or a connection, with the shape of its data."""
    return Response(orjson.dumps(asyncapi_of(request.app.version)), media_type="application/json")


@cache
def _read(package: str, path: str) -> bytes:
    return (files(package) / path).read_bytes()
