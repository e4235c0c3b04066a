"""Pieces put together to what the file was: windows that overlap have the same text at their ends, which comes once."""

from collections.abc import Iterator
from typing import Final

from kijko.services.exports.queries import Piece

_LONGEST: Final = 65_536
_FIRST: Final = 16
_TRIES: Final = 500
"""Places that are looked at: a text of one character has its beginning everywhere."""


def without_overlap(before: Piece | None, piece: Piece) -> str:
    """What a piece adds to the one before it.

    Bytes are the file's own, and the text has placeholders where its secrets were, so the overlap is looked for in the
    texts; where nothing was replaced it is as long as the bytes say.
    """
    if before is None or piece.place != before.place or piece.start_byte >= before.end_byte:
        return piece.content
    told = len(piece.content.encode()[: before.end_byte - piece.start_byte].decode("utf-8", "ignore"))
    for length in (told, *_lengths(before.content[-_LONGEST:], piece.content)):
        if before.content.endswith(piece.content[:length]):
            return piece.content[length:]
    return piece.content


def _lengths(tail: str, text: str) -> Iterator[int]:
    """How long an overlap may be, the longest first: wherever the tail has the text's first characters."""
    first, at = text[:_FIRST], -1
    for _ in range(_TRIES):
        if (at := tail.find(first, at + 1)) < 0:
            break
        yield len(tail) - at
    yield from range(min(len(first), len(tail)), 0, -1)
