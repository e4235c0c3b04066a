"""Reading what became of an execution, at once or as soon as it has ended."""

import asyncio
from uuid import UUID

import orjson

from kijko.core.notices import Notice
from kijko.core.tenancy import OrgReader
from kijko.models.enums import ExecutionStatus
from kijko.services.executions import queries
from kijko.services.executions.errors import ExecutionNotFound

ENDED = frozenset({ExecutionStatus.COMPLETED, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED})
# Notices may be lost; then the row is looked at this often.
_POLL_S = 1.0


async def get(reader: OrgReader, execution_id: UUID) -> bytes:
    """The SkillExecution as JSON.

    Raises:
        ExecutionNotFound: the organization has none with that id.
    """
    found = await queries.get(reader, execution_id)
    if found is None:
        raise ExecutionNotFound
    return found


async def outcome(reader: OrgReader, execution_id: UUID) -> tuple[bytes, bool]:
    """The ExecuteSkillResponse as JSON, and whether the execution has ended.

    Raises:
        ExecutionNotFound: the organization has none with that id.
    """
    found = await queries.outcome(reader, execution_id)
    if found is None:
        raise ExecutionNotFound
    return found, orjson.loads(found)["status"] in ENDED


async def wait(reader: OrgReader, ended: Notice, execution_id: UUID, *, seconds: float) -> tuple[bytes, bool]:
    """As `outcome`, once the execution has ended or the seconds have passed. Holds no connection in between.

    `ended` is its notice, expected since before it was accepted: so nothing that comes early is missed.
    """
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        await ended.wait(min(max(deadline - asyncio.get_running_loop().time(), 0), _POLL_S))
        found, done = await outcome(reader, execution_id)
        if done or asyncio.get_running_loop().time() >= deadline:
            return found, done
