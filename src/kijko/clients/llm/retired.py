"""When providers end their models: the price list keeps what is long gone, for the sake of old bills."""

from collections.abc import Mapping
from datetime import date
from typing import Final

# As Anthropic's, Google's and OpenAI's pages on deprecations announce it, of what the price list does not mark itself.
# From that day on the provider refuses the name, or answers with another model. To be looked at again whenever the
# price list is raised.
_ENDS: Final[Mapping[date, str]] = {
    date(2024, 9, 13): "gpt-3.5-turbo-0613 gpt-3.5-turbo-16k",
    date(2024, 12, 6): "gpt-4-vision-preview",
    date(2025, 4, 9): "gemini-pro gemini-1.0-pro-vision-001",
    date(2025, 6, 6): "gpt-4-32k",
    date(2025, 7, 21): "claude-2 claude-3-sonnet",
    date(2025, 7, 28): "o1-preview",
    date(2025, 9, 29): "gemini-1.5-flash gemini-1.5-pro gemini-flash-1.5-8b gemini-pro-1.5",
    date(2025, 10, 27): "o1-mini",
    date(2025, 10, 28): "claude-3-5-sonnet",
    date(2026, 1, 5): "claude-3-opus-latest",
    date(2026, 2, 17): "chatgpt-4o-latest",
    date(2026, 2, 19): "claude-3-5-haiku-latest claude-3-7-sonnet-latest",
    date(2026, 4, 20): "claude-3-haiku",
    date(2026, 6, 15): "claude-opus-4-0 claude-sonnet-4-0",
    date(2026, 7, 23): "gpt-4o-search-preview gpt-5.1-codex-mini o3-deep-research o4-mini-deep-research",
    date(2026, 8, 5): "claude-opus-4-1",
    date(2026, 9, 28): "gpt-3.5-turbo-1106",
    date(2026, 10, 23): "gpt-3.5-turbo gpt-4 gpt-4-turbo gpt-4.1-nano gpt-4o-2024-05-13 o1 o1-pro o3-mini o4-mini",
    date(2026, 11, 30): "claude-sonnet-4-5",
    date(2026, 12, 1): "gemini-2.5-flash gemini-2.5-pro",
    date(2026, 12, 11): "gpt-5 gpt-5-mini gpt-5-nano gpt-5-pro o3 o3-pro",
    date(2027, 1, 14): "gpt-4.1 gpt-4.1-mini gpt-4o gpt-4o-mini",
    date(2027, 4, 1): "gpt-5.1 gpt-5.3-codex gpt-5.4-nano",
}
_LAST: Final[Mapping[str, date]] = {model: day for day, models in _ENDS.items() for model in models.split()}


def is_retired(model: str, on: date) -> bool:
    """Whether its provider has ended a model, by its name in the price list, on that day (UTC) or before."""
    return model in _LAST and _LAST[model] <= on
