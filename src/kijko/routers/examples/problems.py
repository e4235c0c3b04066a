"""Errors by example, of those whose field and details are made when they happen."""

from collections.abc import Mapping
from typing import Any, Final

from kijko.core.errors import AppError, Invalid, Limited, QuotaExceeded
from kijko.core.quotas import SeatLimit
from kijko.services.api_keys import MissingScope
from kijko.services.executions.errors import InvalidInput

_DETAILS: Final[Mapping[type[AppError], tuple[str, Any]]] = {  # Any: JSON, of a shape for each code
    Invalid: (
        "name must have at least 2 characters.",
        [{"field": "name", "message": "must have at least 2 characters"}],
    ),
    InvalidInput: (
        "The input does not fit the skill: text is required.",
        [{"field": "input.text", "message": "is required"}],
    ),
    MissingScope: (
        "This API key lacks the scope executions:run, which this needs. Make a key that has it.",
        {"scope": "executions:run", "scopes": ["executions:read", "skills:read"]},
    ),
    Limited: (
        "Too many attempts: 5 a minute are allowed. Wait 42 s, then try again.",
        {"metric": "login", "limit": 5, "used": 5, "resetsAt": "2026-01-31T09:30:42.000Z"},
    ),
    QuotaExceeded: (
        "Your plan allows 10 oracle queries a day, and they are used up until 2026-02-01 00:00 UTC. Wait until then, "
        "or upgrade your plan.",
        {"metric": "oracle_queries", "limit": 10, "used": 10, "resetsAt": "2026-02-01T00:00:00Z"},
    ),
    SeatLimit: (
        "Your plan's 3 seats are taken. Remove a member or an open invitation, or upgrade your plan.",
        {"metric": "seats", "limit": 3, "used": 3, "resetsAt": None},
    ),
}


def shown(kind: type[AppError]) -> AppError:
    """An error of that kind as somebody would get it; without field and details where they are not known here."""
    error = kind.__new__(kind)  # some take arguments that nobody has here
    detail, details = _DETAILS.get(kind, (" ".join((kind.__doc__ or "").split()), None))
    field = details[0]["field"] if isinstance(details, list) else None
    AppError.__init__(error, detail, field=field, details=details)
    return error
