"""What is done with one uploaded file."""

from uuid import UUID

from kijko.core.tenancy import OrgReader
from kijko.services.projects import access
from kijko.services.uploads import queries
from kijko.services.uploads.errors import FileNotFound


async def delete(reader: OrgReader, project_id: UUID, upload_id: UUID) -> None:
    """Deletes an uploaded file; its storage is free at once.

    Raises:
        ProjectNotFound, Forbidden: see access. FileNotFound: the project has no such file.
    """
    await access.require(reader, project_id, "source")
    if not await queries.delete(reader, project_id, upload_id):
        raise FileNotFound
