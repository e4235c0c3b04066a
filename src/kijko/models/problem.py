"""The one shape of every answer that is not a success (RFC 9457), and the one place that knows the status numbers."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final

from pydantic import WithJsonSchema

from kijko.core.errors import (
    AppError,
    Conflict,
    Forbidden,
    Invalid,
    Limited,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from kijko.models.base import UriReference, Wire

_STATUS: tuple[tuple[type[AppError], HTTPStatus], ...] = (
    (Invalid, HTTPStatus.UNPROCESSABLE_ENTITY),
    (Unauthenticated, HTTPStatus.UNAUTHORIZED),
    (Forbidden, HTTPStatus.FORBIDDEN),
    (NotFound, HTTPStatus.NOT_FOUND),
    (Conflict, HTTPStatus.CONFLICT),
    (Limited, HTTPStatus.TOO_MANY_REQUESTS),
    (Unavailable, HTTPStatus.SERVICE_UNAVAILABLE),
)

# Where the contract, or another protocol, gives a code another status than its kind has.
_STATUS_OF_CODE: Mapping[str, HTTPStatus] = {
    "SEAT_LIMIT": HTTPStatus.PAYMENT_REQUIRED,
    "PAYMENT_FAILED": HTTPStatus.PAYMENT_REQUIRED,
    "PAYMENT_ACTION_REQUIRED": HTTPStatus.PAYMENT_REQUIRED,
    "INVITATION_EXPIRED": HTTPStatus.GONE,
    "PRECONDITION_FAILED": HTTPStatus.PRECONDITION_FAILED,
    "PAYLOAD_TOO_LARGE": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "STRIPE_ERROR": HTTPStatus.BAD_GATEWAY,
    "MALFORMED_JSON": HTTPStatus.BAD_REQUEST,
    "METHOD_NOT_ALLOWED": HTTPStatus.METHOD_NOT_ALLOWED,
    "UNKNOWN_SESSION": HTTPStatus.BAD_REQUEST,
    "UNSUPPORTED_MEDIA_TYPE": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
}


_DETAILS: Final = {
    "description": "Of a 422 with a `field` all fields at fault; of a 402 and a 429 the limit; else of each code's own "
    "shape, or null.",
    "anyOf": [
        {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
                "required": ["field", "message"],
            },
        },
        {
            "type": "object",
            "properties": {
                "metric": {"type": "string"},
                "limit": {"type": "number"},
                "used": {"type": "number"},
                "resetsAt": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]},
            },
            "required": ["metric", "limit", "used", "resetsAt"],
        },
        {"type": "object", "additionalProperties": True},
        {"type": "null"},
    ],
}


class Problem(Wire):
    """An error as the web app and every client read it: `detail` is for people, `code` for programs."""

    type: UriReference = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    message: str
    field: str | None = None
    details: Annotated[Any | None, WithJsonSchema(_DETAILS)] = None  # any JSON: the shape is each code's own
    request_id: str


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    request_id: str,
    field: str | None = None,
    details: Mapping[str, Any] | Sequence[Any] | None = None,
) -> Problem:
    """A problem with its status's own title; `message` repeats `detail`, as the service files of the app read it."""
    return Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        message=detail,
        field=field,
        details=details,
        request_id=request_id,
    )


def status_of(error: AppError) -> int:
    """The HTTP status of an error: by its code where the contract names another than its kind's; 500 for no kind."""
    if error.code in _STATUS_OF_CODE:
        return _STATUS_OF_CODE[error.code]
    return next((status for kind, status in _STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)


def problem_of(error: AppError, request_id: str) -> Problem:
    """The problem that an error is, under the request id of its answer."""
    return problem(
        status_of(error),
        error.code,
        error.detail,
        request_id=request_id,
        field=error.field,
        details=error.details,
    )
