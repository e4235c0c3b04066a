"""The scheduler: a loop that sweeps. Any number may run; the rows' locks keep them apart.

`python -m kijko.workers.schedule`; SIGTERM ends it.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import structlog
import uvloop

from kijko.clients import mail
from kijko.clients.keycloak import Keycloak
from kijko.clients.storage import ObjectStorage
from kijko.core.db.errors import DatabaseError
from kijko.core.logging import configure
from kijko.core.notices import Notices
from kijko.core.redis import connect
from kijko.core.tenancy import Tenants
from kijko.services import (
    activities,
    api_keys,
    events,
    executions,
    idempotency,
    identity,
    ingestion,
    invitations,
    presence,
    privacy,
    pushes,
    search,
    statistics,
    uploads,
    usage,
)
from kijko.setting_errors import explained
from kijko.settings import Settings, load, require
from kijko.workers.app import make_app
from kijko.workers.nudges import CeleryJobs
from kijko.workers.runtime import connect_worker

_NEEDED = (
    "database.worker_url",
    "redis.url",
    "keycloak.url",
    "keycloak.client_secret",
    "storage.url",
    "auth.encryption_key",
)
_MOMENT_S = 1.0
_MINUTE_S = 60.0
_HOUR_S = 3600.0
_log = structlog.get_logger(__name__)


async def _every(seconds: float, name: str, work: Callable[[], Awaitable[object]]) -> None:
    while True:
        try:
            await work()
        except (DatabaseError, OSError, TimeoutError) as error:
            _log.warning("sweep.failed", sweep=name, error=str(error))
        except Exception:
            _log.exception("sweep.broke", sweep=name)
        await asyncio.sleep(seconds)


async def _forget(database: Tenants) -> None:
    async with database.system("answers kept for repeated requests, past their day") as tx:
        await idempotency.forget_expired(tx)


async def run(settings: Settings) -> None:
    """Sweeps until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with AsyncExitStack() as stack:
        database = await connect_worker(settings, "kijko-scheduler")
        stack.push_async_callback(database.database.close)
        redis = connect(settings.redis)
        stack.push_async_callback(redis.aclose)
        keycloak = Keycloak(settings.keycloak)
        stack.push_async_callback(keycloak.aclose)
        jobs = CeleryJobs(make_app(settings))
        stack.callback(jobs.close)
        storage = ObjectStorage(settings.storage)
        notices, most = Notices(redis), settings.worker.max_attempts
        sweeps = [
            _every(
                settings.worker.sweep_s,
                "executions",
                lambda: executions.sweep(database, jobs, notices, max_attempts=most),
            ),
            _every(
                settings.worker.sweep_s,
                "ingestions",
                lambda: ingestion.sweep(database, jobs, notices, max_attempts=settings.ingestion.max_attempts),
            ),
            _every(_MOMENT_S, "activities", lambda: activities.tell(database, notices)),
            _every(
                _MOMENT_S,
                "presence",
                lambda: presence.tell(database, notices, grace_s=settings.events.presence_grace_s),
            ),
            _every(_MINUTE_S, "events", lambda: events.trim(database, keep_s=settings.events.keep_s)),
            _every(_MINUTE_S, "sign-in", lambda: identity.repair(database, keycloak, settings)),
            _every(
                settings.worker.sweep_s, "new passwords", lambda: identity.watch_resets(database, keycloak, settings)
            ),
            _every(_MINUTE_S, "kept answers", lambda: _forget(database)),
            _every(settings.worker.sweep_s, "uploads", lambda: uploads.sweep(database, storage)),
            _every(settings.worker.sweep_s, "search", lambda: search.sweep(database)),
            _every(settings.worker.sweep_s, "statistics", lambda: statistics.sweep(database)),
            _every(settings.worker.sweep_s, "reservations", lambda: usage.close(database)),
            _every(settings.worker.sweep_s, "seats", lambda: invitations.sweep(database)),
            _every(settings.worker.sweep_s, "deletions", lambda: privacy.sweep(database)),
            _every(_HOUR_S, "old mails", lambda: invitations.forget(database)),
            _every(_HOUR_S, "deliveries", lambda: pushes.forget(database)),
            _every(_MINUTE_S, "makers of keys", lambda: api_keys.ask_after_makers(database, keycloak)),
            _every(_HOUR_S, "expired keys", lambda: api_keys.forget(database)),
        ]
        mailer = mail.connect(settings.mail)
        if mailer is None:
            _log.warning("mail.off", hint="KIJKO_MAIL_HOST is not set: invitations wait in the outbox")
        else:
            outbox = invitations.Outbox(database, mailer, settings)
            sweeps.append(_every(settings.worker.sweep_s, "mails", outbox.send_due))
        tasks = [asyncio.create_task(sweep) for sweep in sweeps]
        _log.info("scheduler.ready")
        await stopping.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    _log.info("scheduler.stopped")


def main() -> None:
    """The process."""
    with explained():
        settings = load()
        require(settings, *_NEEDED)
        mail.connect(settings.mail)  # this and the store only to see that their settings fit together
        ObjectStorage(settings.storage)
    configure(settings.log)
    uvloop.run(run(settings))


if __name__ == "__main__":
    main()
