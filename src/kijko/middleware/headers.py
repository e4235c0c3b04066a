"""Headers that every answer carries, and a place where anything on the way may leave more of them."""

from collections.abc import Sequence
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Raw = tuple[bytes, bytes]

_KEY: Final = "kijko.headers"
_CACHE: Final = b"cache-control"
_POLICY: Final = b"content-security-policy"

_ALWAYS: Final[Sequence[Raw]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
_HSTS: Final[Raw] = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")
_NOTHING: Final[Raw] = (_POLICY, b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
_PRIVATE: Final[Raw] = (_CACHE, b"private, no-cache")
_NO_STORE: Final[Raw] = (_CACHE, b"no-store")
_ONE_LIMIT: Final = frozenset({b"ratelimit-limit", b"ratelimit-remaining", b"ratelimit-reset", b"ratelimit-policy"})
"""Of these an answer has one each; `RateLimit` is a list by its own definition."""


def add_header(scope: Scope, name: str, value: str) -> None:
    """Let the answer to this request carry one more header, whoever makes the answer, an error included."""
    scope.setdefault(_KEY, []).append((name.lower().encode("latin-1"), value.encode("latin-1")))


def _told_once(own: Sequence[Raw], extra: list[Raw]) -> list[Raw]:
    """Of several limits that a call takes (an API call, and the run that it starts) the last is told: the nearer."""
    if not extra:
        return extra
    told = {name for name, _ in own}
    kept: list[Raw] = []
    for name, value in reversed(extra):
        if name not in _ONE_LIMIT or name not in told:
            kept.append((name, value))
        told.add(name)
    return kept[::-1]


class Headers:
    """Adds the security headers, and those left by `add_header`.

    Caching is private unless the answer says otherwise, and forbidden under /api/auth, whose answers are tokens.
    """

    def __init__(self, app: ASGIApp, *, production: bool) -> None:
        self.app = app
        self._always = (*_ALWAYS, _HSTS) if production else tuple(_ALWAYS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with the headers added to the answer's start."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        extra: list[Raw] = scope.setdefault(_KEY, [])  # one list, also for whoever goes on with a copy of the scope

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers: list[Raw] = [*message["headers"], *self._always, *_told_once(message["headers"], extra)]
                names = {name for name, _ in headers}
                if _CACHE not in names:
                    headers.append(_NO_STORE if scope["path"].startswith("/api/auth/") else _PRIVATE)
                if _POLICY not in names:
                    headers.append(_NOTHING)
                message["headers"] = headers
            await send(message)

        await self.app(scope, receive, with_headers)
