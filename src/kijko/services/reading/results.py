"""What is asked of a reading, and what comes back. All of it can be pickled: a file is read in another process."""

import hashlib
from dataclasses import dataclass, field, fields
from typing import Any, Final

_VERSION: Final = 4
"""The reader's own: raise it when the same file and options begin to give other pieces."""
SMALLEST_BUDGET: Final = 16
STRATEGIES: Final = frozenset({"semantic", "recursive", "fixed", "custom"})


@dataclass(frozen=True, slots=True)
class Options:
    """How a project's files are read.

    Args:
        strategy: semantic, recursive or fixed. `custom` is semantic here; services.chunking asks the webhook.
        budget_tokens: the most that a piece may have.
        overlap_tokens: how much of a piece comes again at the next one's beginning; only for `fixed`.
        signatures: definitions' first lines go into `structure`. So do, each by its own switch, imports,
            the outline of the file (`structure`), and marks like TODO (`annotations`).
        anonymize_secrets: secrets are replaced in all that is returned; without it they are only reported.
        salt: the organization's. The same secret under the same salt has the same placeholder.
    """

    strategy: str = "semantic"
    budget_tokens: int = 512
    overlap_tokens: int = 64
    signatures: bool = True
    imports: bool = True
    structure: bool = True
    annotations: bool = False
    anonymize_secrets: bool = True
    salt: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise ValueError(f"no such strategy: {self.strategy}")
        if self.budget_tokens < SMALLEST_BUDGET:
            raise ValueError(f"the budget must be at least {SMALLEST_BUDGET} tokens")
        if self.strategy == "fixed" and not 0 <= self.overlap_tokens <= self.budget_tokens // 2:
            raise ValueError("the overlap must be at most half of the budget")

    @property
    def key(self) -> str:
        """A short digest of every field and of the reader's version: what was read with another is read again."""
        told = repr([(each.name, getattr(self, each.name)) for each in fields(self)])
        return hashlib.sha256(f"{_VERSION}:{told}".encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a file. Bytes and lines are those of the file as it is; the text is the one to keep.

    `end_byte` is exclusive, lines count from 1 and `end_line` is the last one that the piece has something of.
    """

    start_byte: int
    end_byte: int
    start_line: int
    end_line: int
    tokens: int
    kind: str
    """function, method, class, import, comment, section, code, text, …"""
    symbol: str | None
    """What is defined in it, as `Class.method`; several with commas between them."""
    text: str


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret that was found: where it begins, what it is, and what stands (or would stand) in its place."""

    line: int
    kind: str
    placeholder: str


@dataclass(frozen=True, slots=True)
class FileRead:
    """A file that was read."""

    language: str | None
    lines: int
    original_tokens: int
    tokens: int
    """Of the text without secrets; what overlaps counts once."""
    pieces: tuple[Piece, ...]
    secrets: tuple[Secret, ...]
    structure: dict[str, Any] | None
    note: str | None = None
    """Why it could not be read as it should have been, in a sentence."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is not taken, and why, in words for people."""

    reason: str
