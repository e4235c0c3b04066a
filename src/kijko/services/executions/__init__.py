"""Executions: runs of a skill, accepted as rows, done by a worker, accounted for in the usage ledger.

Owns the tables executions and execution_attempts. Invariants: an accepted execution ends once, whatever dies in
between; a running one has a lease, and only its holder writes its result; a cancelled one stays cancelled; the quota is
taken with the row and given back when no model ran; a run's tokens and cost are the sums of its attempts', in its row
and in the ledger.
"""

from kijko.services.executions.cancelling import cancel, drop_deleted
from kijko.services.executions.cleaning import clean
from kijko.services.executions.exporting import Export, Format, export
from kijko.services.executions.hearing import Texts
from kijko.services.executions.list_queries import Filter
from kijko.services.executions.lists import full, list_page, recent, under_way
from kijko.services.executions.requests import Accepted, Checked, accept, check
from kijko.services.executions.results import ENDED, get, outcome, wait
from kijko.services.executions.retrying import retry
from kijko.services.executions.runner import Runner
from kijko.services.executions.skill_lists import full_skill, of_skill
from kijko.services.executions.stream import Following, Place, Told, follow, place_of
from kijko.services.executions.sweep import sweep

__all__ = [
    "ENDED",
    "Accepted",
    "Checked",
    "Export",
    "Filter",
    "Following",
    "Format",
    "Place",
    "Runner",
    "Texts",
    "Told",
    "accept",
    "cancel",
    "check",
    "clean",
    "drop_deleted",
    "export",
    "follow",
    "full",
    "full_skill",
    "get",
    "list_page",
    "of_skill",
    "outcome",
    "place_of",
    "recent",
    "retry",
    "sweep",
    "under_way",
    "wait",
]
