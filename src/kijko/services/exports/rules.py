"""What an export within a number of tokens has: what comes first, and how much of each file.

First what explains the project (READMEs, manifests), then where it begins (main, index, app …), then the other files in
turns over all folders, those with the most definitions for their size first; tests, examples and data come last. A file
that would take more than a quarter of all, or does not fit any more, is there by the heads of its definitions.
"""

import re
from array import array
from collections.abc import Iterable, Iterator
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


_PARTS: Final = (None, Part.WHOLE, Part.HEADS)
_EXPLAINS_RANK, _BEGINS_RANK, _REST_RANK, _LATER_RANK = range(4)
_DEPTHS: Final = 1000


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


class Known:
    """What is known of a project's files, by place: some thirty bytes of each and no name, so that many are few MB."""

    def __init__(self) -> None:
        self._folders: dict[str, int] = {}
        self._rank = array("I")
        self._folder = array("I")
        self._around = array("I")
        self._tokens = array("Q")
        self._heads = array("Q")
        self._definitions = array("I")

    def add(self, file: File) -> None:
        """The file at the next place."""
        folder = file.path.rpartition("/")[0]
        self._rank.append(_rank(file.path))
        self._folder.append(self._folders.setdefault(folder, len(self._folders)))
        self._around.append(tokens_of(file.path) + _LINE_TOKENS)
        self._tokens.append(file.tokens)
        self._heads.append(file.heads)
        self._definitions.append(file.definitions)

    def ranked(self) -> Iterator[int]:
        """The places of the files, the most telling first."""
        groups = {of: array("I") for of in range(_LATER_RANK + 1)}
        for place, rank in enumerate(self._rank):
            groups[min(rank // _DEPTHS, _LATER_RANK)].append(place)
        yield from sorted(groups[_EXPLAINS_RANK], key=self._rank.__getitem__)
        yield from sorted(groups[_BEGINS_RANK], key=self._rank.__getitem__)
        yield from self._in_turns(groups[_REST_RANK])
        yield from self._in_turns(groups[_LATER_RANK])

    def _in_turns(self, places: Iterable[int]) -> Iterator[int]:
        """One of each folder, then the next of each: the densest first."""
        folders: dict[int, array[int]] = {}
        for place in places:
            folders.setdefault(self._folder[place], array("I")).append(place)
        for folder, inside in folders.items():
            folders[folder] = array("I", sorted(inside, key=self._sparseness))
        rounds = zip_longest(*folders.values())
        return (place for place in chain.from_iterable(rounds) if place is not None)

    def _sparseness(self, place: int) -> float:
        return -self._definitions[place] / (self._tokens[place] + 50)

    def picked(self, budget: int) -> "Picked":
        """Which files are there, and how much of each."""
        found, left = Picked(bytearray(len(self._tokens)), len(self._tokens), sum(self._tokens)), budget
        for place in self.ranked():
            around = self._around[place]
            whole = self._tokens[place] + around
            if whole <= left and whole <= max(budget // _SHARE, 1):
                found.take(place, Part.WHOLE, self._tokens[place])
                left -= whole
                continue
            heads = self._heads[place] // _BYTES_A_TOKEN + around
            if self._definitions[place] and heads < whole and heads <= min(left, budget // _SHARE):
                found.take(place, Part.HEADS, self._tokens[place])
                left -= heads
        return found


@dataclass(slots=True)
class Picked:
    """What an export has of each file, by place, and how much it has not."""

    _parts: bytearray
    files_left_out: int
    tokens_left_out: int

    def take(self, place: int, part: Part, tokens: int) -> None:
        """That much of a file is there."""
        self._parts[place] = _PARTS.index(part)
        self.files_left_out -= 1
        self.tokens_left_out -= tokens

    def part(self, place: int) -> Part | None:
        """How much of a file there is; None: nothing."""
        return _PARTS[self._parts[place]]


def _rank(path: str) -> int:
    """A file's group, and within the first two how deep it is."""
    folders, _, name = path.rpartition("/")
    depth = folders.count("/") + bool(folders)
    if _EXPLAINS.fullmatch(name) and depth <= _DEEPEST_README:
        return _EXPLAINS_RANK * _DEPTHS + depth
    if _LATER.search(path):
        return _LATER_RANK * _DEPTHS
    if _BEGINS.fullmatch(name):
        return _BEGINS_RANK * _DEPTHS + min(depth, _DEPTHS - 1)
    return _REST_RANK * _DEPTHS
