"""Sends nudges to the workers over Celery, away from the event loop, as few as will do."""

import threading
from collections import deque
from typing import Final

import structlog
from celery import Celery

from kijko.core.jobs import Work
from kijko.workers.app import QUEUE, WAKE

_log = structlog.get_logger(__name__)
# A nudge is about rows that the sweeper finds anyhow.
_EXPIRES_S: Final = 60
_SEND_S: Final = 2.0
# A nudge costs a worker as much as several runs. One that follows on the last waits a little, and carries what was
# wished for meanwhile; while many come the waits grow. A worker that is at it looks for more by itself.
_SHORTEST_S: Final = 0.004
_LONGEST_S: Final = 0.032
_MANY: Final = 3


class CeleryJobs:
    """`core.jobs.Jobs` by one sending thread: nudges wished for while one is being sent become one more."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._wanted = threading.Event()
        self._works: deque[Work] = deque()  # one thread appends, the other takes
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def wake(self, work: Work) -> None:
        """Returns at once; the nudge follows."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._send_all, name="kijko-nudges", daemon=True)
            self._thread.start()
        self._works.append(work)
        self._wanted.set()

    def close(self) -> None:
        """Sends what is still wished for and ends the thread."""
        self._closing.set()
        self._wanted.set()
        if self._thread is not None:
            self._thread.join(timeout=_SEND_S * 2)

    def _send_all(self) -> None:
        pause_s = _SHORTEST_S
        while True:
            self._wanted.wait()
            self._wanted.clear()
            self._send()
            self._closing.wait(pause_s)
            if self._closing.is_set() and not self._works:
                return
            pause_s = min(pause_s * 2, _LONGEST_S) if len(self._works) >= _MANY else _SHORTEST_S

    def _send(self) -> None:
        works = {self._works.popleft() for _ in range(len(self._works))}
        if not works:
            return
        try:
            self._app.send_task(WAKE, args=[sorted(works)], queue=QUEUE, expires=_EXPIRES_S, retry=False)
        except Exception as error:  # kombu raises many kinds, and none may end the thread
            _log.warning("nudge.lost", error=type(error).__name__)
