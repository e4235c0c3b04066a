"""A project's chunking webhook: its address is the project's setting, its secret is derived."""

import base64
from dataclasses import dataclass, field
from uuid import UUID

from kijko.clients.chunker import Hook
from kijko.core.crypto import Box
from kijko.core.tenancy import OrgReader
from kijko.services.chunking import queries
from kijko.services.projects import access


@dataclass(frozen=True, slots=True)
class Secret:
    """What the webhook's server needs to check a signature, and where it is called."""

    url: str | None
    secret: str = field(repr=False)


def hook_of(box: Box, project_id: UUID, url: str, *, allowed: frozenset[str] = frozenset()) -> Hook:
    """The webhook as it is called: signed with a secret of each of the server's keys, so that a key can be changed."""
    return Hook(url, box.derived(_purpose(project_id)), allowed)


async def secret(reader: OrgReader, box: Box, project_id: UUID) -> Secret:
    """A project's secret, in Standard Webhooks' form.

    Raises:
        ProjectNotFound, Forbidden: see access; it takes a role that may change the project's settings.
    """
    await access.require(reader, project_id, "edit")
    url = await queries.url(reader, project_id)
    key = box.derived(_purpose(project_id))[0]
    return Secret(url, "whsec_" + base64.b64encode(key).decode())


def _purpose(project_id: UUID) -> bytes:
    return b"chunking webhook:" + project_id.bytes
