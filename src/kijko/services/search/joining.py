"""Results from ranked chunks: small pieces rank best, and what stands beside one and was found too belongs to it.

Measured (bench/retrieval.py): joined up to 400 tokens, six of a hundred questions more are answered within the first
five results, and no fewer within 2,000 tokens.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from kijko.services.search.queries import Found

MOST_TOKENS: Final = 400


@dataclass(frozen=True, slots=True)
class Result:
    """Lines of one file, as they are told."""

    repository_id: UUID | None
    repository_name: str | None
    upload_id: UUID | None
    path: str
    start_line: int
    end_line: int
    content: str
    score: float
    tokens: int


def results(found: Sequence[Found], limit: int) -> list[Result]:
    """The best results, of chunks that stand best first: each chunk is in one of them at the most."""
    ranks = {(each.file_id, each.ordinal): at for at, each in enumerate(found)}
    used: set[int] = set()
    made: list[Result] = []
    for at in range(len(found)):
        if len(made) == limit:
            break
        if at not in used:
            made.append(_result(_joined(found, ranks, used, at), found[at].score))
    return made


def text_of(run: Sequence[Found]) -> str:
    """The text of chunks that follow each other."""
    text = ""
    line = run[0].start_line
    for each in run:
        text += "\n" * (bool(text) and not text.endswith("\n") and each.start_line > line) + each.content
        line = each.end_line
    return text


def _joined(found: Sequence[Found], ranks: dict[tuple[UUID, int], int], used: set[int], at: int) -> list[Found]:
    """A chunk with its neighbours, the better one first, as long as they fit."""
    run = [found[at]]
    used.add(at)
    while True:
        left = MOST_TOKENS - sum(each.tokens for each in run)
        fitting = [near for near in _beside(found, ranks, run) if near not in used and found[near].tokens <= left]
        if not fitting:
            return run
        near = min(fitting)
        used.add(near)
        run.insert(0 if found[near].ordinal < run[0].ordinal else len(run), found[near])


def _beside(found: Sequence[Found], ranks: dict[tuple[UUID, int], int], run: Sequence[Found]) -> Iterator[int]:
    first, last = run[0], run[-1]
    before, after = ranks.get((first.file_id, first.ordinal - 1)), ranks.get((last.file_id, last.ordinal + 1))
    # Chunks that overlap are not joined: what they share would stand there twice.
    if before is not None and found[before].end_byte <= first.start_byte:
        yield before
    if after is not None and found[after].start_byte >= last.end_byte:
        yield after


def _result(run: Sequence[Found], score: float) -> Result:
    tokens = sum(each.tokens for each in run)
    first = run[0]
    return Result(
        first.repository_id,
        first.repository_name,
        first.upload_id,
        first.path,
        first.start_line,
        run[-1].end_line,
        text_of(run),
        score,
        tokens,
    )
