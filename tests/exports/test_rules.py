"""What an export within a number of tokens holds in memory, and what windows that overlap cost, whatever is in them."""

import random
import time
import tracemalloc
from uuid import UUID

from kijko.services.exports.joining import without_overlap
from kijko.services.exports.queries import File, Piece
from kijko.services.exports.rules import Known, Part

_ID = UUID(int=1)


def a_file(number: int) -> File:
    path = f"services/area{number % 2_000:04}/internal/module_with_a_name_{number:06}.py"
    return File(_ID, path, "acme/app", "python", 90, 400 + number % 900, number % 30, 900)


def test_two_hundred_thousand_files_are_ranked_in_a_few_megabytes() -> None:
    tracemalloc.start()
    known = Known()
    for number in range(200_000):
        known.add(a_file(number))
    picked = known.picked(1_000_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12_000_000
    there = [place for place in range(200_000) if picked.part(place) is not None]
    assert len(there) == 200_000 - picked.files_left_out
    assert len({place % 2_000 for place in there}) > 1_000
    assert picked.part(there[0]) is Part.WHOLE


def joined(before: str, after: str, bytes_told: int) -> str:
    first = Piece(1, 0, 0, 1_000_000, before)
    return without_overlap(first, Piece(1, 1, 1_000_000 - bytes_told, 2_000_000, after))


def test_an_overlap_that_is_not_as_long_as_its_bytes_say_is_found() -> None:
    chance = random.Random(1)
    for _ in range(300):
        before = "".join(chance.choices("abc", k=chance.randint(0, 80)))
        after = "".join(chance.choices("abc", k=chance.randint(0, 80)))
        overlap = "".join(chance.choices("abc", k=chance.randint(1, 60)))
        longest = max(
            length
            for length in range(len(overlap + after) + 1)
            if (before + overlap).endswith((overlap + after)[:length])
        )
        assert joined(before + overlap, overlap + after, 10**6) == (overlap + after)[longest:]


def test_windows_that_do_not_match_cost_little_however_they_are_made() -> None:
    near = ("a" * 30_000 + "b" + "a" * 30_000, "a" * 60_000 + "c")
    none = (" " * 65_000 + "x", " " * 65_000)
    began = time.process_time()
    for before, after in (near, none):
        for _ in range(10):
            joined(before, after, 50_000)
    assert time.process_time() - began < 0.3
