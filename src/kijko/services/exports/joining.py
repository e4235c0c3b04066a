"""Pieces put together to what the file was: windows that overlap have the same text at their ends, which comes once."""

from typing import Final

from kijko.services.exports.queries import Piece

_LONGEST: Final = 65_536


def without_overlap(before: Piece | None, piece: Piece) -> str:
    """What a piece adds to the one before it.

    Bytes are the file's own, and the text has placeholders where its secrets were, so the overlap is looked for in the
    texts; where nothing was replaced it is as long as the bytes say.
    """
    if before is None or piece.place != before.place or piece.start_byte >= before.end_byte:
        return piece.content
    told = len(piece.content.encode()[: before.end_byte - piece.start_byte].decode("utf-8", "ignore"))
    longest = min(len(before.content), len(piece.content), _LONGEST)
    for length in (told, *range(longest, 0, -1)):
        if before.content.endswith(piece.content[:length]):
            return piece.content[length:]
    return piece.content
