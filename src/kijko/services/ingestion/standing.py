"""How far an ingestion is: phases with their shares of the whole, words for people, what is left."""

import time
from collections.abc import Mapping
from typing import Any, Final

from kijko.models.enums import IngestionPhase

PHASES: Final = tuple(IngestionPhase)
# What each takes of a first ingestion, about.
_SHARES: Final[Mapping[IngestionPhase, tuple[float, float]]] = {
    IngestionPhase.REPOSITORY_FETCH: (0, 20),
    IngestionPhase.PARSING: (20, 25),
    IngestionPhase.CHUNKING: (25, 70),
    IngestionPhase.OPTIMIZATION: (70, 96),
    IngestionPhase.INDEXING: (96, 99),
}
_EARLY: Final = 3.0


class Progress:
    """Where an ingestion stands. Whatever works on it says so here; what is told is read from here."""

    def __init__(self, phase: str, percent: float, metrics: Mapping[str, Any] | None = None) -> None:
        """`metrics`: what an earlier attempt has counted; the phases that are done are not done again."""
        self.phase = IngestionPhase(phase)
        self.message = "Beginning"
        self.metrics: dict[str, Any] = dict.fromkeys(  # numbers, as the wire's IngestionMetrics has them
            (
                "filesProcessed", "totalFiles", "tokensProcessed", "bytesProcessed", "chunksCreated",
                "errorsEncountered",
            ),
            0,
        )  # fmt: skip
        self.metrics |= metrics or {}
        self._floor = percent
        self._share = 0.0
        self._began, self._began_at = time.monotonic(), percent

    def enter(self, phase: IngestionPhase, message: str) -> None:
        """The phase begins."""
        self._floor = self.percent
        self.phase, self._share, self.message = phase, 0.0, message

    def reach(self, share: float, message: str | None = None) -> None:
        """So much of the phase is done, from 0 to 1."""
        self._share = max(self._share, min(share, 1.0))
        if message is not None:
            self.message = message

    def add(self, **counts: int) -> None:
        """More was done, by the metrics' names."""
        for name, count in counts.items():
            self.metrics[name] += count

    def set(self, **counts: int) -> None:
        """So much was done, by the metrics' names."""
        self.metrics |= counts

    @property
    def percent(self) -> float:
        """Of the whole, from 0 to 99; the end itself is told by the last transaction. It never goes back."""
        low, high = _SHARES[self.phase]
        return round(max(self._floor, low + (high - low) * self._share), 1)

    @property
    def left_s(self) -> float | None:
        """Seconds that it will take yet, going on as it went; None while nothing can be said."""
        done = self.percent - self._began_at
        if done < _EARLY:
            return None
        return (time.monotonic() - self._began) * (100 - self.percent) / done
