"""Statistics of runs: counted, priced, timed and projected, for skills and for executions.

Owns the tables execution_days and execution_hours, sums that a trigger writes with the ledger and `sweep` puts
together. What each number means is in docs/executions.md. Invariants: every number counts what the caller may see and
nothing else; it agrees with the ledger at every moment; no deletion of skills or executions changes it.
"""

from kijko.services.statistics.rules import EARLIEST, LATEST, PERIODS, Period, Span, last_days, midnight
from kijko.services.statistics.statistics import costs, counts, dashboard, performance, projection, skills
from kijko.services.statistics.sweeping import sweep

__all__ = [
    "EARLIEST",
    "LATEST",
    "PERIODS",
    "Period",
    "Span",
    "costs",
    "counts",
    "dashboard",
    "last_days",
    "midnight",
    "performance",
    "projection",
    "skills",
    "sweep",
]
