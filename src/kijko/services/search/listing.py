"""What a project's index has: files, and their chunks."""

from uuid import UUID

from kijko.core.tenancy import OrgReader
from kijko.services.projects import access
from kijko.services.search import listing_queries as queries


async def files(reader: OrgReader, project_id: UUID, *, page: int, page_size: int) -> bytes:
    """A FilePage as the wire's JSON, by path.

    Raises:
        ProjectNotFound: there is no such project that the caller may read.
    """
    actions, found = await reader.gather(
        access.ACTIONS.bind(project_id), queries.FILES.bind(project_id, page, page_size)
    )
    access.check(actions, "read")
    return found or b""


async def chunks(reader: OrgReader, project_id: UUID, *, path: str | None, page: int, page_size: int) -> bytes:
    """A ChunkPage as the wire's JSON, by path and place; of one file where a path is given.

    Raises:
        ProjectNotFound: there is no such project that the caller may read.
    """
    actions, found = await reader.gather(
        access.ACTIONS.bind(project_id), queries.CHUNKS.bind(project_id, page, page_size, path)
    )
    access.check(actions, "read")
    return found or b""
