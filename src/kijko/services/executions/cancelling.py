"""Cancelling a run: its row has ended at once, and the worker that holds it drops the call."""

from functools import partial
from typing import Final
from uuid import UUID

from kijko.core.jobs import Jobs, Work
from kijko.core.notices import Notices
from kijko.core.tenancy import OrgTx
from kijko.services.events import told, user_room
from kijko.services.executions import queries
from kijko.services.executions.errors import CannotCancel, ExecutionNotFound, NotYours

CANCELLED: Final = "executions-cancelled"
"""The notice that wakes workers: one of their runs may have been cancelled, or deleted."""


async def cancel(tx: OrgTx, notices: Notices, jobs: Jobs, execution_id: UUID) -> None:
    """Ends a pending or running execution as cancelled.

    A pending one gives its quota back where no model has worked for it. Of a running one the call is dropped, and what
    it used until then is accounted for.

    Raises:
        ExecutionNotFound: the organization has none with that id, or none that the caller may see.
        NotYours: somebody else ran it, and the caller is no manager. CannotCancel: it has ended.
    """
    found = await queries.cancel(tx, execution_id)
    if found.was == "unknown":
        raise ExecutionNotFound
    if found.was == "forbidden":
        raise NotYours
    if found.was == "ended":
        raise CannotCancel
    tx.after_commit(lambda: notices.publish([CANCELLED, str(execution_id)]))
    if found.user_id is not None:
        tx.after_commit(partial(told, notices, [user_room(found.user_id)]))
    if found.was == "running":  # its place is free: another of the organization's may wait for it
        tx.after_commit(partial(jobs.wake, Work.EXECUTIONS))


def drop_deleted(tx: OrgTx, notices: Notices) -> None:
    """Lets workers look, after the commit, which of their runs this transaction deleted: they drop those calls."""
    tx.after_commit(lambda: notices.publish([CANCELLED]))
