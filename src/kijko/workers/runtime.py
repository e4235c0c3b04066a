"""What a worker process has: one event loop in a thread of its own, one pool, the clients, the runners of skills and of
ingestions.

Celery's own thread only takes nudges in; it never waits for the work.
"""

import asyncio
import contextlib
import os
import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack

import structlog
import uvloop
from redis.asyncio import Redis

from kijko.clients import forges, llm
from kijko.clients.embeddings import Embeddings
from kijko.clients.storage import ObjectStorage
from kijko.core.crypto import Box
from kijko.core.db import Database
from kijko.core.envelope import Masters
from kijko.core.jobs import HEARTBEAT, HEARTBEAT_S, HEARTBEAT_TTL_S, Work
from kijko.core.notices import Notices
from kijko.core.redis import RedisFailure, connect
from kijko.core.tenancy import Tenants
from kijko.services import executions, ingestion, model_keys, search
from kijko.settings import Settings, required

_STOP_S = 12.0
_YIELD_S = 0.0005
"""For Celery's thread to stand back, so that the loop begins at once: else it waits for the interpreter meanwhile."""
Runner = executions.Runner | ingestion.Runner | search.Embedder
_log = structlog.get_logger(__name__)


async def connect_worker(settings: Settings, name: str) -> Tenants:
    """The database as the worker's login sees it."""
    database = settings.database
    return Tenants(
        await Database.connect(
            required(database.worker_url, "KIJKO_DATABASE_WORKER_URL"),
            pool_size=database.pool_size,
            statement_timeout_ms=database.statement_timeout_ms,
            connect_timeout_s=database.connect_timeout_s,
            acquire_timeout_s=database.acquire_timeout_s,
            prepared=database.prepared_statements,
            application_name=name,
        )
    )


class Runtime:
    """Made in the process that works (after a fork), by `start`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loop: asyncio.AbstractEventLoop | None = None
        self._runners: Sequence[Runner] = ()
        self._thread: threading.Thread | None = None
        self._stopping: asyncio.Event | None = None

    def start(self) -> None:
        """Starts the loop; returns when the runner claims, or raises what kept it from that."""
        ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._main, args=(ready,), name="kijko-loop", daemon=True)
        self._thread.start()
        ready.result(timeout=60)

    def wake(self, works: Sequence[str] = tuple(Work)) -> None:
        """The nudge's task, from Celery's thread: at once. Takes the kinds of work that wait; none said is any."""
        if self._loop is not None:
            for runner in self._runners:
                if runner.work in works:
                    self._loop.call_soon_threadsafe(runner.wake)
            time.sleep(_YIELD_S)

    def stop(self) -> None:
        """Gives back what does not end in time, closes everything."""
        if self._loop is not None and self._stopping is not None and self._thread is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(timeout=_STOP_S)

    def _main(self, ready: Future[None]) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            try:
                runner.run(self._live(ready))
            except Exception as error:
                if ready.done():
                    _log.exception("worker.died")
                    os._exit(1)  # Celery's thread would go on taking nudges that nobody serves
                ready.set_exception(error)

    async def _live(self, ready: Future[None]) -> None:
        async with AsyncExitStack() as stack:
            redis = connect(self._settings.redis)
            stack.push_async_callback(redis.aclose)
            runners = await self._open(stack, redis)
            worker = str(runners[0].id)
            self._loop, self._stopping, self._runners = asyncio.get_running_loop(), asyncio.Event(), runners
            for runner in runners:
                runner.start()
            beating = asyncio.create_task(_beat(redis, worker, self._stopping))
            ready.set_result(None)
            _log.info("worker.ready", worker=worker, host=socket.gethostname(), pid=os.getpid())
            await _until(self._stopping, runners)
            await asyncio.gather(beating, *(runner.stop() for runner in runners))
        _log.info("worker.stopped", worker=worker)

    async def _open(self, stack: AsyncExitStack, redis: Redis) -> Sequence[Runner]:
        """The runners, on clients that the stack closes."""
        settings = self._settings
        database = await connect_worker(settings, "kijko-worker")
        stack.push_async_callback(database.database.close)
        own_keys = model_keys.OwnKeys(database, Masters.of(settings.keys))
        notices, models = Notices(redis), llm.Models(settings.models, own_keys)
        stack.push_async_callback(notices.close)
        stack.push_async_callback(models.close)
        hubs = forges.connect(settings)
        for hub in hubs.values():
            stack.push_async_callback(hub.close)
        storage, box = ObjectStorage(settings.storage), Box.of(settings.auth)
        embeddings = Embeddings(settings.embedding)
        stack.push_async_callback(embeddings.close)
        questions = search.Questions(embeddings, timeout_s=settings.embedding.question_timeout_s)
        return (
            executions.Runner(database, models, questions, notices, redis, settings),
            ingestion.Runner(database, notices, storage, hubs, box, settings),
            search.Embedder(database, embeddings, settings),
        )


async def _until(stopping: asyncio.Event, runners: Sequence[Runner]) -> None:
    """Returns when the process is to stop; raises what broke a loop of a runner, since half a worker is none."""
    asked = asyncio.create_task(stopping.wait())
    loops = {loop for runner in runners for loop in runner.loops}
    done, _ = await asyncio.wait({asked, *loops}, return_when=asyncio.FIRST_COMPLETED)
    if asked not in done:
        done.pop().result()
        raise RuntimeError("a loop of the worker ended")


async def _beat(redis: Redis, worker: str, stopping: asyncio.Event) -> None:
    """Shows this worker in Redis until it is to stop; then at once no more, though it still hands its runs back."""
    while not stopping.is_set():
        with contextlib.suppress(*RedisFailure):
            await redis.set(HEARTBEAT + worker, "1", ex=HEARTBEAT_TTL_S)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), HEARTBEAT_S)
    with contextlib.suppress(*RedisFailure):
        await redis.delete(HEARTBEAT + worker)
