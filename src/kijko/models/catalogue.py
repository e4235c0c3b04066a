"""The models that skills may name, on the wire."""

from typing import Annotated

from pydantic import Field

from kijko.models.base import Wire

Price = Annotated[str | None, Field(description="US dollars for a million tokens, exact; null where it is not known.")]


class ModelInfo(Wire):
    """A model of a provider, and whether there is a key to run it with."""

    id: str
    provider: str
    name: str
    context_tokens: Annotated[int | None, Field(description="How much it takes; null where nothing limits it.")] = None
    input_price: Price = None
    output_price: Price = None
    cache_read_price: Price = None
    cache_write_price: Price = None
    available: Annotated[bool, Field(description="Whether the organization, or the server, has a key at the provider.")]
