"""What a provider's key looks like, and whose a sealed one is."""

import re
from collections.abc import Mapping
from typing import Final
from uuid import UUID

from kijko.core.errors import Invalid
from kijko.models.enums import ModelProvider
from kijko.services.model_keys.errors import UnknownModelProvider

_FORM: Final = re.compile(r"[!-~]{16,500}", re.ASCII)
_HINT: Final = 4
_MARKS: Final[Mapping[str, ModelProvider]] = {
    "sk-ant-": ModelProvider.ANTHROPIC,
    "AIza": ModelProvider.GOOGLE,
    "sk-proj-": ModelProvider.OPENAI,
}
"""What only one provider's keys begin with."""


def provider_of(name: str) -> ModelProvider:
    """The provider of that name. Raises UnknownModelProvider."""
    try:
        return ModelProvider(name)
    except ValueError:
        raise UnknownModelProvider from None


def checked(provider: ModelProvider, key: str) -> str:
    """The key, without blanks around it, when it has the form of one; whether it opens anything, a run will show.

    Raises:
        Invalid: it has not, or it is plainly another provider's.
    """
    text = key.strip()
    if not _FORM.fullmatch(text):
        raise Invalid("key must have 16 to 500 characters: letters, digits and signs, without blanks.", field="key")
    other = next((whose for mark, whose in _MARKS.items() if text.startswith(mark)), provider)
    if other is not provider:
        raise Invalid(f"key is one of {other.value}, and not of {provider.value}. Set it there.", field="key")
    return text


def hint(key: str) -> str:
    """By what somebody who has the key knows it again."""
    return key[-_HINT:]


def bound(organization_id: UUID, provider: str) -> bytes:
    """What a sealed key is bound to: in another row it does not open."""
    return f"kijko:model-key:{organization_id}:{provider}".encode()
