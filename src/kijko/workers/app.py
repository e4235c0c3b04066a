"""The Celery application. Its one task is a nudge: the work is in Postgres's rows.

`python -m kijko.workers` starts it: one process, one event loop, many runs at once.
"""

import logging
import os

from celery import Celery
from celery.apps import worker as celery_worker
from celery.signals import celeryd_init, setup_logging, worker_process_init, worker_shutdown
from kombu.entity import Queue

from kijko.clients.storage import ObjectStorage
from kijko.core import memory
from kijko.core.logging import configure
from kijko.setting_errors import explained
from kijko.settings import Settings, load, require, required
from kijko.workers.runtime import Runtime

QUEUE = "kijko"
WAKE = "kijko.wake"
_NEEDED = ("database.worker_url", "redis.url", "storage.url", "auth.encryption_key", "keys.master")


def make_app(settings: Settings) -> Celery:
    """A Celery application on the settings' Redis. It connects on the first use."""
    made = Celery("kijko", broker=required(settings.redis.url, "KIJKO_REDIS_URL"), set_as_current=False)
    made.conf.update(
        task_default_queue=QUEUE,
        # To acknowledge takes longer than all the rest of a nudge, and what a killed worker loses is only that.
        task_queues=[Queue(QUEUE, no_ack=True)],  # type: ignore[no-untyped-call]  # kombu has no types
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_serializer="json",
        accept_content=["json"],
        enable_utc=True,
        worker_prefetch_multiplier=16,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # Above the longest task; a task here takes microseconds.
        broker_transport_options={
            "visibility_timeout": 3600,
            "socket_timeout": settings.redis.timeout_s,
            "socket_connect_timeout": settings.redis.timeout_s,
            "retry_on_timeout": True,
        },
    )
    return made


def worker_app(settings: Settings) -> Celery:
    """The application of a worker process: with its task and its runtime."""
    made = make_app(settings)
    runtime = Runtime(settings)
    made.task(runtime.wake, name=WAKE)

    def start(**_: object) -> None:
        memory.give_back()
        try:
            runtime.start()
        except Exception:  # Celery would log it and take nudges that nobody serves
            logging.getLogger(__name__).exception("worker.failed")
            os._exit(1)

    def stop(**_: object) -> None:
        runtime.stop()

    def log(instance: celery_worker.Worker | None = None, **_: object) -> None:
        if instance is not None:
            instance.quiet = True  # its banner is for people
            celery_worker.safe_say = _say
        configure(settings.log)
        for chatty in ("celery.app.trace", "celery.worker.strategy"):  # two lines a nudge
            logging.getLogger(chatty).setLevel(logging.WARNING)

    # weak=False: nothing else holds these. The first comes before Celery says anything; the second keeps its own
    # setting-up of logs away.
    celeryd_init.connect(log, weak=False)
    setup_logging.connect(log, weak=False)
    worker_process_init.connect(start, weak=False)
    worker_shutdown.connect(stop, weak=False)
    return made


def _say(text: str, _: object = None) -> None:
    """What Celery's signal handlers write to stdout past every logger, such as that the worker is to stop."""
    logging.getLogger("celery.worker").info(text)


def __getattr__(name: str) -> Celery:
    # `celery -A kijko.workers.app` asks for `app`; whoever only imports this module reads no settings.
    if name in ("app", "celery"):
        with explained():
            settings = load()
            require(settings, *_NEEDED)
            ObjectStorage(settings.storage)  # only to see that its settings fit together
        globals()["app"] = globals()["celery"] = made = worker_app(settings)
        return made
    raise AttributeError(name)
