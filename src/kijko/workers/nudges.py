"""Sends nudges to the workers over Celery, away from the event loop, as few as will do."""

import threading

import structlog
from celery import Celery

from kijko.workers.app import QUEUE, WAKE

_log = structlog.get_logger(__name__)
# A nudge is about rows that the sweeper finds anyhow.
_EXPIRES_S = 60
_SEND_S = 2.0


class CeleryJobs:
    """`core.jobs.Jobs` by one sending thread: nudges wished for while one is being sent become one more."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._wanted = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None

    def wake_workers(self) -> None:
        """Returns at once; the nudge follows."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._send_all, name="kijko-nudges", daemon=True)
            self._thread.start()
        self._wanted.set()

    def close(self) -> None:
        """Sends what is still wished for and ends the thread."""
        self._closed = True
        self._wanted.set()
        if self._thread is not None:
            self._thread.join(timeout=_SEND_S * 2)

    def _send_all(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            try:
                self._app.send_task(WAKE, queue=QUEUE, expires=_EXPIRES_S, retry=False)
            except Exception as error:  # kombu raises many kinds, and none may end the thread
                _log.warning("nudge.lost", error=type(error).__name__)
            if self._closed and not self._wanted.is_set():
                return
