"""Stripe: who pays. Its SDK's async calls, under our deadline."""

import asyncio
import importlib
from typing import TYPE_CHECKING, Final

from kijko.settings import Stripe as StripeSettings
from kijko.settings import required

if TYPE_CHECKING:
    from stripe import StripeClient


class StripeFailure(Exception):
    """Stripe does not answer, or refuses this server's key. The text names neither the key nor the address."""


class Stripe:
    """The account that KIJKO_STRIPE_SECRET_KEY opens. Nothing is connected before the first call."""

    def __init__(self, settings: StripeSettings) -> None:
        """Raises MissingSetting when KIJKO_STRIPE_SECRET_KEY is not set."""
        # The SDK takes half a second to import: whoever only imports the API (a test, `kijko openapi`) does without.
        sdk = importlib.import_module("stripe")
        self._failure: Final[type[Exception]] = sdk.StripeError
        self._http = sdk.HTTPXClient(timeout=settings.timeout_s)
        self.client: Final[StripeClient] = sdk.StripeClient(
            required(settings.secret_key, "KIJKO_STRIPE_SECRET_KEY"),
            base_addresses={"api": settings.api_base},
            http_client=self._http,
            max_network_retries=0,
        )
        self._timeout_s = settings.timeout_s

    async def check(self) -> None:
        """Return when Stripe answers and takes the key.

        Raises:
            StripeFailure: it does not, within the deadline.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                await self.client.v1.balance.retrieve_async()
        except (self._failure, TimeoutError, OSError) as error:
            raise StripeFailure(f"Stripe did not answer well ({type(error).__name__}).") from None

    async def close(self) -> None:
        """Close its connections."""
        await self._http.close_async()
