"""The headers of requests and answers as the OpenAPI document describes them."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi.dependencies.models import Dependant

from kijko.routers.limits import COUNTED

Json = dict[str, Any]  # OpenAPI's own JSON


def _text(description: str, example: str, **more: object) -> Json:
    return {"description": description, "schema": {"type": "string"}, "example": example, **more}


def _number(description: str, example: int) -> Json:
    return {"description": description, "schema": {"type": "integer", "minimum": 0}, "example": example}


HEADERS: Final[Mapping[str, Json]] = {
    "X-Request-ID": _text(
        "The id of this request: the one that was sent, where it was fit, else a new one. It is in the log too.",
        "3f2b9a54d1e84c0e8f6d2a7c51b0e9aa",
        required=True,
    ),
    "ETag": _text("Of this save: name it in If-Match, and nobody's change is overwritten unseen.", '"7"'),
    "Retry-After": _number("Seconds to wait before the next try.", 42),
    "RateLimit-Limit": _number("How many are allowed in the window.", 5),
    "RateLimit-Remaining": _number("How many are left.", 3),
    "RateLimit-Reset": _number("Seconds until the next place comes free.", 42),
    "RateLimit-Policy": _text("The limit and its window in seconds, as the IETF draft has it.", '"login";q=5;w=60'),
    "RateLimit": _text("What is left and when more comes free, as the IETF draft has it.", '"login";r=3;t=42'),
    "Idempotent-Replayed": {
        "description": "`true` when this is the answer kept under the Idempotency-Key.",
        "schema": {"type": "string", "const": "true"},
    },
    "WWW-Authenticate": _text("How to ask: with a bearer token, and whether the one that came is none.", "Bearer"),
    "Content-Disposition": _text("The name of the file.", 'attachment; filename="executions-2026-01-31.csv"'),
    "Location": {
        "description": "Where the browser goes on.",
        "schema": {"type": "string", "format": "uri"},
    },
}
LIMIT: Final = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "RateLimit")
"""What an answer to something counted carries."""
# The example stands in the schema: one beside it is filled in on the page, and the request would be sent with it.
ORGANIZATION: Final[Json] = {
    "name": "X-Organization-Id",
    "in": "header",
    "required": False,
    "description": "Another of your organizations, for this request; else the one that your token names.",
    "schema": {"type": "string", "format": "uuid", "examples": ["0b8f5c1e-6a5d-4d51-9a43-2f7c9e1b7d10"]},
}
_COMPONENT: Final = "#/components/headers/"


def described(*names: str) -> Json:
    """These headers, for a route's `responses={200: {"headers": …}}`."""
    return {name: {"$ref": _COMPONENT + name} for name in names}


def complete(answers: Json, *, takes_key: bool, counted: bool, metered: bool) -> None:
    """Add the headers that every answer of such an operation may carry to what the route says itself.

    Args:
        answers: by status. takes_key: it honours an Idempotency-Key. counted: it takes one of the limits.
        metered: an API key may ask, and each answer says how many API calls are left.
    """
    for status, answer in answers.items():
        names = ["X-Request-ID"]
        if takes_key and status[0] in "24" and status != "429":
            names.append("Idempotent-Replayed")
        if status in {"429", "503"}:
            names.append("Retry-After")
        if status == "401":
            names.append("WWW-Authenticate")
        if status == "429":
            names += LIMIT
        if metered:
            names += LIMIT
        if counted:
            names += [*LIMIT, "RateLimit-Policy"]
        if status[0] == "3":
            names.append("Location")
        answer["headers"] = described(*names) | answer.get("headers", {})


def is_counted(of: Dependant) -> bool:
    """Whether a route takes one of the limits."""
    return of.call in COUNTED or any(is_counted(each) for each in of.dependencies)
