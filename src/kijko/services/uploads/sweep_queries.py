"""The statements of the sweep, which sees every organization."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from kijko.core.db import Query, Statement
from kijko.core.tenancy import SystemReader, SystemTx


@dataclass(frozen=True, slots=True)
class Due:
    """A content that the store is to forget."""

    content_id: UUID
    storage_key: str
    attempts: int


_DUE = Query(
    Due,
    """
    update storage_deletions d
    set attempts = d.attempts + 1, due_at = now() + least(d.attempts + 1, 60) * interval '1 minute'
    where d.content_id in (
      select content_id
      from storage_deletions
      where due_at <= now()
      order by due_at
      limit 200
      for update skip locked
    )
    returning d.content_id, d.storage_key, d.attempts
    """,
)
_RELEASE = Query(UUID, "select kijko.release_all('storage', $1::uuid[])", writes=True)
_DONE = Statement("delete from storage_deletions where content_id = any ($1::uuid[])")


async def due(reader: SystemReader) -> list[Due]:
    """What is to be deleted now, at most 200; each is put off, in case this try fails as well."""
    return await reader.all(_DUE)


async def done(tx: SystemTx, contents: Sequence[UUID]) -> None:
    """The store has forgotten them; what was still reserved for them is given back."""
    await tx.all(_RELEASE, list(contents))
    await tx.run(_DONE, list(contents))
