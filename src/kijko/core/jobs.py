"""Nudges to the workers. The row is the job, so a nudge carries nothing and a lost one costs a moment, not work."""

from typing import Protocol


class Jobs(Protocol):
    """Tells the workers that there is something to do."""

    def wake_workers(self) -> None:
        """Returns at once and never fails: the sweeper finds what a lost nudge left behind."""
        ...
