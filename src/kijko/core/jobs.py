"""Nudges to the workers. The row is the job, so a nudge says only what kind waits, and a lost one costs a moment."""

from enum import StrEnum
from typing import Final, Protocol

HEARTBEAT: Final = "kijko:worker:heartbeat:"
"""Redis: a key that begins so, and ends in its id, is there while a worker takes up runs."""
HEARTBEAT_S: Final = 2
HEARTBEAT_TTL_S: Final = 6
"""A worker that died without a word is missed this long after its last beat, at the most."""


class Work(StrEnum):
    """What may wait in a table for a worker."""

    EXECUTIONS = "executions"
    INGESTIONS = "ingestions"


class Jobs(Protocol):
    """Tells the workers that there is something to do."""

    def wake(self, work: Work) -> None:
        """Returns at once and never fails: the sweeper finds what a lost nudge left behind."""
        ...
