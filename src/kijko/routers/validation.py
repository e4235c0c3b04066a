"""What is wrong with a request's content, in words for people and with the names that the web app uses."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from fastapi.exceptions import RequestValidationError

from kijko.core.errors import AppError, Invalid, NotFound
from kijko.middleware.errors import MalformedJson
from kijko.routers.misspelt import Shape, misspelt

Error = Mapping[str, Any]  # as pydantic gives it

_MOST_DETAILS: Final = 100
_SAID: Final[Mapping[str, str]] = {
    "missing": "is required",
    "string_type": "must be a text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "must be a number with fewer digits",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "decimal_type": "must be a number",
    "decimal_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "uuid_type": "must be a UUID",
    "uuid_parsing": "must be a UUID",
    "datetime_type": "must be a date and time in ISO 8601, such as 2026-01-31T09:30:00Z",
    "datetime_parsing": "must be a date and time in ISO 8601, such as 2026-01-31T09:30:00Z",
    "datetime_from_date_parsing": "must be a date and time in ISO 8601, such as 2026-01-31T09:30:00Z",
    "timezone_aware": "must say its time zone, such as 2026-01-31T09:30:00Z",
    "date_type": "must be a date, such as 2026-01-31",
    "date_parsing": "must be a date, such as 2026-01-31",
    "date_from_datetime_parsing": "must be a date, such as 2026-01-31",
    "extra_forbidden": "is not a known name here",
}
_SAID_WITH: Final[Mapping[str, str]] = {
    "string_too_short": "must have at least {min_length} {counted}",
    "string_too_long": "must have at most {max_length} {counted}",
    "too_short": "must have at least {min_length} {counted}",
    "too_long": "must have at most {max_length} {counted}",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "enum": "must be one of {expected}",
    "literal_error": "must be one of {expected}",
    "string_pattern_mismatch": "does not have the expected form",
    "value_error": "{error}",
}
_BOUNDS: Final = frozenset({"greater_than", "greater_than_equal", "less_than", "less_than_equal"})
_COUNTED: Final = {True: ("character", "characters"), False: ("entry", "entries")}
_MEMBER: Final = re.compile(r"<\w+\.\w+: (.+?)>")  # how Python shows a member of an enumeration


def meaning(error: RequestValidationError, shape: Shape | None = None) -> AppError:
    """The error that FastAPI's validation stands for: malformed JSON, an id of nothing, or what each field lacks.

    `shape` is the body's: a name that it does not have may be a misspelling of one that it has.
    """
    errors: Sequence[Error] = error.errors()
    if errors and errors[0]["type"] == "json_invalid":
        return MalformedJson(_where_json_breaks(errors[0]))
    unknown = next((each for each in errors if each["loc"][:1] == ("path",)), None)
    if unknown is not None:
        return _nothing_there(unknown)
    details = list(_details(errors, shape))
    first = details[0]
    name = first["field"]
    more = f" ({len(details) - 1} more in details)" if len(details) > 1 else ""
    said = _sentence(first["message"]) if _is_whole(errors[0]) else f"{name or 'The body'} {first['message']}"
    end = "" if said.endswith("?") and not more else "."
    return Invalid(f"{said}{more}{end}", field=name or None, details=details)


def _where_json_breaks(error: Error) -> str:
    return f"The body is not valid JSON: {error['ctx']['error']} at character {error['loc'][-1]}."


def _nothing_there(error: Error) -> NotFound:
    """What an address with an id that is no id leads to: the same as an id that nothing has."""
    kind = error.get("ctx", {}).get("not_found", NotFound)
    found: NotFound = kind()
    return found


def _details(errors: Iterable[Error], shape: Shape | None) -> list[dict[str, str]]:
    seen: dict[tuple[str, str], dict[str, str]] = {}
    for error in errors:
        entry = {"field": _path(error["loc"]), "message": _message(error) + misspelt(error, shape)}
        seen.setdefault((entry["field"], entry["message"]), entry)
    return list(seen.values())[:_MOST_DETAILS]


def _path(location: Sequence[str | int]) -> str:
    """The field by its name on the wire, without `body` or `query`; entries of lists by their number, from 0."""
    first, *rest = location
    named = rest if first in {"body", "query", "header", "cookie"} else location
    return ".".join(str(part) for part in named)


def _is_whole(error: Error) -> bool:
    """Whether it is the word of a check of the body as a whole: that names what it is about, so it needs no subject."""
    return error["type"] == "value_error" and not _path(error["loc"])


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _message(error: Error) -> str:
    kind: str = error["type"]
    if kind in _SAID:
        return _SAID[kind]
    if kind in _BOUNDS and _is_nan(error.get("input")):
        return _SAID["float_type"]
    if kind in _SAID_WITH:
        context = {name: _in_words(value) for name, value in error.get("ctx", {}).items()}
        return _SAID_WITH[kind].format(counted=_counted(error), **context)
    said: str = error["msg"]
    return said[:1].lower() + said[1:]


def _in_words(value: Any) -> Any:  # Any: whatever a rule of pydantic's has as its bound
    """A bound as a person writes it: 120 for 120.0, and the values of an enumeration without their class."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return _MEMBER.sub(r"\1", value) if isinstance(value, str) else value


def _counted(error: Error) -> str:
    context = error.get("ctx", {})
    singular, plural = _COUNTED[isinstance(error.get("input"), str)]
    return singular if context.get("min_length", context.get("max_length")) == 1 else plural


def _is_nan(given: Any) -> bool:  # Any: whatever was sent
    """Whether it is what computers call "not a number": it is beyond every bound, so a bound would be no help."""
    if isinstance(given, str):
        return given.strip().lower().lstrip("+-") == "nan"
    return isinstance(given, float) and math.isnan(given)
