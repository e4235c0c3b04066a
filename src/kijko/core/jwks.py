"""The public keys of one token issuer, fetched when first needed and kept.

An unknown `kid` fetches them again, but not more often than the setting says, so that nobody who makes up key ids can
make this process hammer the issuer. A fetch that fails leaves the keys that are there: people who are signed in go on
while the issuer is down.
"""

import asyncio
import contextlib
import logging
import time
from typing import Any, Final

import httpx
import jwt

from kijko.core.errors import Unavailable

log = logging.getLogger(__name__)

# A key that the issuer withdrew stops being believed within this time (seconds).
_MAX_AGE_S: Final = 600.0
_TIMEOUT_S: Final = 5.0


class KeysUnavailable(Unavailable):
    """The sign-in server does not answer, so your sign-in cannot be checked. Please try again in a moment."""


class KeySet:
    """The signing keys of one issuer, by `kid`, for one algorithm."""

    def __init__(self, url: str, algorithm: str, http: httpx.AsyncClient, refetch_s: float) -> None:
        self._url = url
        self._algorithm = algorithm
        self._http = http
        self._refetch_s = refetch_s
        self._keys: dict[str, jwt.PyJWK] | None = None
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    async def get(self, kid: str) -> jwt.PyJWK | None:
        """The key of this id, or None when the issuer has none.

        Raises:
            KeysUnavailable: no keys were ever read, and the issuer does not answer.
        """
        if self._keys is None or (kid not in self._keys and self._may_fetch()):
            await self._fetch_once()
        elif time.monotonic() - self._fetched_at > _MAX_AGE_S and self._may_fetch():
            self._start()
        if self._keys is None:
            raise KeysUnavailable
        return self._keys.get(kid)

    def _may_fetch(self) -> bool:
        # One that is under way may be joined.
        return self._fetching is not None or time.monotonic() - self._tried_at >= self._refetch_s

    async def _fetch_once(self) -> None:
        # Shielded: the caller who happened to be first may go away without taking the others' keys along.
        await asyncio.shield(self._start())

    def _start(self) -> asyncio.Task[None]:
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch())
            self._fetching.add_done_callback(self._done)
        return self._fetching

    def _done(self, _: asyncio.Task[None]) -> None:
        self._fetching = None

    async def _fetch(self) -> None:
        self._tried_at = time.monotonic()
        try:
            response = await self._http.get(self._url, timeout=_TIMEOUT_S)
            response.raise_for_status()
            self._keys = _signing_keys(response.json(), self._algorithm)
            self._fetched_at = time.monotonic()
        except (httpx.HTTPError, ValueError, jwt.PyJWTError) as error:
            log.warning("the keys of the token issuer could not be read: %s", type(error).__name__)


def _signing_keys(document: Any, algorithm: str) -> dict[str, jwt.PyJWK]:  # any JSON: an outside system's
    entries = document.get("keys") if isinstance(document, dict) else None
    found = {}
    for entry in entries if isinstance(entries, list) else ():
        # Keycloak lists an encryption key too, and keys of every algorithm it can sign with.
        if isinstance(entry, dict) and entry.get("use", "sig") == "sig" and entry.get("alg", algorithm) == algorithm:
            with contextlib.suppress(jwt.PyJWTError):
                found[str(entry.get("kid", ""))] = jwt.PyJWK(entry, algorithm)
    if not found:
        raise ValueError(f"no {algorithm} signing key in the key set")
    return found
