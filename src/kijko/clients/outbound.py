"""HTTP to addresses that people gave: each host resolved and checked, and the connection made to the checked address.

No redirect is followed, no proxy of the environment is used, and no connection is kept for another host.
"""

from typing import Final

import httpx

from kijko.core.addresses import Resolver, resolve, target

_CONNECT_S: Final = 5.0


class Pinned(httpx.AsyncBaseTransport):
    """Connects where `core.addresses` allows, to the address that was checked there; TLS is for the host's name."""

    def __init__(self, *, allowed: frozenset[str] = frozenset(), resolver: Resolver | None = None) -> None:
        self._allowed = allowed
        self._resolver = resolver
        self._inner = httpx.AsyncHTTPTransport(
            trust_env=False, limits=httpx.Limits(max_connections=100, max_keepalive_connections=0)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it to the first of the host's addresses that takes a connection.

        Raises:
            AddressRefused: one of them is not public. httpx.ConnectError: there is none, or none answers.
        """
        to = target(str(request.url), allowed=self._allowed)
        try:
            addresses = await resolve(to.host, to.port, allowed=self._allowed, resolver=self._resolver)
        except OSError as error:
            raise httpx.ConnectError(str(error), request=request) from None
        failure: httpx.ConnectError | httpx.ConnectTimeout | None = None
        for address in addresses:
            try:
                return await self._inner.handle_async_request(_pinned(request, to.host, str(address)))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        raise failure or httpx.ConnectError("no address", request=request)

    async def aclose(self) -> None:
        """Close its connections."""
        await self._inner.aclose()


def client(
    *, allowed: frozenset[str] = frozenset(), timeout_s: float = 10, resolver: Resolver | None = None
) -> httpx.AsyncClient:
    """A client for such addresses. It raises AddressRefused besides httpx's own errors.

    Args:
        allowed: `host:port` pairs that may be anything.
        timeout_s: for each step of a request; a whole call's deadline is the caller's.
        resolver: what asks for a name's addresses; default the system's.
    """
    return httpx.AsyncClient(
        transport=Pinned(allowed=allowed, resolver=resolver),
        timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_S)),
        follow_redirects=False,
        trust_env=False,
        headers={"User-Agent": "Kijko", "Accept-Encoding": "identity"},
    )


def _pinned(request: httpx.Request, host: str, address: str) -> httpx.Request:
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,  # with Host, which httpx made of the URL as it was given
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )
