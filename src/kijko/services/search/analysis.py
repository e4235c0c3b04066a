"""What the index keeps of a piece of code: its terms, how much each weighs, and how long the piece is.

Pure; it runs in the processes that read files. The weight of a term is how often it stands in the piece, and more where
it stands in the file's path, in the name of a definition or in the line that sums the piece up.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, Protocol

from kijko.services.search.packing import pack, source_of
from kijko.services.search.terms import NAMED, expanded, tokens, whole

PATH_WEIGHT: Final = 2
NAME_WEIGHT: Final = 3
SUMMARY_WEIGHT: Final = 2

_DEFINED: Final = re.compile(
    r"^[ \t]*(?:(?:export|default|declare|public|private|protected|internal|static|final|abstract|async|pub|unsafe"
    r"|override|virtual|sealed|inline|const)\s+|pub\([a-z]+\)\s+)*"
    r"(?:def|class|func|function|fn|fun|struct|enum|trait|interface|impl|type|module|namespace|sub|proc|macro)\b[ \t*]*"
    r"(?:\([^()\n]{0,80}\)[ \t]*)?([^\W\d][\w.:]*)",
    re.MULTILINE,
)
_COMMENT: Final = re.compile(
    r'^\s*(?:@.*\n\s*)*(?:(?:/\*+!?|//+!?|#+!?|--+|;+|%+|"""|\'\'\'|<!--)[ \t]*|\*[ \t]+)+(?:\n[ \t]*\*?[ \t]*)?(\S.*)'
)
_DOCSTRING: Final = re.compile(r':[ \t]*\n[ \t]*[rRuU]?(?:"""|\'\'\')[ \t]*\n?[ \t]*(\S.*)')
_DOCSTRING_WITHIN: Final = 2000


class Piece(Protocol):
    """What is asked of a piece of a file."""

    @property
    def text(self) -> str: ...
    @property
    def symbol(self) -> str | None: ...


def analyse(path: str, language: str | None, pieces: Sequence[Piece]) -> list[bytes]:
    """The terms of each piece of a file, packed: what `stage` takes."""
    where, source = _path_terms(path), source_of(path)
    counted = [Counter(tokens(piece.text)) for piece in pieces]
    lengths = [each.total() for each in counted]
    whole_length = sum(lengths)
    return [
        pack(source, length, whole_length, _weights(where, piece, each))
        for piece, each, length in zip(pieces, counted, lengths, strict=True)
    ]


def _weights(where: dict[str, int], piece: Piece, counted: Counter[str]) -> dict[str, int]:
    found = where.copy()
    known = found.get
    for token, times in counted.items():
        for term in expanded(token):
            found[term] = known(term, 0) + times
    for name in _names(piece):
        _add(found, _name_terms(name), NAME_WEIGHT)
    for token in tokens(_summary(piece.text)):
        _add(found, expanded(token), SUMMARY_WEIGHT)
    return found


def _add(found: dict[str, int], terms: Iterable[str], weight: int) -> None:
    for term in terms:
        found[term] = found.get(term, 0) + weight


def _names(piece: Piece) -> set[str]:
    """What is defined in a piece: its symbol, and where it is several small things merged, each of them."""
    names = set(_DEFINED.findall(piece.text))
    if piece.symbol:
        names.update(piece.symbol.split(", "))
    return names


@lru_cache(maxsize=2_000)
def _name_terms(name: str) -> tuple[str, ...]:
    """Of a name or a path of names: every word, the last one whole and the whole path."""
    steps = [step for token in tokens(name) if (step := whole(token))]
    if not steps:
        return ()
    exact = {NAMED + steps[-1], NAMED + "".join(steps)}
    return (*(term for token in tokens(name) for term in expanded(token)), *(one for one in exact if len(one) <= 65))


@lru_cache(maxsize=64)
def _path_terms(path: str) -> dict[str, int]:
    found: dict[str, int] = {}
    folder, _, name = path.rpartition("/")
    stem, _, _ = name.partition(".")
    for token in tokens(folder):
        _add(found, expanded(token), 1)
    for token in tokens(name):
        _add(found, expanded(token), PATH_WEIGHT if token in stem else 1)
    return found


def _summary(text: str) -> str:
    """The first line of the comment that a piece begins with, or of a docstring near its beginning."""
    found = _COMMENT.match(text[:_DOCSTRING_WITHIN]) or _DOCSTRING.search(text[:_DOCSTRING_WITHIN])
    return found[1] if found else ""
