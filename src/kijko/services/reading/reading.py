"""One file, read."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from kijko.core.tokenizer import count
from kijko.services.reading import fixed, markdown, refusal, secrets, structure
from kijko.services.reading.cutting import Cutter
from kijko.services.reading.detection import detect
from kijko.services.reading.grammars import parse, syntax
from kijko.services.reading.languages import Language
from kijko.services.reading.results import FileRead, Options, Piece, Secret, Skipped
from kijko.services.reading.source import Redacted, Source, decode
from kijko.services.reading.syntax import Tiler

_LONG_WORD: Final = re.compile(r"(?=[A-Za-z_+=-]*[0-9])[A-Za-z0-9_+=-]{16,}")
_LARGEST_PARSED: Final = 2_000_000
"""Bytes of a text whose syntax is looked at: what is larger is data, and its tree takes 100 times its bytes."""
_NOTE_LARGE: Final = "Too large to be cut by its syntax; it was cut between lines."
_NOTE_HARD: Final = "Its syntax took too long to read; it was cut between lines."


@dataclass(frozen=True, slots=True)
class Shown:
    """A file as somebody else may see it who cuts it: without its secrets, where the project hides them."""

    language: str | None
    text: str
    lines: int


Cut = tuple[int, int, str, str | None]
"""First and last line of what `Shown.text` has, counted from 1; kind; symbol."""


@dataclass(frozen=True, slots=True)
class _Open:
    """A file that is taken, decoded and redacted."""

    language: Language | None
    source: Source
    redacted: Redacted
    secrets: tuple[Secret, ...]


def read_file(path: str, content: bytes, options: Options, *, cuts: Sequence[Cut] = ()) -> FileRead | Skipped:
    """A file as pieces. It never fails on what is in the file: what cannot be read well is read less well.

    Args:
        path: from the source's root; its name tells the language.
        content: all of the file.
        cuts: where somebody else cut what `show` gave, without gaps; what is over the budget is cut again.
    """
    opened = _open(path, content, options)
    if isinstance(opened, Skipped):
        return opened
    language, source, redacted = opened.language, opened.source, opened.redacted
    name = language.name if language is not None else None
    if not content:
        return FileRead(name, 0, 0, 0, (), (), None)
    cutter = _cutter(source, redacted, options)
    _put(cutter, cuts)
    pieces, told, note = _cut(cutter, language, options)
    if options.annotations:
        told = (told or {}) | {"annotations": structure.marks(redacted.data, cutter.line)}
    overlapping = options.strategy == "fixed" and options.overlap_tokens > 0
    tokens = count(redacted.data.decode()) if overlapping else sum(piece.tokens for piece in pieces)
    hidden = bool(opened.secrets) and options.anonymize_secrets
    original = count(source.data.decode()) if hidden else tokens
    return FileRead(name, _lines(source.data), original, tokens, tuple(pieces), opened.secrets, told, note)


def show(path: str, content: bytes, options: Options) -> Shown | Skipped:
    """What somebody who cuts the file gets to see of it."""
    opened = _open(path, content, options)
    if isinstance(opened, Skipped):
        return opened
    language, data = opened.language, opened.redacted.data
    return Shown(language.name if language is not None else None, data.decode(), _lines(data))


def without_secrets(line: str, options: Options) -> str:
    """A line beside the files, such as a commit's subject, as the options have it."""
    if not options.anonymize_secrets:
        return line
    redacted, _ = secrets.redact(line.encode("utf-8", "replace"), options.salt, anonymize=True)
    return redacted.data.decode()


def _open(path: str, content: bytes, options: Options) -> _Open | Skipped:
    reason = refusal.too_large(len(content))
    if reason is not None:
        return Skipped(reason)
    if options.anonymize_secrets and _is_secret(path):
        # Its path goes wherever a piece of it goes, and a path with a placeholder would lead nowhere.
        return Skipped("its path has a secret in it")
    language = detect(path, content)
    reason = refusal.by_content(content, language) if content else None
    if reason is not None:
        return Skipped(reason)
    source = decode(content)
    if b"\0" in source.data:
        return Skipped("binary: it has NUL characters")
    redacted, found = secrets.redact(source.data, options.salt, anonymize=options.anonymize_secrets)
    return _Open(language, source, redacted, found)


def _is_secret(path: str) -> bool:
    """Whether a path has a secret in it: only one with a long word is looked at, which few have."""
    return _LONG_WORD.search(path) is not None and bool(
        secrets.redact(path.encode("utf-8", "replace"), b"", anonymize=False)[1]
    )


def _lines(data: bytes) -> int:
    return data.count(b"\n") + (not data.endswith(b"\n")) if data else 0


def _put(cutter: Cutter, cuts: Sequence[Cut]) -> None:
    """Put ranges of lines into the cutter; the last one takes what is left."""
    data, begin, line = cutter.data, 0, 0
    for index, (_, last, kind, symbol) in enumerate(cuts):
        end = begin
        while line < last and end < len(data):
            found = data.find(b"\n", end)
            end = found + 1 if found >= 0 else len(data)
            line += 1
        cutter.put(begin, len(data) if index == len(cuts) - 1 else end, kind, symbol)
        begin = end


def _cutter(source: Source, redacted: Redacted, options: Options) -> Cutter:
    before = redacted.before
    return Cutter(
        redacted.data,
        options.budget_tokens,
        origin=lambda place: source.at(before(place)) if place < len(redacted.data) else source.size,
        before=before,
        whole=redacted.whole,
        lines=source.data,
        plain=redacted.data is source.data and source.start == 0 and source.unit == 1 and not source.places,
    )


def _cut(
    cutter: Cutter, language: Language | None, options: Options
) -> tuple[list[Piece], dict[str, Any] | None, str | None]:
    """The file's pieces, its structure where it has any, and a note."""
    whole = options.strategy == "recursive" or bool(cutter.ranges)
    pieces: list[Piece] = []
    if options.strategy == "fixed" and not cutter.ranges:
        pieces = fixed.cut(cutter, options.overlap_tokens)
    elif whole and not cutter.ranges:
        cutter.put(0, len(cutter.data), "text", None)
    told, note = _look(cutter, language, options, done=whole or bool(pieces))
    return pieces or cutter.finish(), told, note


def _look(
    cutter: Cutter, language: Language | None, options: Options, *, done: bool
) -> tuple[dict[str, Any] | None, str | None]:
    """Look at the syntax: for ranges, unless that is done, and for the structure. Gives the structure and a note."""
    wants = options.signatures or options.imports or options.structure
    if language is not None and language.grammar and (wants or not done):
        of = syntax(language.name) if len(cutter.data) <= _LARGEST_PARSED else None
        root = parse(of, cutter.data) if of is not None else None
        if of is not None and root is not None:
            tiler = Tiler(of, cutter)
            if not done:
                tiler.cut(root)
            return structure.of_code(of, tiler, cutter, root, options) if wants else None, None
        note = _NOTE_LARGE if of is None else _NOTE_HARD
    else:
        note = None
    if not done and language is not None and language.name == "markdown":
        markdown.cut(cutter)
    elif not done:
        cutter.put(0, len(cutter.data), "text", None)
    return None, note


def warm() -> None:
    """Load what the first file would: for a process from which others are forked, so that they share it."""
    count("")
    secrets.warm()
