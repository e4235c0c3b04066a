"""HTTP to Keycloak: a deadline on each call, one retry where a repeat changes nothing, errors of two kinds."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final

import httpx

from kijko.core.errors import Unavailable

log = logging.getLogger(__name__)

_REPEATABLE: Final = frozenset({"GET", "PUT", "DELETE"})


class SignInUnavailable(Unavailable):
    """The sign-in server does not answer at the moment. Please try again in a little while."""


class Refused(Exception):  # it is an answer, and often an expected one
    """Keycloak said no. `error` and `description` are its words, never shown to people as they are."""

    def __init__(self, status: int, error: str, description: str, field: str | None = None) -> None:
        super().__init__(f"Keycloak answered {status}: {error} {description}".strip())
        self.status = status
        self.error = error
        self.description = description
        self.field = field


class Transport:
    """One pool of connections to one Keycloak."""

    def __init__(self, base_url: str, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self.http: Final = httpx.AsyncClient(
            base_url=base_url,
            timeout=timeout_s,
            trust_env=False,
            limits=httpx.Limits(max_connections=50, max_keepalive_connections=20, keepalive_expiry=20),
        )

    async def send(
        self,
        method: str,
        path: str,
        *,
        form: Mapping[str, str] | None = None,
        json: Any = None,  # any JSON
        params: Mapping[str, str] | None = None,
        token: str | None = None,
    ) -> httpx.Response:
        """The answer, of a status below 400.

        Raises:
            SignInUnavailable: no answer within the deadline, or a 5xx. Refused: a 4xx.
        """
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = self.http.build_request(method, path, data=form, json=json, params=params, headers=headers)
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._exchange(request)
        except (httpx.TransportError, TimeoutError) as error:
            log.warning("the sign-in server does not answer: %s", type(error).__name__)
            raise SignInUnavailable from None
        if response.status_code >= 500:
            log.warning("the sign-in server failed: %d at %s %s", response.status_code, method, request.url.path)
            raise SignInUnavailable
        if response.status_code >= 400:
            raise _refusal(response)
        return response

    async def _exchange(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self.http.send(request)
        except httpx.ConnectError:
            return await self.http.send(request)  # nothing was sent
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            if request.method not in _REPEATABLE:
                raise
            return await self.http.send(request)  # a kept connection that Keycloak closed meanwhile


def _refusal(response: httpx.Response) -> Refused:
    try:
        body = response.json()
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    error = body.get("error") or body.get("errorMessage") or ""
    return Refused(response.status_code, str(error), str(body.get("error_description", "")), body.get("field"))
