"""The stem of an English word: what is left without its plural, `-ing`, `-ed` and the commonest endings.

Our own and small: an index and its queries must agree for as long as the index lives, whichever release of a library
is installed; and code has few inflections.
"""

import re
from functools import lru_cache
from typing import Final

_VOWEL: Final = re.compile("[aeiouy]")
_SHORTEST: Final = 3
_DOUBLED: Final = frozenset({"bb", "dd", "ff", "gg", "mm", "nn", "pp", "rr", "tt"})
_ENDINGS: Final[tuple[tuple[str, str], ...]] = (
    ("ization", "iz"),
    ("isation", "is"),
    ("ational", "at"),
    ("fulness", "ful"),
    ("iveness", "iv"),
    ("ibility", "ibl"),
    ("ability", "abl"),
    ("ation", "at"),
    ("ator", "at"),
    ("ement", ""),
    ("ments", ""),
    ("ment", ""),
    ("ness", ""),
    ("izer", "iz"),
    ("iser", "is"),
    ("able", ""),
    ("ible", ""),
    ("ally", "al"),
    ("ion", ""),
    ("ly", ""),
    ("er", ""),
    ("or", ""),
    ("al", ""),
    ("e", ""),
)


_SUFFIXES: Final = tuple(ending for ending, _ in _ENDINGS)


@lru_cache(maxsize=8_000)  # names are many, the words in them few
def stem(word: str) -> str:
    """The stem of a word in lower case. What is short, or no plain word, stays as it is."""
    if len(word) <= _SHORTEST or not word.isascii() or not word.isalpha():
        return word
    return _ending(_inflection(_plural(word)))


def _plural(word: str) -> str:
    if word.endswith("ies"):
        return word[:-3] + ("y" if len(word) > 4 else "ie")
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _inflection(word: str) -> str:
    if word.endswith("eed"):
        return word[:-1] if len(word) > 4 else word
    for ending in ("ing", "ed"):
        left = word[: -len(ending)]
        if word.endswith(ending) and len(left) >= _SHORTEST - 1 and _VOWEL.search(left):
            return left[:-1] if left[-2:] in _DOUBLED and len(left) > _SHORTEST else left
    return word


def _ending(word: str) -> str:
    if word.endswith("y") and len(word) > _SHORTEST and word[-2] not in "aeiou":
        word = word[:-1] + "i"
    if not word.endswith(_SUFFIXES):
        return word
    for ending, instead in _ENDINGS:
        if word.endswith(ending):
            left = len(word) - len(ending)
            if left + len(instead) >= _SHORTEST and _VOWEL.search(word[:left]):
                return word[:left] + instead
    return word
