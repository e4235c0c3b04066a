"""The models that skills may name, on the wire."""

from typing import Annotated

from pydantic import Field

from kijko.models.base import Wire
from kijko.models.enums import ModelProvider

Price = Annotated[str, Field(description="US dollars for a million tokens of a short prompt, exact.")]


class ModelInfo(Wire):
    """A model of a provider, and whether there is a key to run it with."""

    id: str
    provider: Annotated[str, Field(json_schema_extra={"enum": ["local", *ModelProvider]})]
    name: str
    context_tokens: Annotated[int, Field(description="How much it takes.")]
    input_price: Price
    output_price: Price
    cache_read_price: Price | None = None
    cache_write_price: Price | None = None
    available: Annotated[bool, Field(description="Whether the organization, or the server, has a key at the provider.")]
