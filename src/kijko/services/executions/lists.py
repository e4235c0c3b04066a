"""Reading several executions. All of it is JSON as Postgres wrote it, of what the caller may see."""

from uuid import UUID

from kijko.core.tenancy import OrgReader
from kijko.services.executions import list_queries as queries
from kijko.services.executions.errors import ExecutionNotFound
from kijko.services.executions.list_queries import Filter


async def list_page(reader: OrgReader, wanted: Filter, *, limit: int, offset: int) -> bytes:
    """An ExecutionPage, newest first. `page` is that of an offset that is a multiple of the limit."""
    return await queries.page(reader, wanted, limit, offset)


async def recent(reader: OrgReader, limit: int) -> bytes:
    """The newest, each with its skill."""
    return await queries.recent(reader, limit)


async def under_way(reader: OrgReader, limit: int) -> bytes:
    """Those that run, then those that wait, each newest first with its skill."""
    return await queries.under_way(reader, limit)


async def full(reader: OrgReader, execution_id: UUID) -> bytes:
    """The ExecutionWithSkill.

    Raises:
        ExecutionNotFound: the caller sees none with that id.
    """
    found = await queries.full(reader, execution_id)
    if found is None:
        raise ExecutionNotFound
    return found
