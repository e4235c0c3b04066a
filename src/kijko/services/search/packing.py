"""How a piece's terms travel from the process that read it to the index: as few bytes as will do.

A posting is one number of 64 bits: the chunk's in the upper 32, which `stage` adds, and below it 18 that tell the
piece's file from others, 5 of the term's weight, 5 of the piece's length and 4 of its file's.
"""

import struct
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from math import log2
from typing import Final
from zlib import crc32

_HEAD: Final = struct.Struct("<III")
_FILES: Final = (1 << 18) - 1
_HEAVIEST: Final = 31
_LONGEST: Final = 31
_LARGEST: Final = 15


@dataclass(frozen=True, slots=True)
class Packed:
    """A piece's terms, each with the lower 32 bits of its posting."""

    source: int
    """Which file it is of, by a number of 18 bits; two files may have the same."""
    length: int
    """In words."""
    terms: list[str]
    postings: "array[int]"


def source_of(path: str) -> int:
    """The number of a file."""
    return crc32(path.encode("utf-8", "surrogatepass")) & _FILES


def pack(source: int, length: int, file_length: int, weights: Mapping[str, int]) -> bytes:
    """One piece. Lengths are in words; weights are at least 1, and above 31 tell nothing more."""
    low = source << 14 | _bits(length, 2.5, 0, _LONGEST) << 4 | _bits(file_length, 1, 4, _LARGEST)
    by_weight = [low | weight << 9 for weight in range(_HEAVIEST + 1)]
    top = by_weight[-1]
    postings = array("I", [by_weight[w] if w < _HEAVIEST else top for w in weights.values()])
    return _HEAD.pack(source, length, len(postings)) + postings.tobytes() + "\0".join(weights).encode()


def unpack(packed: bytes) -> Packed:
    """The same, read."""
    source, length, count = _HEAD.unpack_from(packed)
    postings = array("I")
    body = _HEAD.size + count * postings.itemsize
    postings.frombytes(packed[_HEAD.size : body])
    return Packed(source, length, packed[body:].decode().split("\0") if count else [], postings)


def _bits(length: int, steps: float, first: int, most: int) -> int:
    """A length as a power of two: `steps` to the octave, from 2^first on."""
    return min(max(round(steps * (log2(max(length, 1)) - first)), 0), most)
