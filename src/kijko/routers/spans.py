"""A span of time in an address: `startDate` and `endDate`, each a UTC day or an instant with its zone."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import Query
from pydantic import BeforeValidator

from kijko.core.errors import Invalid
from kijko.services.statistics import EARLIEST, LATEST, Span, midnight

_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_SAID: Final = (
    "must be a date, such as 2026-01-31, or a date and time that says its time zone, such as 2026-01-31T09:30:00Z"
)


def _moment(given: Any) -> Any:  # Any: pydantic's own; a text of the address, or what it became already
    if not isinstance(given, str):
        return given
    try:
        if _DATE.fullmatch(given):
            return date.fromisoformat(given)
        found = datetime.fromisoformat(given)
    except ValueError:
        raise ValueError(_SAID) from None
    if found.tzinfo is None:
        raise ValueError(_SAID)
    return found


Moment = Annotated[date | datetime, BeforeValidator(_moment)]
StartDate = Annotated[
    Moment | None,
    BeforeValidator(_moment),
    Query(alias="startDate", description="From here on, by when it was asked for: a UTC day, or an instant."),
]
EndDate = Annotated[
    Moment | None,
    BeforeValidator(_moment),
    Query(alias="endDate", description="Up to here: a UTC day with all of it, or an instant."),
]


def span(start: date | datetime | None, end: date | datetime | None) -> Span:
    """From the start, else from ever, up to and with the end, else up to ever.

    Raises:
        Invalid: the end is before the start.
    """
    since = EARLIEST if start is None else _begin(start)
    until = LATEST if end is None else _end(end)
    if since >= until and since not in (EARLIEST, LATEST):
        raise Invalid("endDate must not be before startDate.", field="endDate")
    return Span(since, max(since, until))


def _begin(given: date | datetime) -> datetime:
    if not EARLIEST.year < given.year < LATEST.year:  # where nothing ran; beyond it, zones would leave Python's years
        return EARLIEST if given.year <= EARLIEST.year else LATEST
    return given.astimezone(UTC) if isinstance(given, datetime) else midnight(given)


def _end(given: date | datetime) -> datetime:
    after = timedelta(microseconds=1) if isinstance(given, datetime) else timedelta(days=1)
    begin = _begin(given)
    return begin if begin in (EARLIEST, LATEST) else begin + after
