"""Is it well? Every dependency is asked side by side, each under a deadline; answers are kept for a second."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version
from time import perf_counter
from typing import Final

from fastapi import APIRouter, Request, Response, status

from kijko.clients import Clients
from kijko.core.db.errors import DatabaseError
from kijko.core.jobs import HEARTBEAT, HEARTBEAT_TTL_S
from kijko.models.health import Check, Condition, Health, Ready
from kijko.routers.answers import JsonBytes

log = logging.getLogger(__name__)

router = APIRouter(tags=["operations"])

Checks = Mapping[str, Callable[[], Awaitable[None]]]

_DEADLINE_S: Final = 2.0
_KEPT_S: Final = 1.0
_VERSION: Final = version("kijko")


class NoWorker(Exception):
    """No worker has reported for a while, or the last one has stopped."""

    def __init__(self) -> None:
        super().__init__(f"No worker has reported in the last {HEARTBEAT_TTL_S} s, or the last one has stopped.")


class Checkup:
    """Looks at every dependency, at most once a second however often it is asked."""

    def __init__(self, checks: Checks) -> None:
        self._checks = checks
        self._lock = asyncio.Lock()
        self._last: tuple[float, Health] | None = None

    async def look(self) -> Health:
        """How everything is, at most a second ago."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if self._last is None or now - self._last[0] > _KEPT_S:
                self._last = (now, await self._look())
            return self._last[1]

    async def _look(self) -> Health:
        found = await asyncio.gather(*(_check(name, check) for name, check in self._checks.items()))
        checks = dict(zip(self._checks, found, strict=True))
        return Health(status=_overall(checks), version=_VERSION, checks=checks)


def checkup(clients: Clients) -> Checkup:
    """The checks of the API's dependencies."""

    async def database() -> None:
        await clients.database.database.ping(_DEADLINE_S)

    async def redis() -> None:
        await clients.redis.ping()

    async def workers() -> None:
        async for _ in clients.redis.scan_iter(match=f"{HEARTBEAT}*", count=1000):
            return
        raise NoWorker

    checks = {
        "database": database,
        "redis": redis,
        "storage": clients.storage.check,
        "stripe": clients.stripe.check,
        "keycloak": clients.keycloak.check,
        "workers": workers,
    }
    if clients.mail is not None:
        checks["mail"] = clients.mail.check
    return Checkup(checks)


@router.get(
    "/health",
    response_model=Health,
    summary="How the server and what it needs are",
    responses={503: {"model": Health, "description": "Unhealthy: the database does not answer."}},
)
async def health(request: Request) -> Response:
    """`healthy`, `degraded` (something else than the database is gone) or `unhealthy`, and which."""
    found = await request.app.state.checkup.look()
    return _answer(found, found.status)


@router.get("/health/live", response_model=Ready, summary="Whether this process lives")
async def live() -> Response:
    """Answers as long as the process can; restart it when this does not answer."""
    return _answer(Ready(status=Condition.HEALTHY), Condition.HEALTHY)


@router.get(
    "/health/ready",
    response_model=Ready,
    summary="Whether this process can serve",
    responses={503: {"model": Ready, "description": "Not now: the database does not answer."}},
)
async def ready(request: Request) -> Response:
    """Send requests here only while this is 200: the database answers."""
    found: Health = await request.app.state.checkup.look()
    condition = found.checks["database"].status
    return _answer(Ready(status=condition), condition)


def _answer(body: Health | Ready, condition: Condition) -> Response:
    code = status.HTTP_503_SERVICE_UNAVAILABLE if condition is Condition.UNHEALTHY else status.HTTP_200_OK
    headers = {"cache-control": "no-store"}
    return JsonBytes(body.model_dump_json(by_alias=True, exclude_none=True), status_code=code, headers=headers)


async def _check(name: str, check: Callable[[], Awaitable[None]]) -> Check:
    began = perf_counter()
    error: str | None = None
    try:
        async with asyncio.timeout(_DEADLINE_S):
            await check()
    except TimeoutError:
        error = f"did not answer within {_DEADLINE_S:g} s"
    except NoWorker as absent:
        error = str(absent)
    except Exception as failure:  # whatever a client raises, the others are still to be told about
        error = _short(failure)
        log.warning("%s is not well: %s: %s", name, type(failure).__name__, failure)
    gone = Condition.UNHEALTHY if name == "database" else Condition.DEGRADED
    return Check(
        status=gone if error else Condition.HEALTHY,
        latency_ms=round((perf_counter() - began) * 1000, 2),
        error=error,
    )


def _short(failure: Exception) -> str:
    """What anybody may read: nothing of addresses, names or the server's own words; those are in the log."""
    return "cannot be reached" if isinstance(failure, DatabaseError) else "does not answer"


def _overall(checks: Mapping[str, Check]) -> Condition:
    found = {check.status for check in checks.values()}
    worst = (Condition.UNHEALTHY, Condition.DEGRADED, Condition.HEALTHY)
    return next(condition for condition in worst if condition in found)
