"""From pieces to a segment: each term with its postings. Pure; it runs where the pieces were read, or in a thread."""

from array import array
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from kijko.services.search.packing import unpack


@dataclass(frozen=True, slots=True)
class Inverted:
    """A segment, as columns that are written as Postgres writes arrays."""

    numbers: str
    sources: str
    lengths: str
    terms: str
    frequencies: str
    postings: str


def invert(entries: Sequence[tuple[int, bytes]]) -> Inverted:
    """A segment of these chunks, (number, what `analyse` made of it)."""
    found: defaultdict[str, array[int]] = defaultdict(lambda: array("Q"))  # a fifth of what lists of numbers take
    sources, lengths = [], []
    for number, packed in entries:
        piece = unpack(packed)
        sources.append(piece.source)
        lengths.append(piece.length)
        upper = number << 32
        for term, low in zip(piece.terms, piece.postings, strict=True):
            found[term].append(upper | low)
    terms = sorted(found)
    return Inverted(
        numbers=_numbers([number for number, _ in entries]),
        sources=_numbers(sources),
        lengths=_numbers(lengths),
        terms=_texts(terms),
        frequencies=_numbers([len(found[term]) for term in terms]),
        postings=_texts([_numbers(found[term]) for term in terms]),
    )


def _numbers(values: Sequence[int]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def _texts(values: Sequence[str]) -> str:
    quoted = ['"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values]
    return "{" + ",".join(quoted) + "}"
