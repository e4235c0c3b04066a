"""What is asked about a project's chunking webhook."""

from uuid import UUID

from kijko.core.db import Scalar
from kijko.core.tenancy import OrgReader

_URL = Scalar(str, "select p.settings ->> 'webhookUrl' from projects p where p.id = $1::uuid")


async def url(reader: OrgReader, project_id: UUID) -> str | None:
    """Its address, where the project has one."""
    return await reader.first(_URL, project_id)
