"""What goes to the processes that read files and comes back from them. Plain, picklable, and without what reads files.

Columns are array literals, made where the rows are made: the worker's loop hands them on to Postgres as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:  # it brings an HTTP client along, where there is one only
    from kijko.clients.chunker import Hook


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a project wants to be read: its settings, as far as reading goes."""

    strategy: str
    signatures: bool
    imports: bool
    structure: bool
    annotations: bool
    anonymize_secrets: bool
    salt: bytes = field(repr=False)
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    history: bool = False
    parallel: bool = True
    hook: "Hook | None" = None
    """Who cuts the files, where the strategy is `custom`."""


@dataclass(frozen=True, slots=True)
class Source:
    """A repository's commit, or the uploads of a project."""

    project_id: UUID
    id: UUID
    """The repository's, or the project's for uploads."""
    repository_id: UUID | None
    folder: Path | None = None
    commit: str = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Name:
    """A file that may be taken. `upload_id` for an uploaded one."""

    path: str
    content_key: str
    size: int
    upload_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """Some names of a source: those that are taken, as columns, and those that are not, with the reason."""

    files: int
    size_bytes: int
    options_key: str
    paths: str
    content_keys: str
    sizes: str
    upload_ids: str
    skipped: Sequence[tuple[str, str]]
    skipped_total: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to read. `content`: an upload's; a repository's is read from its objects."""

    place: int
    path: str
    content_key: str
    size: int
    upload_id: UUID | None = None
    content: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Read:
    """Some files that were read: rows of source_files and chunks as columns, and what became of each."""

    options_key: str
    places: Sequence[int]
    """Of every file that this settles, read or not."""
    files: tuple[str, ...]
    """id, upload_id, path, content_key, language, size_bytes, lines, original_tokens, tokens, chunks, structure"""
    chunks: tuple[str, ...]
    """file_id, ordinal, id, start_byte, end_byte, start_line, end_line, tokens, kind, symbol, content"""
    outcomes: tuple[str, ...]
    """place, state, reason, secrets"""
    pieces: int
    size_bytes: int
    tokens: int
    failed: int


@dataclass(frozen=True, slots=True)
class Unindexed:
    """A kept file, by its id, whose words could not be indexed, and why."""

    file_id: str
    why: str


@dataclass(frozen=True, slots=True)
class Changes:
    """Who changed files last: paths, and JSON of each, as columns."""

    paths: str
    changes: str
