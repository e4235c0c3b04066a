"""Organizations' own keys at model providers, on the wire."""

from typing import Annotated

from pydantic import ConfigDict, Field

from kijko.models.base import Request, Text, Timestamp, Wire
from kijko.models.enums import ModelProvider


class ModelKeyRequest(Request):
    """An API key of the provider's."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"key": "an-api-key-of-the-provider"}]})

    key: Annotated[Text, Field(repr=False, json_schema_extra={"minLength": 16, "maxLength": 500})]
    """As the provider shows it; it is checked for its form alone, and never shown again."""


class ModelKey(Wire):
    """That the organization has a key at a provider. `hint` is its last four characters."""

    provider: ModelProvider
    hint: str
    created_at: Timestamp
    updated_at: Timestamp
