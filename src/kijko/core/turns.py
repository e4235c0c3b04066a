"""At most so many at once of what one caller may start, in this process."""

from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from kijko.core.errors import Limited


class Turns:
    """Who has how many running."""

    def __init__(self, metric: str, most: int, sentence: str) -> None:
        """`metric` names what is counted, in a refusal's details; `sentence` is what the refused are told."""
        self._metric = metric
        self._most = most
        self._sentence = sentence
        self._running: Counter[Hashable] = Counter()

    @contextmanager
    def take(self, whose: Hashable) -> Iterator[None]:
        """One of theirs, until the end of the block.

        Raises:
            Limited: they have all that they may.
        """
        if self._running[whose] >= self._most:
            details = {"metric": self._metric, "limit": self._most, "used": self._running[whose], "resetsAt": None}
            raise Limited(self._sentence, details=details, retry_after_s=5)
        self._running[whose] += 1
        try:
            yield
        finally:
            self._running[whose] -= 1
            if not self._running[whose]:
                del self._running[whose]
