"""How often signing in may be tried. A route takes one of these dependencies; every answer then carries its limit.

    async def login(…, _: Annotated[None, Depends(limit_login)]) -> …

An attempt counts for the client's address and for the account (the e-mail in the body, or whoever asks), in one step.
`/api` and `/api/v1` are one path by the time a route is found, so they count together. A body that lacks a field tries
nothing: it is a 422, not counted.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from starlette.requests import Request

from kijko.core.errors import Limited, Unavailable
from kijko.core.redis import RedisFailure
from kijko.core.tenancy import Principal
from kijko.core.window import Taken, place, take, told
from kijko.middleware.address import counted_address
from kijko.middleware.headers import add_header
from kijko.routers.principal import CurrentPrincipal
from kijko.settings import Auth, Settings

Limit = Callable[[Request], Awaitable[None]]

COUNTED: Final[set[Callable[..., object]]] = set()
"""Every dependency made here: who describes the API asks which operations are counted."""
METRIC: Final = "auth_attempts"
_SPAN_S: Final = 60


def auth_limit(name: str, per_minute: Callable[[Auth], int], *fields: str) -> Limit:
    """A dependency that counts an attempt at `name`: a body with all of the text `fields`.

    The dependency raises:
        Limited: 429 RATE_LIMITED with details {metric, limit, used, resetsAt} and Retry-After.
        Unavailable: Redis does not answer. Then nobody signs in, since guessing would be free.
    """

    async def limit(request: Request) -> None:
        body = await _body(request)
        if not _is_attempt(body, fields):
            return
        account = body["email"].strip().lower() if "email" in fields else None
        await _count(request, name, account, per_minute)

    COUNTED.add(limit)
    return limit


def person_limit(
    name: str, per_minute: Callable[[Auth], int], *fields: str, metric: str = METRIC
) -> Callable[[Request, Principal], Awaitable[None]]:
    """A dependency that counts what a signed-in person asks of `name`: all of it, or bodies with all of the `fields`.

    It raises what `auth_limit`'s does.
    """

    async def limit(request: Request, principal: CurrentPrincipal) -> None:
        if fields and not _is_attempt(await _body(request), fields):
            return
        await _count(request, name, str(principal.user_id), per_minute, metric)

    COUNTED.add(limit)
    return limit


async def _body(request: Request) -> Any:  # Any: JSON
    """None where there is no JSON; what is wrong with it is said by whoever needs it."""
    try:
        return await request.json()
    except ValueError:
        return None


async def _count(
    request: Request, name: str, account: str | None, per_minute: Callable[[Auth], int], metric: str = METRIC
) -> None:
    settings: Settings = request.app.state.settings
    address = counted_address(request.scope, request.app.state.trusted_proxies)
    keys = [place(name, "address", address)]
    if account is not None:
        keys.append(place(name, "account", account))
    taken = await _take(request, keys, per_minute(settings.auth), settings.redis.timeout_s)
    _tell(request, name, taken)
    if not taken.allowed:
        raise _refusal(taken, metric)


async def _take(request: Request, keys: list[str], limit: int, timeout_s: float) -> Taken:
    try:
        async with asyncio.timeout(timeout_s):
            return await take(request.app.state.clients.redis, keys, limit=limit, span_s=_SPAN_S)
    except RedisFailure:
        raise Unavailable(
            "This is not possible at the moment, because attempts cannot be counted. Try again in a little while."
        ) from None


def _is_attempt(body: Any, fields: Sequence[str]) -> bool:  # Any: whatever JSON was sent
    return isinstance(body, dict) and all(isinstance(body.get(name), str) for name in fields)


def _tell(request: Request, name: str, taken: Taken) -> None:
    """Say the limit in the form most clients read (RateLimit-*), and in the IETF draft's later one."""
    reset = str(math.ceil(taken.wait_s))
    for header, value in (
        ("RateLimit-Limit", str(taken.limit)),
        ("RateLimit-Remaining", str(taken.remaining)),
        ("RateLimit-Reset", reset),
        ("RateLimit-Policy", f'"{name}";q={taken.limit};w={_SPAN_S}'),
        ("RateLimit", f'"{name}";r={taken.remaining};t={reset}'),
    ):
        add_header(request.scope, header, value)


def _refusal(taken: Taken, metric: str) -> Limited:
    seconds = max(1, math.ceil(taken.wait_s))
    return Limited(
        f"Too many attempts: {taken.limit} a minute are allowed. Wait {seconds} s, then try again.",
        details=told(metric, taken.limit, taken.used, taken.wait_s),
        retry_after_s=seconds,
    )


def _attempts(auth: Auth) -> int:
    return auth.attempts_per_minute


def _refreshes(auth: Auth) -> int:
    return auth.refreshes_per_minute


limit_login: Final = auth_limit("login", _attempts, "email", "password")
limit_signup: Final = auth_limit("signup", _attempts, "email", "password", "first_name", "last_name")
limit_refresh: Final = auth_limit("refresh", _refreshes, "refresh_token")
limit_forgot: Final = auth_limit("forgot", _refreshes, "email")
limit_resend: Final = person_limit("resend", _attempts)
limit_change: Final = person_limit("password", _attempts, "current_password", "new_password")
