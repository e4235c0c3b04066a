"""Ids of events as clients name them."""

from typing import Final

from kijko.realtime import refusals
from kijko.realtime.refusals import Refused

_LARGEST: Final = 2**53
_DIGITS: Final = 16


def number_of(given: object) -> int | None:
    """An id that a client sends back; None where it names none.

    Raises:
        Refused: it is no id.
    """
    if given is None or given == "":
        return None
    text = str(given) if isinstance(given, str | int) and not isinstance(given, bool) else "no id"
    if not (text.isascii() and text.isdigit()) or len(text) > _DIGITS or int(text) > _LARGEST:
        raise Refused(refusals.BAD_ID)
    return int(text)
