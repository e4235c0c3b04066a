"""Where uploaded files are kept: a folder of this machine, S3, or what speaks S3 (Supabase Storage does).

Content only: names, types and sizes stand in Postgres. A key is `{organization}/{project}/{id}`.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from kijko.clients.storage.errors import ContentNotFound, StorageUnavailable
from kijko.clients.storage.store import ObjectStorage

__all__ = ["ContentNotFound", "ObjectStorage", "Storage", "StorageUnavailable"]


class Storage(Protocol):
    """Keeps contents under keys. Every operation raises StorageUnavailable when the store does not do it."""

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> None:
        """Keep a content, in place of what the key had; never held whole in memory. All of it is kept, or nothing."""

    def read(self, key: str) -> AsyncIterator[bytes]:
        """A content in pieces. Raises ContentNotFound before the first."""

    async def delete(self, keys: Sequence[str]) -> None:
        """Forget contents; a key that has none is no error."""

    async def check(self) -> None:
        """Return when the store answers."""
