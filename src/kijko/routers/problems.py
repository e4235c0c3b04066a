"""Errors as they leave over HTTP: one place turns every exception into problem+json, one documents them.

@router.get("/{skillId}", responses=problems("SKILL_NOT_FOUND"))
"""

import logging
from collections.abc import Iterator, Mapping
from typing import Any, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from kijko.core.db.errors import DatabaseError, InvalidArgument, Raised
from kijko.core.errors import AppError, Invalid, NotFound, Unauthenticated, Unavailable
from kijko.core.tenancy import translate
from kijko.middleware.answer import MEDIA_TYPE, rendered
from kijko.middleware.errors import MalformedJson, MethodNotAllowed, PayloadTooLarge, Refusal, UnsupportedMediaType
from kijko.models.problem import problem_of, status_of
from kijko.routers.examples.problems import shown
from kijko.routers.misspelt import shape_of
from kijko.routers.strangers import stranger
from kijko.routers.validation import meaning

log = logging.getLogger(__name__)

Responses = dict[int | str, dict[str, Any]]
"""What FastAPI takes as `responses`: OpenAPI's own JSON."""

_BY_STATUS: Final[Mapping[int, type[AppError]]] = {
    400: MalformedJson,
    401: Unauthenticated,
    404: NotFound,
    405: MethodNotAllowed,
    413: PayloadTooLarge,
    415: UnsupportedMediaType,
}
_OUT_OF_RANGE: Final = "22003"


def problems(*codes: str | type[AppError]) -> Responses:
    """The documented error answers of a route, by the codes it may give. Those of every route need no mention.

    Args:
        codes: each a code, or its class of errors where several features have the code, each with words of its own.

    Raises:
        LookupError: no class of errors has such a code, so import the module that has it; or several have it.
    """
    found: Responses = {}
    for code in codes:
        _document(found, _kind(code) if isinstance(code, str) else code)
    return found


def _kind(code: str) -> type[AppError]:
    """The class of errors that has this code; it speaks for those below it, which differ in their words only."""
    kinds = [each for each in _kinds(AppError) if each.code == code]
    if not kinds:
        raise LookupError(f"No error has the code {code}. Import the module that defines it before this one.")
    if not all(issubclass(each, kinds[0]) for each in kinds):
        names = ", ".join(f"{each.__module__}.{each.__name__}" for each in kinds)
        raise LookupError(f"Several errors have the code {code}: {names}. Give the class instead.")
    return kinds[0]


def handle_errors(app: FastAPI) -> None:
    """Let the app answer every exception as a problem. What is unexpected is left to the middleware LastResort."""
    for kind in (AppError, DatabaseError, RequestValidationError):
        app.add_exception_handler(kind, _on_expected)
    app.add_exception_handler(HTTPException, _on_http_exception)


def expected(error: Exception) -> AppError | None:
    """What an exception of a route says to the person who asked; None for what nobody expected."""
    match error:
        case AppError():
            return error
        case RequestValidationError():
            return meaning(error)
        case DatabaseError():
            return translate(error) or _of_argument(error)
        case _:
            return None


async def _on_expected(request: Request, error: Exception) -> Response:
    said = meaning(error, shape_of(request)) if isinstance(error, RequestValidationError) else expected(error)
    if said is None:
        raise error
    if isinstance(error, RequestValidationError | UnsupportedMediaType):
        said = await stranger(request) or said
    if isinstance(said, Unavailable) and said is not error:
        log.warning("unavailable: %s", error)
    return _answer(said)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for nothing else
    if isinstance(error, Refusal):
        return _answer(await stranger(request) or error.error)
    kind = _BY_STATUS.get(error.status_code)
    if kind is None:
        raise error
    answer = _answer(kind())
    for name, value in (error.headers or {}).items():
        answer.headers[name] = value
    return answer


def _of_argument(error: DatabaseError) -> AppError | None:
    """A value that passed our own checks and that Postgres cannot hold."""
    if isinstance(error, InvalidArgument):
        return Invalid("The request contains a text with a character that cannot be kept (such as NUL). Remove it.")
    if isinstance(error, Raised) and error.sqlstate == _OUT_OF_RANGE:
        return Invalid("The request contains a number that is out of range.")
    return None


def _answer(error: AppError) -> Response:
    status, body, headers = rendered(error)
    answer = Response(body, status)
    answer.raw_headers = headers
    return answer


def _kinds(kind: type[AppError]) -> Iterator[type[AppError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _kinds(each)


def _document(found: Responses, kind: type[AppError]) -> None:
    """Add a code to its status's answer: its name in the description, a whole problem as an example."""
    text = " ".join((kind.__doc__ or "").split())
    error = shown(kind)
    answer = found.setdefault(
        status_of(error),
        {
            "description": "",
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}},
        },
    )
    answer["description"] = "\n".join(filter(None, (answer["description"], f"- `{kind.code}`: {text}")))
    example = problem_of(error, "3f2b9a54d1e84c0e8f6d2a7c51b0e9aa").model_dump(by_alias=True, exclude_none=True)
    answer["content"][MEDIA_TYPE]["examples"][kind.code] = {"summary": kind.code, "value": example}
