"""HTTP to a forge whose address the settings give: a deadline on each call, errors of two kinds, no redirects."""

import asyncio
import functools
import logging
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import httpx

from kijko.clients.forges.forge import Forge, ForgeRefused, ForgeUnavailable, Tokens

log = logging.getLogger(__name__)

BYTES_A_LINE: Final = 35
"""What a line of source takes on average, for estimates."""
MONTH: Final = timedelta(days=30)
_NEXT: Final = re.compile(r'<([^>]+)>;\s*rel="next"')
_LAST: Final = re.compile(r'[?&]page=(\d+)[^>]*>;\s*rel="last"')
_MOST_PAGES: Final = 50
_LIMITED: Final = frozenset({403, 429})
_Forge = TypeVar("_Forge", bound=Forge)
_Asked = ParamSpec("_Asked")
_Told = TypeVar("_Told")


class Transport:
    """Calls to one forge."""

    def __init__(self, title: str, timeout_s: float, headers: Mapping[str, str]) -> None:
        self._title = title
        self._timeout_s = timeout_s
        self._http = httpx.AsyncClient(
            timeout=timeout_s,
            trust_env=False,
            headers={"User-Agent": "Kijko", "Accept": "application/json", **headers},
            limits=httpx.Limits(max_connections=20, max_keepalive_connections=5, keepalive_expiry=20),
        )

    async def send(
        self,
        method: str,
        url: str,
        *,
        token: str | None = None,
        basic: tuple[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        json: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """The answer, of a status below 400.

        Raises:
            ForgeUnavailable: none within the deadline, a 5xx, or we have asked too often. ForgeRefused: another 4xx.
        """
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = self._http.build_request(method, url, data=form, json=json, params=params, headers=headers)
        auth = httpx.BasicAuth(*basic) if basic is not None else None
        try:
            async with asyncio.timeout(self._timeout_s):
                response = await self._http.send(request, auth=auth)
        except (httpx.HTTPError, TimeoutError) as error:
            log.warning("%s does not answer: %s", self._title, type(error).__name__)
            raise self._unavailable() from None
        if response.status_code >= 500 or _is_limit(response):
            log.warning("%s failed: %d at %s", self._title, response.status_code, request.url.path)
            raise self._unavailable()
        if not response.is_success:
            raise ForgeRefused(f"{self._title} answered {response.status_code}")
        return response

    async def json(self, method: str, url: str, **options: Any) -> Any:  # Any: those of send; the forge's own JSON
        """The answer's JSON. Raises ForgeUnavailable or ForgeRefused."""
        return self.read(await self.send(method, url, **options))

    def read(self, response: httpx.Response) -> Any:  # Any: the forge's own JSON
        """An answer's JSON. Raises ForgeUnavailable where it is none."""
        try:
            return response.json()
        except ValueError:
            log.warning("%s answered what is no JSON", self._title)
            raise self._unavailable() from None

    async def rows(self, url: str, token: str, limit: int) -> list[Any]:  # Any: the forge's own JSON
        """A list's first rows, page by page, as long as the next one is at the same server.

        Raises:
            ForgeUnavailable, ForgeRefused: see send.
        """
        found: list[Any] = []
        here, following = httpx.URL(url), httpx.URL(url)
        for _ in range(_MOST_PAGES):
            page = await self.send("GET", str(following), token=token)
            found += self.read(page)
            told = next_page(page)
            if told is None or len(found) >= limit:
                break
            following = here.join(told)
            if (following.scheme, following.netloc) != (here.scheme, here.netloc):
                break  # the token is for this server alone
        return found[:limit]

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def _unavailable(self) -> ForgeUnavailable:
        return ForgeUnavailable(f"{self._title} does not answer at the moment. Please try again in a little while.")


def understood(
    call: Callable[Concatenate[_Forge, _Asked], Awaitable[_Told]],
) -> Callable[Concatenate[_Forge, _Asked], Coroutine[Any, Any, _Told]]:  # Any: what coroutines never yield
    """A call whose answer may have any shape: one that is not the forge's own is a ForgeUnavailable."""

    @functools.wraps(call)
    async def asked(forge: _Forge, /, *args: _Asked.args, **options: _Asked.kwargs) -> _Told:
        try:
            return await call(forge, *args, **options)
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError):
            log.warning("%s's answer is not understood", forge.title, exc_info=True)
            raise ForgeUnavailable(
                f"{forge.title} answered what is not understood here. Please try again in a little while."
            ) from None

    return asked


def text(told: Any) -> str:  # Any: the forge's own JSON
    """A value that has to be text. Raises TypeError."""
    if not isinstance(told, str) or not told:
        raise TypeError(f"no text: {type(told).__name__}")
    return told


def whole(told: Any) -> int | None:  # Any: the forge's own JSON
    """A number that may be missing. Raises TypeError where it is there and no whole number."""
    if told is not None and type(told) is not int:
        raise TypeError(f"no number: {type(told).__name__}")
    return told


def optional(told: Any) -> str | None:  # Any: the forge's own JSON
    """A value that may be missing. Raises TypeError where it is there and no text."""
    return text(told) if told else None


def tokens_of(told: Any) -> Tokens:  # Any: the forge's own JSON
    """The tokens in an OAuth 2.0 answer. GitHub says no with a 200.

    Raises:
        ForgeRefused: there are none in it.
    """
    if not isinstance(told, dict) or not isinstance(told.get("access_token"), str):
        raise ForgeRefused("the answer holds no token")
    lives = told.get("expires_in")
    return Tokens(
        access=told["access_token"],
        refresh=optional(told.get("refresh_token")),
        expires_at=datetime.now(UTC) + timedelta(seconds=float(lives)) if lives else None,
        scope=tuple(str(told.get("scope") or "").replace(",", " ").split()),
    )


async def together(*calls: Coroutine[Any, Any, Any]) -> list[Any]:  # Any: each call's own; what coroutines never yield
    """The calls' values, asked for at once; the first failure ends the others."""
    try:
        async with asyncio.TaskGroup() as tasks:
            made = [tasks.create_task(call) for call in calls]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in made]


def next_page(response: httpx.Response) -> str | None:
    """The address of a list's next page, by its Link header."""
    found = _NEXT.search(response.headers.get("link", ""))
    return found[1] if found else None


def last_page(response: httpx.Response) -> int | None:
    """The number of a list's last page, by its Link header; None where it has one page."""
    found = _LAST.search(response.headers.get("link", ""))
    return int(found[1]) if found else None


def instant(text: str | None) -> datetime:
    """A forge's time, in UTC; the beginning of time where it has none, as for an empty repository."""
    return datetime.fromisoformat(text).astimezone(UTC) if text else datetime.fromtimestamp(0, UTC)


def _is_limit(response: httpx.Response) -> bool:
    if response.status_code not in _LIMITED:
        return False
    spent = response.headers.get("x-ratelimit-remaining") == "0" or "retry-after" in response.headers
    return response.status_code == 429 or spent
