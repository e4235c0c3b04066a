"""Which provider has a model and what its tokens cost, from the kept price list `genai-prices` (USD, exact)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from kijko.clients.llm.base import ModelAnswer

LOCAL = "local"
ECHO = "echo"
_PROVIDERS = ("anthropic", "google", "openai")
_FAMILIES: Mapping[str, tuple[str, ...]] = {
    "anthropic": ("claude",),
    "google": ("gemini", "gemma"),
    "openai": ("gpt-", "o1", "o3", "o4", "chatgpt"),
}


# Models of the list that take something else than a prompt, give something else than a text, or cannot be called so.
_NO_TEXT: Final = ("embedding", "tts", "image", "audio", "realtime", "live", "transcribe", "omni", "vision", "instruct")


@dataclass(frozen=True, slots=True)
class Listed:
    """A model to choose. Prices are US dollars for a million tokens, those of a short prompt; None: not known."""

    id: str
    provider: str
    name: str
    context_tokens: int | None
    input_price: Decimal | None
    output_price: Decimal | None
    cache_read_price: Decimal | None
    cache_write_price: Decimal | None


@lru_cache(maxsize=1)
def listed() -> tuple[Listed, ...]:
    """The models that a skill may name, provider by provider, as the price list has them. Slow the first time.

    Left out are those that its provider takes out of service and those that do not turn a text into a text.
    """
    from genai_prices.data import providers  # noqa: PLC0415  # as below

    free = Decimal(0)
    found = [Listed(ECHO, LOCAL, "Echo (offline)", None, free, free, None, None)]
    now = datetime.now(UTC)
    for provider in sorted((each for each in providers if each.id in _PROVIDERS), key=lambda each: each.id):
        for model in provider.models:
            if model.deprecated or model.context_window is None or any(word in model.id for word in _NO_TEXT):
                continue
            if provider_of(model.id) == provider.id:
                price = model.get_prices(now)
                prices = (price.input_mtok, price.output_mtok, price.cache_read_mtok, price.cache_write_mtok)
                base = [_base(each) for each in prices]
                found.append(Listed(model.id, provider.id, model.name or model.id, model.context_window, *base))
    return tuple(found)


def _base(price: Any) -> Decimal | None:  # the library's own: a price, one in tiers, or none
    found: Decimal | None = getattr(price, "base", price)
    return found


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
        if provider.id in _PROVIDERS and model.startswith(_FAMILIES[provider.id]) and provider.find_model(model):
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
