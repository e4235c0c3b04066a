"""Models behind one Protocol: Anthropic, Google and OpenAI by their own SDKs, and the offline model `echo`."""

from kijko.clients.llm.base import ModelAnswer, ModelCall, ModelFailure, Progress, Provider, Usage
from kijko.clients.llm.catalogue import LOCAL, Listed, cost_cents, listed, provider_of
from kijko.clients.llm.registry import Models, OwnKey

__all__ = [
    "LOCAL",
    "Listed",
    "ModelAnswer",
    "ModelCall",
    "ModelFailure",
    "Models",
    "OwnKey",
    "Progress",
    "Provider",
    "Usage",
    "cost_cents",
    "listed",
    "provider_of",
]
