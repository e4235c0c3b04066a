"""Contents on their way into the store: reserved, written, and given up where something breaks."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

from kijko.clients.storage import Storage
from kijko.core.db.errors import DatabaseError, Raised
from kijko.core.errors import AppError
from kijko.core.tenancy import OrgReader, translate
from kijko.models.uploads import UploadedFile
from kijko.services.projects import access
from kijko.services.uploads import queries
from kijko.services.uploads.refusal import Refused

log = logging.getLogger(__name__)

_INSUFFICIENT_PRIVILEGE: Final = "42501"
_LONGEST_PUT_S: Final = 1800
"""Well within the hour after which what is not finished is swept."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a content goes: its bytes are reserved."""

    id: UUID
    key: str
    size: int


@dataclass(frozen=True, slots=True)
class Written:
    """A content that stands in the store and is no file yet."""

    id: UUID
    name: str
    type: str
    size: int
    sha256: str


class Writer:
    """All contents of one upload: they become files together at its end, or none does."""

    def __init__(self, reader: OrgReader, storage: Storage, project_id: UUID) -> None:
        self._reader = reader
        self._storage = storage
        self._project_id = project_id
        self._begun: set[UUID] = set()
        self._written: list[Written] = []

    async def reserve(self, sizes: Sequence[int]) -> list[Place]:
        """Places for contents of those sizes, in bytes.

        Raises:
            QuotaExceeded: the plan's storage cannot take all of them; none is reserved.
            ProjectNotFound, Forbidden: the project, or the caller's role in it, went since the upload began.
        """
        contents = [uuid4() for _ in sizes]
        self._begun.update(contents)
        try:
            keys = await queries.begin(self._reader, self._project_id, contents, sizes)
        except Raised as error:
            self._begun.difference_update(contents)
            await self._ask_again(error)
            raise translate(error) or error from None
        return [Place(*each) for each in zip(contents, keys, sizes, strict=True)]

    async def put(self, place: Place, content: AsyncIterator[bytes]) -> None:
        """Write a content to its place. Raises StorageUnavailable, and what reading it raises."""
        try:
            async with asyncio.timeout(_LONGEST_PUT_S):
                await self._storage.put(place.key, content)
        except TimeoutError:
            raise Refused("Keeping the file took too long. Please try again.") from None

    def keep(self, written: Written) -> None:
        """Let a written content become a file at the end."""
        self._written.append(written)

    async def finish(self) -> tuple[list[UploadedFile], list[Written]]:
        """Make files of what was kept, in its order; what came too late for that beside it.

        Raises:
            ProjectNotFound, Forbidden: see reserve.
        """
        kept = self._written
        if not kept:
            return [], []
        try:
            finished = await queries.finish(
                self._reader,
                self._project_id,
                [each.id for each in kept],
                [each.name for each in kept],
                [each.type for each in kept],
                [each.sha256 for each in kept],
            )
        except Raised as error:
            await self._ask_again(error)
            raise
        ids = {each.content_id: each.id for each in finished}
        self._begun -= ids.keys()
        files = [
            UploadedFile(id=ids[each.id], name=each.name, size=each.size, type=each.type)
            for each in kept
            if each.id in ids
        ]
        return files, [each for each in kept if each.id not in ids]

    async def _ask_again(self, error: Raised) -> None:
        """Whether it is the project that is gone, or the role: the database's refusal does not tell them apart."""
        if error.sqlstate == _INSUFFICIENT_PRIVILEGE:
            await access.require(self._reader, self._project_id, "source")

    async def give_up(self) -> None:
        """Give back what was reserved and did not become a file. What fails here is swept after the hour."""
        if not self._begun:
            return
        try:
            await queries.abandon(self._reader, sorted(self._begun))
        except (AppError, DatabaseError) as error:
            log.warning("uploads: what was begun is left to the sweep: %s", error)
