"""The models that are offered by name, with their prices: the texts' models of the kept price list, and `echo`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from kijko.clients.llm.catalogue import ECHO, LOCAL, PROVIDERS, provider_of
from kijko.clients.llm.retired import is_retired

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo

# What the list has beside models that are sent a text and answer with one.
_OTHER: Final = re.compile(
    r"audio|realtime|image|tts|transcribe|whisper|translate|live|embedding|moderation|instruct|computer-use|robotics"
)
_NAME: Final = re.compile(r"[a-z][a-z0-9.-]*[a-z0-9]")
# Where the list does not say: as their makers' pages do.
_CONTEXT: Final[Mapping[str, int]] = {
    "gemini-2.5-pro": 1_048_576,
    "gemini-3-pro-preview": 1_048_576,
    "gemini-3.1-pro-preview": 1_048_576,
}


@dataclass(frozen=True, slots=True)
class Offered:
    """A model. Prices are USD for a million tokens, those of short prompts where long ones cost more."""

    id: str
    provider: str
    name: str
    context_tokens: int
    input_price: Decimal
    output_price: Decimal
    cache_read_price: Decimal | None = None
    cache_write_price: Decimal | None = None


_ECHO: Final = Offered(ECHO, LOCAL, "Echo", 1_000_000, Decimal(0), Decimal(0))


def offered(at: datetime | None = None) -> Sequence[Offered]:
    """`echo`, then each provider's models in the price list's order, without what its provider has ended.

    `at`: a time in UTC, for its models and prices; by default now. It takes a quarter of a second the first time: call
    it away from the event loop.
    """
    return _of_hour((at or datetime.now(UTC)).replace(minute=0, second=0, microsecond=0))


@lru_cache(maxsize=2)
def _of_hour(hour: datetime) -> Sequence[Offered]:
    return (_ECHO, *_listed(hour))  # a price changes at a time of its own: to the hour is enough for a list


def _listed(now: datetime) -> Iterator[Offered]:
    from genai_prices.data import providers  # noqa: PLC0415  # large: see `catalogue`

    for provider in sorted(providers, key=lambda each: each.id):
        if provider.id in PROVIDERS:
            for model in provider.models:
                found = _offer(provider.id, model, now)
                if found is not None:
                    yield found


def _offer(provider: str, model: "ModelInfo", now: datetime) -> Offered | None:
    context = model.context_window or _CONTEXT.get(model.id)
    if model.deprecated or is_retired(model.id, now.date()):
        return None
    if context is None or not _NAME.fullmatch(model.id) or _OTHER.search(model.id):
        return None
    prices = model.get_prices(now)
    read, write = (_base(prices, each) for each in ("cache_read_mtok", "cache_write_mtok"))
    paid_in, paid_out = (_base(prices, each) for each in ("input_mtok", "output_mtok"))
    if paid_in is None or paid_out is None or provider_of(model.id) != provider:
        return None
    return Offered(model.id, provider, model.name or model.id, context, paid_in, paid_out, read, write)


def _base(prices: Any, name: str) -> Decimal | None:  # Any: the list makes a price's fields when it is read
    found = getattr(prices, name, None)
    return found if found is None or isinstance(found, Decimal) else Decimal(found.base)
