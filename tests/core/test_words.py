"""Numbers with what they count, and the name that was probably meant."""

import pytest

from kijko.core.words import counted, nearest


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 chunks"), (1, "1 chunk"), (2, "2 chunks"), (1234, "1,234 chunks"), (1.0, "1 chunk"), (0.5, "0.5 chunks")],
)
def test_one_is_told_in_the_singular_and_all_else_in_the_plural(number: float, words: str) -> None:
    assert counted(number, "chunk") == words


def test_a_plural_of_its_own_is_taken() -> None:
    assert [counted(number, "repository", "repositories") for number in (1, 2)] == ["1 repository", "2 repositories"]


def test_the_nearest_name_is_found_whatever_its_capitals_and_dashes() -> None:
    names = ["projectId", "query", "maxTokens"]
    assert [nearest(given, names) for given in ("projectID", "max_tokens", "qurey", "colour")] == [
        "projectId",
        "maxTokens",
        "query",
        None,
    ]
