"""Which provider has a model and what its tokens cost, from the kept price list `genai-prices` (USD, exact)."""

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache

from kijko.clients.llm.base import ModelAnswer

LOCAL = "local"
ECHO = "echo"
PROVIDERS = ("anthropic", "google", "openai")
_FAMILIES: Mapping[str, tuple[str, ...]] = {
    "anthropic": ("claude",),
    "google": ("gemini", "gemma"),
    "openai": ("gpt-", "o1", "o3", "o4", "chatgpt"),
}


@lru_cache(maxsize=1024)
def provider_of(model: str) -> str | None:
    """The provider of a model by the name its API takes: local, anthropic, google or openai; None for an unknown one.

    A dated name (`claude-sonnet-4-5-20250929`) is known where the price list matches it to its model.
    """
    if model == ECHO:
        return LOCAL
    # The list takes a quarter of a second and some megabytes: whoever only runs `echo` does without.
    from genai_prices.data import providers  # noqa: PLC0415

    for provider in providers:
        if provider.id in PROVIDERS and model.startswith(_FAMILIES[provider.id]) and provider.find_model(model):
            return provider.id
    return None


def cost_cents(answer: ModelAnswer) -> Decimal | None:
    """What an answer cost in US cents, each token priced once as fresh, cache read, cache write or output.

    None where the list has no price: unknown is not free.
    """
    if answer.provider == LOCAL:
        return Decimal(0)
    from genai_prices import Usage, calc_price  # noqa: PLC0415  # as above

    usage = Usage(
        input_tokens=answer.prompt_tokens,
        cache_read_tokens=answer.cache_read_tokens,
        cache_write_tokens=answer.cache_write_tokens,
        output_tokens=answer.completion_tokens,
    )
    try:
        return calc_price(usage, answer.model, provider_id=answer.provider).total_price * 100
    except LookupError:
        return None
