"""Models behind one Protocol: Anthropic, Google and OpenAI by their own SDKs, and the offline model `echo`."""

from kijko.clients.llm.base import ModelAnswer, ModelCall, ModelFailure, Progress, Provider, Usage
from kijko.clients.llm.catalogue import cost_cents, provider_of
from kijko.clients.llm.registry import Models

__all__ = [
    "ModelAnswer",
    "ModelCall",
    "ModelFailure",
    "Models",
    "Progress",
    "Provider",
    "Usage",
    "cost_cents",
    "provider_of",
]
