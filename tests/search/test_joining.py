"""Results from ranked chunks."""

import uuid
from dataclasses import replace

from kijko.services.search.joining import MOST_TOKENS, results
from kijko.services.search.queries import Found

FILE, OTHER = uuid.UUID(int=1), uuid.UUID(int=2)


def chunk(ordinal: int, *, file: uuid.UUID = FILE, tokens: int = 100, score: float = 1.0) -> Found:
    """A chunk of ten lines and a hundred bytes."""
    return Found(
        file_id=file,
        ordinal=ordinal,
        start_byte=100 * ordinal,
        end_byte=100 * ordinal + 100,
        path=f"{file.int}.py",
        start_line=10 * ordinal + 1,
        end_line=10 * ordinal + 10,
        tokens=tokens,
        content=f"text {ordinal}\n",
        score=score,
        repository_id=None,
        repository_name=None,
        upload_id=None,
    )


def test_neighbours_that_were_found_are_one_result_with_the_rank_and_score_of_the_best() -> None:
    made = results([chunk(7, file=OTHER, score=9), chunk(2, score=8), chunk(3, score=7), chunk(1, score=6)], 20)
    assert [(each.path, each.start_line, each.end_line, each.score) for each in made] == [
        ("2.py", 71, 80, 9),
        ("1.py", 11, 40, 8),
    ]
    assert made[1].content == "text 1\ntext 2\ntext 3\n"


def test_what_was_not_found_is_no_bridge_between_two_results() -> None:
    assert len(results([chunk(1), chunk(3)], 20)) == 2


def test_a_result_grows_with_its_better_neighbour_first_and_stays_small() -> None:
    made = results([chunk(2, tokens=MOST_TOKENS - 150), chunk(3), chunk(1)], 20)
    assert [(each.start_line, each.end_line) for each in made] == [(21, 40), (11, 20)]
    assert all(each.tokens <= MOST_TOKENS for each in made)


def test_a_chunk_that_is_large_by_itself_is_a_result_by_itself() -> None:
    assert [each.tokens for each in results([chunk(1, tokens=900), chunk(2)], 20)] == [900, 100]


def test_chunks_that_overlap_are_not_joined() -> None:
    assert len(results([chunk(1), replace(chunk(2), start_byte=150)], 20)) == 2


def test_no_more_results_than_asked_for_and_no_chunk_twice() -> None:
    found = [chunk(at * 2) for at in range(10)]
    assert len(results(found, 3)) == 3
    assert len({each.start_line for each in results(found * 1, 20)}) == 10
