"""Packing chunks into a prompt: what fits, neighbours joined, each block with its path and lines above it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from kijko.services.search.context_queries import Found

_FENCE: Final = re.compile("`{3,}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Block:
    """Lines of one file that stand together."""

    repository: str
    commit: str
    path: str
    start_line: int
    end_line: int
    text: str
    """With its heading, as it goes into the prompt."""


def chosen(found: Sequence[Found], max_tokens: int) -> list[Found]:
    """Of the chunks, best first, those that fit together, each with a heading of its own."""
    kept, left = [], max_tokens
    for each in found:
        cost = each.tokens + _heading_tokens(each)
        if cost <= left:
            kept.append(each)
            left -= cost
    return kept


def blocks(chunks: Sequence[Found]) -> list[Block]:
    """Chunks of one file that follow each other become one block; blocks stand in the order of their best chunks."""
    rank = {(each.file_id, each.ordinal): at for at, each in enumerate(chunks)}
    runs: list[list[Found]] = []
    for each in sorted(chunks, key=lambda one: (one.file_id, one.ordinal)):
        if runs and _follows(runs[-1][-1], each):
            runs[-1].append(each)
        else:
            runs.append([each])
    runs.sort(key=lambda run: min(rank[each.file_id, each.ordinal] for each in run))
    return [_block(run) for run in runs]


def _follows(one: Found, other: Found) -> bool:
    # Chunks that overlap are no neighbours to be joined: what they share would stand there twice.
    return one.file_id == other.file_id and one.ordinal + 1 == other.ordinal and other.start_byte >= one.end_byte


def _block(run: Sequence[Found]) -> Block:
    first, last = run[0], run[-1]
    text = first.content
    for before, each in pairwise(run):
        text += "\n" * (not text.endswith("\n") and each.start_line > before.end_line) + each.content
    fence = max((found[0] for found in _FENCE.finditer(text)), key=len, default="``") + "`"
    heading = _heading(first, last.end_line)
    return Block(
        first.repository,
        first.commit,
        first.path,
        first.start_line,
        last.end_line,
        f"{heading}\n{fence}{first.language or ''}\n{text.removesuffix(chr(10))}\n{fence}",
    )


def _heading(first: Found, end_line: int) -> str:
    # A path may hold anything; it stays on its line.
    path = _CONTROL.sub("\ufffd", first.path)
    return f"{path}, lines {first.start_line}-{end_line} ({first.repository} at {first.commit[:12]}):"


def _heading_tokens(chunk: Found) -> int:
    """No fewer than the heading and the fences have."""
    return len(_heading(chunk, chunk.end_line).encode()) // 2 + 8
