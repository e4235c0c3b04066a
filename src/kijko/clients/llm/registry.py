"""Finds the client of a model's provider, made when it is first needed."""

import asyncio
import importlib
from collections.abc import Callable

from pydantic import SecretStr

from kijko.clients.llm import failures
from kijko.clients.llm.base import ModelAnswer, ModelCall, ModelFailure, Progress, Provider
from kijko.clients.llm.catalogue import LOCAL, provider_of
from kijko.clients.llm.echo import Echo
from kijko.models.enums import ExecutionErrorCode
from kijko.settings import Models as ModelSettings


class Models:
    """Every model that this process can run, with the server's own keys."""

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings
        self._clients: dict[str, Provider] = {LOCAL: Echo()}
        self._making = asyncio.Lock()

    async def run(self, call: ModelCall, progress: Progress | None = None) -> ModelAnswer:
        """Runs a call at its model's provider.

        Raises:
            ModelFailure: as the provider's client, and where there is no such model or no key.
        """
        return await (await self.prepare(call.model)).run(call, progress)

    async def prepare(self, model: str) -> Provider:
        """The client of a model's provider, made when it is first needed, away from the event loop.

        Raises:
            ModelFailure: there is no such model, or no key for it.
        """
        name = provider_of(model)
        if name is None:
            raise ModelFailure(
                ExecutionErrorCode.INTERNAL, f"No model is called {model!r} any more. Choose another.", ran=False
            )
        if name not in self._clients:
            async with self._making:
                if name not in self._clients:
                    self._clients[name] = await asyncio.to_thread(self._make, name)
        return self._clients[name]

    async def close(self) -> None:
        """Closes every client."""
        for client in self._clients.values():
            await client.close()

    def _make(self, name: str) -> Provider:
        settings = self._settings
        match name:
            case "anthropic":
                return _client("Anthropic", settings.anthropic_api_key, settings.anthropic_base_url, settings.timeout_s)
            case "google":
                return _client("Google", settings.google_api_key, settings.google_base_url, settings.timeout_s)
            case _:
                return _client("OpenAI", settings.openai_api_key, settings.openai_base_url, settings.timeout_s)


def _client(name: str, key: SecretStr | None, base_url: str | None, timeout_s: float) -> Provider:
    if key is None:
        raise failures.no_key(name, f"KIJKO_MODELS_{name.upper()}_API_KEY")
    # The SDKs take one to three seconds and up to 50 MB each to import: only who uses one pays for it.
    module = importlib.import_module(f"kijko.clients.llm.{name.lower()}")
    make: Callable[..., Provider] = getattr(module, name)
    return make(key.get_secret_value(), base_url=base_url, timeout_s=timeout_s)
