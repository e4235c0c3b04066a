"""What an export within a number of tokens has: what comes first, and how much of each file.

First what explains the project (READMEs, manifests), then where it begins (main, index, app …), then the other files in
turns over all folders, those with the most definitions for their size first; tests, examples and data come last. A file
that would take more than a quarter of all, or does not fit any more, is there by the heads of its definitions.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import chain, zip_longest
from typing import Final

from kijko.services.exports.queries import File

_EXPLAINS: Final = re.compile(
    r"(?:readme|architecture|overview|contributing)(?:\.\w+)?|package\.json|pyproject\.toml|setup\.(?:py|cfg)|cargo\.toml"
    r"|go\.mod|pom\.xml|build\.gradle(?:\.kts)?|gemfile|composer\.json|mix\.exs|makefile|dockerfile",
    re.IGNORECASE,
)
_BEGINS: Final = re.compile(
    r"(?:main|index|app|cli|server|program|__main__|lib|mod|manage|wsgi|asgi)\.\w+", re.IGNORECASE
)
_LATER: Final = re.compile(
    r"(?:^|/)(?:tests?|spec|__tests__|testdata|fixtures?|examples?|samples?|benchmarks?|bench|docs?|locales?|i18n|data)/"
    r"|(?:^|/)(?:test_[^/]*|[^/]*[._-](?:test|spec)s?\.\w+)$|\.(?:csv|tsv|svg|xml|txt|json)$",
    re.IGNORECASE,
)
_DEEPEST_README: Final = 2
_SHARE: Final = 4
_BYTES_A_TOKEN: Final = 3
_LINE_TOKENS: Final = 12
"""What the line above a file takes besides its path."""
_CONTENT_SHARE, _NAMES_SHARE = 0.88, 0.06
"""Of the budget, for the files; for the tree, and for what is left out, each."""


class Part(Enum):
    """How much of a file there is."""

    WHOLE = "whole"
    HEADS = "signatures"


@dataclass(frozen=True, slots=True)
class Budget:
    """How many tokens each part of an export may have."""

    files: int
    names: int

    @classmethod
    def of(cls, most: int) -> "Budget":
        """The parts of a whole."""
        return cls(int(most * _CONTENT_SHARE), int(most * _NAMES_SHARE))


def tokens_of(text: str) -> int:
    """At most about how many tokens a path or a line has: nothing is counted here."""
    return len(text.encode("utf-8", "replace")) // _BYTES_A_TOKEN + 2


def ranked(files: Sequence[File]) -> list[int]:
    """The places of the files, the most telling first."""
    explains, begins, rest, later = [], [], [], []
    for place, file in enumerate(files):
        folders, _, name = file.path.rpartition("/")
        depth = folders.count("/") + bool(folders)
        if _EXPLAINS.fullmatch(name) and depth <= _DEEPEST_README:
            explains.append((depth, place))
        elif _LATER.search(file.path):
            later.append(place)
        elif _BEGINS.fullmatch(name):
            begins.append((depth, place))
        else:
            rest.append(place)
    return [
        *(place for _, place in sorted(explains)),
        *(place for _, place in sorted(begins)),
        *_in_turns(files, rest),
        *_in_turns(files, later),
    ]


def _in_turns(files: Sequence[File], places: Iterable[int]) -> Iterable[int]:
    """One of each folder, then the next of each: the densest first."""
    folders: dict[str, list[int]] = defaultdict(list)
    for place in places:
        folders[files[place].path.rpartition("/")[0]].append(place)
    for inside in folders.values():
        inside.sort(key=lambda place: (-files[place].definitions / (files[place].tokens + 50), place))
    rounds = zip_longest(*folders.values())
    return (place for place in chain.from_iterable(rounds) if place is not None)


def picked(files: Sequence[File], budget: int) -> dict[int, Part]:
    """Which files are there, by place, and how much of each."""
    found: dict[int, Part] = {}
    left = budget
    for place in ranked(files):
        file = files[place]
        around = tokens_of(file.path) + _LINE_TOKENS
        whole = file.tokens + around
        if whole <= left and whole <= max(budget // _SHARE, 1):
            found[place] = Part.WHOLE
            left -= whole
            continue
        heads = file.heads // _BYTES_A_TOKEN + around
        if file.definitions and heads < whole and heads <= min(left, budget // _SHARE):
            found[place] = Part.HEADS
            left -= heads
    return found
