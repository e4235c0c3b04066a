"""Models behind one Protocol: Anthropic, Google and OpenAI by their own SDKs, and the offline model `echo`."""

from kijko.clients.llm.base import ModelAnswer, ModelCall, ModelFailure, Progress, Provider, Usage
from kijko.clients.llm.catalogue import LOCAL, cost_cents, provider_of
from kijko.clients.llm.offer import Offered, offered
from kijko.clients.llm.registry import Models, OwnKey

__all__ = [
    "LOCAL",
    "ModelAnswer",
    "ModelCall",
    "ModelFailure",
    "Models",
    "Offered",
    "OwnKey",
    "Progress",
    "Provider",
    "Usage",
    "cost_cents",
    "offered",
    "provider_of",
]
