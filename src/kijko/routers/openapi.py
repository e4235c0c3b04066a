"""The API described for programs: FastAPI's document, completed with what holds for every operation."""

from collections.abc import Iterable
from threading import Lock
from typing import Any, Final

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from kijko.core.errors import AppError
from kijko.middleware.errors import MalformedJson
from kijko.models.problem import Problem
from kijko.routers import headers
from kijko.routers.examples import example_of
from kijko.routers.idempotency import APART
from kijko.routers.openapi_shapes import share_problems, tidy
from kijko.routers.openapi_tags import TAGS
from kijko.routers.problems import Responses, problems
from kijko.routers.public import PUBLIC
from kijko.routers.scopes import needed

Json = dict[str, Any]  # OpenAPI's own JSON

_METHODS: Final = frozenset({"get", "post", "put", "patch", "delete"})
_INTRODUCTION: Final = """
Kijko turns git repositories into context, runs skills over it, and accounts for every run.

**Signing in.** `POST /api/auth/login` answers an `access_token`; send it as `Authorization: Bearer …`. On this page,
use the form at the top. `X-Organization-Id` picks another of your organizations for a request. Programs send an API key
(`kjk_…`, made at `POST /api/api-keys`) in the same place; each request with one is an API call of your plan, and its
answer says in `RateLimit` headers how many are left.

**Names.** `/api/v1/…` is the same API as `/api/…`.

**Errors** are `application/problem+json` (RFC 9457): `detail` is for people, `code` for programs, `requestId` is the
answer's `X-Request-ID`. An id of another organization is a 404 like any unknown one.

**Repeating safely.** Every POST outside `/api/auth`, uploads apart, takes an `Idempotency-Key` (at most 255 visible
ASCII characters). For 24 hours, the same key with the same body gets the first answer again, with
`Idempotent-Replayed: true`; with another body it is refused.
"""
_KEY_PARAMETER: Final[Json] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key and body get the first answer again, for 24 hours.",
    # In the schema: an example beside it is filled in on the page, where each try would repeat the first.
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "examples": ["6c1b0a5e-run-of-the-weekly-report"]},
}


_KEYS: Final[Json] = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "kjk_…",
    "description": "An API key, made at POST /api/api-keys, where a token would stand. The operation names the scope "
    "that it needs.",
}


class Described:
    """An app's document, made when it is first asked for, once. It takes half a second: ask on a thread."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._lock = Lock()
        self._made: Json | None = None
        self._written: bytes | None = None

    def __call__(self) -> Json:
        """The document."""
        with self._lock:
            if self._made is None:
                self._made = openapi_of(self._app)
            return self._made

    def written(self) -> bytes:
        """The same as JSON."""
        if self._written is None:
            self._written = orjson.dumps(self())
        return self._written


def openapi_of(app: FastAPI) -> Json:
    """The OpenAPI 3.1 document of the app's routes."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=_INTRODUCTION.strip(),
        routes=app.routes,
        openapi_version="3.1.0",
        tags=[{"name": name, "description": description} for name, description in TAGS.items()],
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema(by_alias=True, mode="serialization")
    for name in ("HTTPValidationError", "ValidationError"):  # ours are Problems
        schemas.pop(name, None)
    document["components"]["headers"] = dict(headers.HEADERS)
    document["components"]["securitySchemes"]["apiKey"] = _KEYS
    counted = {route.unique_id for route in _routes(app) if headers.is_counted(route.dependant)}
    for path, operations in document["paths"].items():
        for method in _METHODS & operations.keys():
            operation = operations[method]
            _complete(operation, method.upper(), path, counted=operation["operationId"] in counted)
    share_problems(document)
    tidy(document)
    return document


def _routes(app: FastAPI) -> Iterable[APIRoute]:
    return (route for route in app.routes if isinstance(route, APIRoute))


def unique_id(route: APIRoute) -> str:
    """An operation's id for generated clients, its tag and its name: `skills_create`.

    The name is the route's function's, unless that reads well in its module alone: then the route has a `name`.
    """
    return "_".join((*map(str, route.tags[:1]), route.name)).replace(" ", "_")


def _complete(operation: Json, method: str, path: str, *, counted: bool) -> None:
    answers: Json = operation["responses"]
    if "HTTPValidationError" in str(answers.get("422")):
        del answers["422"]
    for status, common in _common(method, path).items():
        _merge(answers, str(status), common)
    _show(operation["operationId"], answers)
    if operation.get("security"):
        operation["description"] = "\n\n".join((operation["description"], _for_keys(method, path)))
        scope = needed(method, path)
        operation["security"] += [] if scope is None else [{"apiKey": [scope.value]}]
    else:
        operation["security"] = []
    parameters: list[Json] = operation.get("parameters", [])
    parameters += [headers.ORGANIZATION] if operation.get("security") else []
    parameters += [_KEY_PARAMETER] if _takes_key(method, path) else []
    if parameters:
        operation["parameters"] = parameters
    metered = bool(operation.get("security")) and needed(method, path) is not None
    headers.complete(answers, takes_key=_takes_key(method, path), counted=counted, metered=metered)


def _show(operation_id: str, answers: Json) -> None:
    """Give each answer that is JSON, and no problem, its example."""
    for status, answer in answers.items():
        content = answer.get("content", {}).get("application/json")
        example = example_of(operation_id, status)
        if content is not None and example is not None:
            content["example"] = example


def _common(method: str, path: str) -> Responses:
    """The error answers that need no mention at a route."""
    codes: list[str | type[AppError]] = ["INTERNAL"]
    if path.startswith("/api"):
        codes += ["VALIDATION_ERROR", "RATE_LIMITED", "UNAVAILABLE"]
    if path.startswith("/api") and (method, path) not in PUBLIC:
        codes += ["UNAUTHENTICATED", "FORBIDDEN", "ORGANIZATION_NOT_FOUND"]
        codes += ["PEOPLE_ONLY"] if needed(method, path) is None else ["MISSING_SCOPE", "QUOTA_EXCEEDED"]
    if method != "GET" and path.startswith("/api"):
        codes += [MalformedJson, "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE"]
    if _takes_key(method, path):
        codes += ["IDEMPOTENCY_MISMATCH", "IDEMPOTENCY_IN_PROGRESS"]
    return problems(*codes)


def _for_keys(method: str, path: str) -> str:
    """Whether an API key may ask, in a sentence."""
    scope = needed(method, path)
    return "Not for API keys." if scope is None else f"An API key needs the scope `{scope.value}`."


def _takes_key(method: str, path: str) -> bool:
    return method == "POST" and path.startswith("/api/") and not path.startswith(APART)


def _merge(answers: Json, status: str, common: Json) -> None:
    """Add the common codes of a status to what the route says of it."""
    own = answers.get(status)
    if own is None:
        answers[status] = common
        return
    own["description"] = "\n".join(_texts(own["description"], common["description"]))
    for kind, content in common["content"].items():
        mine = own.setdefault("content", {}).setdefault(kind, {"schema": content["schema"], "examples": {}})
        mine["examples"] = {**mine.get("examples", {}), **content["examples"]}


def _texts(*texts: str) -> Iterable[str]:
    return (text for text in texts if text)
