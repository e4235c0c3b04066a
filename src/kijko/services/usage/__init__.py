"""Usage: what an organization has used of its plan's five metrics, counted exactly.

Owns the tables usage_ledger, usage_counters and open_reservations, what `close` gives back at its time unless the work
ended before. A quantity is taken before the work (`reserve`), corrected to what was really used (`settle`) or given
back when nothing was (`release`), each once for a subject: the id of the execution, upload, invitation or call it is
for. Quantities are whole numbers; storage counts bytes.

Nothing here reserves: a feature's own SECURITY DEFINER function does (`kijko.reserve_for`), in the statement that makes
the row which the quantity is for, as kijko.request_execution does for a run.

    await usage.release(tx, UsageMetricType.INGESTIONS, [ingestion_id])     # the worker: it failed before it began

Invariants: of many callers at once with N left, exactly N pass; what is given back counts for the window it was taken
from; a transaction that rolls back has taken nothing; the ledger only grows, and no deletion elsewhere changes it.
"""

from kijko.services.usage.quotas import Usage, close, of, release, settle

__all__ = ["Usage", "close", "of", "release", "settle"]
