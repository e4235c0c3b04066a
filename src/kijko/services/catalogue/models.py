"""The models there are."""

import asyncio
from collections.abc import Set as AbstractSet
from decimal import Decimal

from kijko.clients import llm
from kijko.core.tenancy import OrgReader
from kijko.models.catalogue import ModelInfo
from kijko.services import model_keys
from kijko.settings import Models


async def models(reader: OrgReader, settings: Models) -> list[ModelInfo]:
    """The models that a skill may name: the offline one first, then by provider, as the price list has them."""
    own = await model_keys.providers_with_key(reader)
    offered = await asyncio.to_thread(llm.offered)  # its first time takes a quarter of a second
    known = {llm.LOCAL, *own, *_of_server(settings)}
    return [_told(each, known) for each in offered]


def _of_server(settings: Models) -> AbstractSet[str]:
    keys = {
        "anthropic": settings.anthropic_api_key,
        "google": settings.google_api_key,
        "openai": settings.openai_api_key,
    }
    return {name for name, key in keys.items() if key is not None}


def _told(of: llm.Offered, with_key: AbstractSet[str]) -> ModelInfo:
    return ModelInfo(
        id=of.id,
        provider=of.provider,
        name=of.name,
        context_tokens=of.context_tokens,
        input_price=_price(of.input_price),
        output_price=_price(of.output_price),
        cache_read_price=None if of.cache_read_price is None else _price(of.cache_read_price),
        cache_write_price=None if of.cache_write_price is None else _price(of.cache_write_price),
        available=of.provider in with_key,
    )


def _price(dollars: Decimal) -> str:
    return f"{dollars.normalize():f}"
