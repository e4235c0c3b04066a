"""Patterns of files as git has them: `*`, `?`, `[a-z]`, `**`, `!`, a slash at the beginning or the end, escapes.

They run on RE2, all of a file's at once, in time that grows with the path's length whatever the patterns are. They
match bytes, as git does. `tests/reading/test_patterns.py` holds them to git's own answers.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import re2

from kijko.services.reading.brackets import brackets

_MOST_MEMORY: Final = 32_000_000
_LONGEST: Final = 1_000
_MOST: Final = 5_000
_SPECIAL: Final = re.compile(rb"[*?\[\\]")


@dataclass(frozen=True, slots=True)
class Rule:
    """One line: what it matches, of which kind, and what follows."""

    regex: bytes
    negated: bool
    folders_only: bool


class Patterns:
    """Several patterns in order; the last that matches decides."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        rules = [rule for line in lines if (rule := read(line)) is not None][:_MOST]
        self._all = _Matcher(rules)
        self._files = _Matcher([rule for rule in rules if not rule.folders_only])

    def says(self, path: bytes, *, folder: bool) -> bool | None:
        """True: a pattern matches that path; False: one with `!` does; None: none does."""
        return (self._all if folder else self._files).says(path)


class _Matcher:
    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._set: Any = None  # RE2's classes have no types
        if rules:
            options = re2.Options()
            options.encoding = re2.Options.Encoding.LATIN1
            options.dot_nl = True
            options.log_errors = False
            options.max_mem = _MOST_MEMORY
            try:
                self._set = re2.Set.FullMatchSet(options)
                for rule in rules:
                    self._set.Add(rule.regex)
                self._set.Compile()
            except re2.error:
                self._set = None
        self._single = [] if self._set is not None else [_compiled(rule.regex) for rule in rules]

    def says(self, path: bytes) -> bool | None:
        if not self._rules:
            return None
        if self._set is not None:
            found = self._set.Match(path)
            return not self._rules[max(found)].negated if found else None
        for rule, regex in zip(reversed(self._rules), reversed(self._single), strict=True):
            if regex is not None and regex.fullmatch(path):
                return not rule.negated
        return None


def _compiled(regex: bytes) -> Any:  # RE2's classes have no types
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.dot_nl = True
    options.log_errors = False
    try:
        return re2.compile(regex, options=options)
    except re2.error:
        return None


def split(text: bytes) -> list[bytes]:
    """The lines of a file of patterns."""
    return text.removeprefix(b"\xef\xbb\xbf").split(b"\n")


def read(line: bytes) -> Rule | None:
    """One line of a .gitignore; None where it is empty, a comment, or nothing that could match."""
    text = line.removesuffix(b"\r") if line.endswith(b"\r") else line
    text = _without_trailing_spaces(text)
    if not text or text.startswith(b"#") or len(text) > _LONGEST:
        return None
    negated = text.startswith(b"!")
    if negated:
        text = text[1:]
    folders_only = text.endswith(b"/")
    if folders_only:
        text = text[:-1]
    if not text:
        return None
    anchored = b"/" in text
    regex = _regex(text.removeprefix(b"/") if anchored else text, whole=anchored)
    if regex is None:
        return None
    return Rule(regex if anchored else b"(?:.*/)?" + regex, negated, folders_only)


def _without_trailing_spaces(text: bytes) -> bytes:
    end = len(text)
    while end and text[end - 1 : end] == b" ":
        slashes = 0
        while end - 2 - slashes >= 0 and text[end - 2 - slashes : end - 1 - slashes] == b"\\":
            slashes += 1
        if slashes % 2:
            break
        end -= 1
    return text[:end]


def _regex(text: bytes, *, whole: bool) -> bytes | None:
    """The pattern as a regular expression; None where it can match nothing.

    Args:
        whole: it is matched with a whole path, so `**` may stand for folders.
    """
    out: list[bytes] = []
    place, end = 0, len(text)
    while place < end:
        char = text[place : place + 1]
        if char == b"\\":
            if place + 1 == end:
                return None
            out.append(_literal(text[place + 1 : place + 2]))
            place += 2
        elif char == b"*":
            stop = place
            while text[stop : stop + 1] == b"*":
                stop += 1
            place = _stars(text, place, stop, out, whole=whole)
        elif char == b"?":
            out.append(rb"[^/]")
            place += 1
        elif char == b"[":
            found = brackets(text, place)
            if found is None:
                return None
            out.append(found[0])
            place = found[1]
        else:
            out.append(_literal(char))
            place += 1
    return b"".join(out)


def _stars(text: bytes, place: int, stop: int, out: list[bytes], *, whole: bool) -> int:
    """Put what a run of stars means; gives the place after it."""
    # Git compares what stands before the first special character by itself and then begins anew: so `a**/b` is `a` and
    # `**/b` to it.
    before = text[place - 1 : place] == b"/" or not _SPECIAL.search(text, 0, place)
    after = stop == len(text) or text[stop : stop + 1] == b"/"
    if not whole or stop - place < 2 or not (before and after):
        out.append(rb"[^/]*")
        return stop
    if stop == len(text):
        out.append(rb".*")
        return stop
    out.append(rb"(?:.*/)?")
    return stop + 1


def _literal(char: bytes) -> bytes:
    return char if char.isalnum() or char in b"/_" else b"\\x%02x" % char[0]
