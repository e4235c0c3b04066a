"""Finds the client of a model's provider, made when first needed, with the organization's own key or the server's."""

import asyncio
import importlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from pydantic import SecretStr

from kijko.clients.llm import failures
from kijko.clients.llm.base import ModelAnswer, ModelCall, ModelFailure, Progress, Provider
from kijko.clients.llm.catalogue import LOCAL, provider_of
from kijko.clients.llm.echo import Echo
from kijko.models.enums import ExecutionErrorCode
from kijko.settings import Models as ModelSettings

_MOST_OWN: Final = 64
"""Clients with organizations' own keys that are kept; each has connections."""
_CLOSING_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class OwnKey:
    """An organization's key at a provider. A key that is changed has another version."""

    version: UUID
    secret: str = field(repr=False)


KeyOf = Callable[[UUID, str], Awaitable[OwnKey | None]]
"""(organization, provider) → its own key there, if it has one."""


class Models:
    """Every model that this process can run."""

    def __init__(self, settings: ModelSettings, own_key: KeyOf | None = None) -> None:
        """`own_key`: without it, only the server's own keys are used."""
        self._settings = settings
        self._own_key = own_key
        self._clients: dict[str, Provider] = {LOCAL: Echo()}
        self._own: OrderedDict[tuple[UUID, str], tuple[UUID, Provider]] = OrderedDict()
        self._closing: dict[Provider, asyncio.TimerHandle] = {}
        self._ends: set[asyncio.Task[None]] = set()
        self._making = asyncio.Lock()

    async def run(self, call: ModelCall, progress: Progress | None = None) -> ModelAnswer:
        """Runs a call at its model's provider.

        Raises:
            ModelFailure: as the provider's client, and where there is no such model or no key.
        """
        return await (await self.prepare(call.model)).run(call, progress)

    async def prepare(self, model: str, organization_id: UUID | None = None, *, has_own_keys: bool = True) -> Provider:
        """The client of a model's provider, made when it is first needed, away from the event loop.

        It has the organization's own key where there is one, and the server's else. Who knows that the organization has
        no key anywhere says so with `has_own_keys`, and it is not looked for.

        Raises:
            ModelFailure: there is no such model, or no key for it, or the organization's own cannot be read.
        """
        name = provider_of(model)
        if name is None:
            raise ModelFailure(
                ExecutionErrorCode.INTERNAL, f"No model is called {model!r} any more. Choose another.", ran=False
            )
        if name != LOCAL and organization_id is not None and self._own_key is not None:
            own = await self._own_key(organization_id, name) if has_own_keys else None
            found = await self._with(organization_id, name, own)
            if found is not None:
                return found
        if name not in self._clients:
            async with self._making:
                if name not in self._clients:
                    self._clients[name] = await asyncio.to_thread(self._make, name)
        return self._clients[name]

    def is_own(self, provider: Provider) -> bool:
        """Whether a client that was prepared here has an organization's own key."""
        return all(provider is not one for one in self._clients.values())

    async def close(self) -> None:
        """Closes every client."""
        for timer in self._closing.values():
            timer.cancel()
        for client in (*self._clients.values(), *(client for _, client in self._own.values()), *self._closing):
            await client.close()
        await asyncio.gather(*self._ends)

    async def _with(self, organization_id: UUID, name: str, own: OwnKey | None) -> Provider | None:
        """The client with this key; the one with an earlier key is closed. None where there is no key any more."""
        place = (organization_id, name)
        version, client = self._own.get(place, (None, None))
        if version == (own and own.version):  # nothing has changed, most often since there is none: nobody waits
            if client is not None:
                self._own.move_to_end(place)
            return client
        async with self._making:
            version, client = self._own.get(place, (None, None))
            if version == (own and own.version):
                return client
            if client is not None:
                del self._own[place]
                self._close_later(client)
            if own is None:
                return None
            made: Provider = await asyncio.to_thread(self._make, name, SecretStr(own.secret))
            self._own[place] = (own.version, made)
            if len(self._own) > _MOST_OWN:
                _, (_, oldest) = self._own.popitem(last=False)
                self._close_later(oldest)
            return made

    def _close_later(self, client: Provider) -> None:
        """A call that has just begun may go on for as long as a call may."""

        def end() -> None:
            del self._closing[client]
            task = asyncio.create_task(client.close())
            self._ends.add(task)
            task.add_done_callback(self._ends.discard)

        loop = asyncio.get_running_loop()
        self._closing[client] = loop.call_later(self._settings.timeout_s + _CLOSING_S, end)

    def _make(self, name: str, own: SecretStr | None = None) -> Provider:
        settings = self._settings
        match name:
            case "anthropic":
                key, base_url = settings.anthropic_api_key, settings.anthropic_base_url
                return _client("Anthropic", own or key, base_url, settings.timeout_s)
            case "google":
                key, base_url = settings.google_api_key, settings.google_base_url
                return _client("Google", own or key, base_url, settings.timeout_s)
            case _:
                key, base_url = settings.openai_api_key, settings.openai_base_url
                return _client("OpenAI", own or key, base_url, settings.timeout_s)


def _client(name: str, key: SecretStr | None, base_url: str | None, timeout_s: float) -> Provider:
    if key is None:
        raise failures.no_key(name, f"KIJKO_MODELS_{name.upper()}_API_KEY")
    # The SDKs take one to three seconds and up to 50 MB each to import: only who uses one pays for it.
    module = importlib.import_module(f"kijko.clients.llm.{name.lower()}")
    make: Callable[..., Provider] = getattr(module, name)
    return make(key.get_secret_value(), base_url=base_url, timeout_s=timeout_s)
