"""What a question asks for: its terms, each with a weight."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from kijko.services.search.terms import LONGEST, NAMED, expanded, tokens, whole

MOST_TERMS: Final = 200
"""Terms of one question. A long text (a whole input, say) asks for its first words."""
_LITTLE: Final = 0.1
_JOINED: Final = (2, 3, 4)
_FEW: Final = 3
# Rare in code, and so taken for telling by their rareness alone; in a sentence they tell little.
_FUNCTION_WORDS: Final = frozenset(
    re.findall(
        r"\w+",
        "a an the this that these those it its he she they them their of to in on at by for from with without into "
        "onto and or not no nor but if then else when where which who whose what why how is are was were be been being "
        "am do does did done has have had having can could may might must shall should will would as than so such any "
        "all each every some both either neither other another only own same too very just also return returns "
        "returned returning given gives whether get gets use used using uses one there here about between over under "
        "up down out off again we you i our your me us please show find explain tell",
    )
)
_IDENTIFIER: Final = re.compile(r"[a-z\d][A-Z]|[A-Z]{2}[a-z]|\w_\w|\w(?:[.:#/-]|->)+\w|[A-Za-z]\d|\w\(\)")
_AROUND: Final = ".,;:!?\"'`()[]{}<>"


@dataclass(frozen=True, slots=True)
class Asked:
    """Terms with their weights, in the same order."""

    terms: list[str]
    weights: list[float]
    is_identifier: bool
    """Whether all of it is names: then the name itself is wanted, and not what is like it."""


def asked(query: str) -> Asked:
    """The terms of a question in words, a name in any casing, or both."""
    found: dict[str, float] = {}
    words = query.split()[:MOST_TERMS]
    names = [_is_name(word) for word in words]
    only_names = bool(words) and (all(names) or len(words) == 1)
    for word, is_name in zip(words, names, strict=True):
        _ask_word(found, word, as_name=is_name or only_names)
    _ask_joined(found, [token for word in words for token in tokens(word)])
    kept = list(found.items())[:MOST_TERMS]
    return Asked([term for term, _ in kept], [weight for _, weight in kept], only_names)


def _is_name(word: str) -> bool:
    return bool(_IDENTIFIER.search(word if word.endswith("()") else word.strip(_AROUND)))


def _ask(found: dict[str, float], term: str, weight: float) -> None:
    if term.removeprefix(NAMED) and len(term) <= LONGEST:
        found[term] = max(found.get(term, 0.0), weight)


def _ask_word(found: dict[str, float], word: str, *, as_name: bool) -> None:
    for token in tokens(word):
        little = not as_name and token.lower() in _FUNCTION_WORDS
        for term in expanded(token):
            _ask(found, term, _LITTLE if little else 1.0)
        if as_name:
            _ask(found, NAMED + whole(token), 1.0)
    if as_name:
        _ask(found, whole(word), 1.0)
        _ask(found, NAMED + whole(word), 1.0)


def _ask_joined(found: dict[str, float], words: Sequence[str]) -> None:
    """Neighbours may be one name: `parse config` is `parseConfig` too."""
    for count in _JOINED:
        for at in range(len(words) - count + 1):
            one = whole("".join(words[at : at + count]))
            _ask(found, one, 1.0)
            _ask(found, NAMED + one, 1.0)
    if len(words) < _FEW:
        for word in words:
            _ask(found, NAMED + whole(word), 0.5)
