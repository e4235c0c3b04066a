"""Which models are offered when."""

from datetime import UTC, datetime

import pytest

from kijko.clients import llm


def names(year: int, month: int, day: int) -> set[str]:
    return {each.id for each in llm.offered(datetime(year, month, day, 12, tzinfo=UTC))}


@pytest.mark.parametrize(
    ("model", "last", "first"),
    [
        ("claude-opus-4-1", (2026, 8, 4), (2026, 8, 5)),
        ("gpt-4-turbo", (2026, 10, 22), (2026, 10, 23)),
        ("gemini-2.5-pro", (2026, 11, 30), (2026, 12, 1)),
    ],
)
def test_a_model_is_offered_until_its_provider_ends_it(
    model: str, last: tuple[int, int, int], first: tuple[int, int, int]
) -> None:
    assert model in names(*last)
    assert model not in names(*first)


def test_each_provider_offers_some_and_the_offline_one_is_first() -> None:
    offered = llm.offered(datetime(2026, 12, 1, tzinfo=UTC))
    assert offered[0].id == "echo"
    assert {each.provider for each in offered} == {"local", "anthropic", "google", "openai"}
    assert not {each.id for each in offered} & {"claude-2", "gemini-pro", "gpt-3.5-turbo", "gemini-2.0-flash"}
