"""Words for people: numbers with what they count, and the name that was probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

NEAR: Final = 0.6
"""How alike two names are, from 0 to 1, that one may be a slip for the other."""


def counted(number: float, one: str, many: str | None = None) -> str:
    """`1 chunk`, `1,234 chunks`, `0.5 seconds`: `many` where that is not `one` with an s."""
    shown = f"{number:,}" if isinstance(number, int) else f"{number:g}"
    return f"{shown} {one if number == 1 else many or one + 's'}"


def nearest(name: str, others: Iterable[str], *, alike: float = NEAR) -> str | None:
    """The one that differs least, not counting what people get wrong first: capitals, underscores and dashes."""
    known = {_plain(other): other for other in others}
    found = get_close_matches(_plain(name), known, n=1, cutoff=alike)
    return known[found[0]] if found else None


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()
