"""A short way through FastAPI for plain reads.

FastAPI solves a route's dependencies anew for each request: it walks the tree, asks each function what kind it is, and
looks for parameters of kinds that are not there, which costs about as much as the query itself. For a GET whose
dependencies are plain coroutines and which answers with a Response, all that is known beforehand: the tree becomes a
list of steps. What differs in any respect goes FastAPI's own way; parameters are read and checked by FastAPI's code in
both.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from types import NoneType
from typing import Any, Final
from uuid import UUID

from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

# Any: dependencies and parameters are of all types; FastAPI's own signatures are as wide.
Source = Callable[[Request], Mapping[str, Any]]
Read = Callable[[Request], tuple[Mapping[str, Any], Sequence[Any]]]
"""Parameters of a request, checked, and what is wrong with them."""

_FAILED: Final = object()
_LONGEST_QUERY: Final = 256
_MOST_QUERIES: Final = 512
_IMMUTABLE: Final = (str, int, float, bool, NoneType, Enum, UUID, datetime, date)
"""What one request's route cannot change for the next one's."""
_SOURCES: Final[tuple[tuple[str, Source], ...]] = (
    ("path_params", lambda request: request.path_params),
    ("query_params", lambda request: request.query_params),
    ("header_params", lambda request: request.headers),
)
_FOREIGN: Final = (
    "body_params",
    "cookie_params",
    "websocket_param_name",
    "background_tasks_param_name",
    "response_param_name",
    "security_scopes_param_name",
    "own_oauth_scopes",
    "concurrency",
)
"""What a dependency may have that only FastAPI's own way serves."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call, with where each of its arguments comes from."""

    call: Callable[..., Awaitable[Any]]
    inputs: tuple[tuple[str, int], ...]
    """(parameter, the step whose value it takes)"""
    reads: tuple[Read, ...]
    request_as: tuple[str, ...]


def plan(endpoint: Dependant) -> list[Step] | None:
    """The steps of a route, the route itself last; None where FastAPI has to solve it."""
    if not _answers_itself(endpoint.call):
        return None
    steps: list[Step] = []
    known: dict[int, int] = {}
    return steps if _add(endpoint, steps, known) is not None else None


def shortcut(steps: Sequence[Step]) -> ASGIApp:
    """The route as an ASGI application. Its errors are left to the application's handlers."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response = await _run(steps, Request(scope, receive, send))
        await response(scope, receive, send)

    return app


async def _run(steps: Sequence[Step], request: Request) -> Response:
    values: list[Any] = []
    errors: list[Any] = []
    for step in steps:
        given = {name: values[index] for name, index in step.inputs}
        failed = _FAILED in given.values()
        for read in step.reads:
            found, wrong = read(request)
            given.update(found)
            errors += wrong
            failed = failed or bool(wrong)
        for name in step.request_as:
            given[name] = request
        if step is steps[-1] and errors:
            raise RequestValidationError(errors)
        values.append(_FAILED if failed else await step.call(**given))
    response: Response = values[-1]
    return response


def _add(of: Dependant, steps: list[Step], known: dict[int, int]) -> int | None:
    """Append the steps of a dependency; the index of its own, or None where it is not a plain one."""
    if not _is_plain(of):
        return None
    inputs: list[tuple[str, int]] = []
    for one in of.dependencies:
        # One value for each function and request, as FastAPI has it.
        index = known[id(one.call)] if id(one.call) in known and one.use_cache else _add(one, steps, known)
        if index is None:
            return None
        known[id(one.call)] = index
        if one.name is not None:
            inputs.append((one.name, index))
    assert of.call is not None  # noqa: S101  # a plain one has it
    reads = tuple(_read(name, source, getattr(of, name)) for name, source in _SOURCES if getattr(of, name))
    request_as = tuple(name for name in (of.request_param_name, of.http_connection_param_name) if name)
    steps.append(Step(of.call, tuple(inputs), reads, request_as))
    return len(steps) - 1


def _read(kind: str, source: Source, fields: Sequence[Any]) -> Read:
    def read(request: Request) -> tuple[Mapping[str, Any], Sequence[Any]]:
        return request_params_to_args(fields, source(request))

    return _remembering(read) if kind == "query_params" else read


def _remembering(read: Read) -> Read:
    """The same, but a query that was read before comes from memory: lists are asked for with the same few."""
    known: dict[bytes, Mapping[str, Any]] = {}

    def remembered(request: Request) -> tuple[Mapping[str, Any], Sequence[Any]]:
        query: bytes = request.scope["query_string"]
        if query in known:
            return known[query], ()
        found, wrong = read(request)
        if not wrong and len(query) <= _LONGEST_QUERY and all(isinstance(one, _IMMUTABLE) for one in found.values()):
            if len(known) >= _MOST_QUERIES:
                known.clear()
            known[query] = found
        return found, wrong

    return remembered


def _is_plain(of: Dependant) -> bool:
    return _is_coroutine(of.call) and not any(getattr(of, name) for name in _FOREIGN)


def _is_coroutine(call: Callable[..., Any] | None) -> bool:
    return inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(getattr(call, "__call__", None))  # noqa: B004  # an object may be one


def _answers_itself(call: Callable[..., Any] | None) -> bool:
    answers = inspect.signature(call).return_annotation if call is not None else None
    return inspect.isclass(answers) and issubclass(answers, Response)
