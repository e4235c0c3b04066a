"""The scheduler: a loop that sweeps. Any number may run; the rows' locks keep them apart.

`python -m kijko.workers.schedule`; SIGTERM ends it.
"""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable

import structlog
import uvloop

from kijko.core.db.errors import DatabaseError
from kijko.core.logging import configure
from kijko.core.notices import Notices
from kijko.core.redis import connect
from kijko.services import executions
from kijko.settings import Settings, load
from kijko.workers.app import make_app
from kijko.workers.nudges import CeleryJobs
from kijko.workers.runtime import connect_worker

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


async def run(settings: Settings) -> None:
    """Sweeps until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    database = await connect_worker(settings, "kijko-scheduler")
    redis = connect(settings.redis)
    notices, jobs = Notices(redis), CeleryJobs(make_app(settings))
    worker = settings.worker
    sweeps = [
        _every(
            worker.sweep_s,
            "executions",
            lambda: executions.sweep(database, jobs, notices, max_attempts=worker.max_attempts),
        ),
    ]
    tasks = [asyncio.create_task(sweep) for sweep in sweeps]
    _log.info("scheduler.ready")
    await stopping.wait()
    for task in tasks:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    jobs.close()
    await redis.aclose()
    await database.database.close()
    _log.info("scheduler.stopped")


def main() -> None:
    """The process."""
    settings = load()
    configure(settings.log)
    uvloop.run(run(settings))


if __name__ == "__main__":
    main()
