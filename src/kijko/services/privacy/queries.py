"""Every statement on deletions."""

from dataclasses import dataclass
from uuid import UUID

from kijko.core.db import Json, Query, Scalar, Statement
from kijko.core.tenancy import GateTx, SystemReader

_STATUS = Json("select kijko.deletion_status($1::uuid, $2::bytea)")


async def status(tx: GateTx, deletion_id: UUID, digest: bytes) -> bytes | None:
    """The DeletionStatus as the wire's JSON, for whoever has the token of that digest."""
    return await tx.json(_STATUS, deletion_id, digest)


@dataclass(frozen=True, slots=True)
class Due:
    """A deletion that somebody has to carry on."""

    id: UUID
    target_id: UUID


# Whoever takes one puts it off for the others by a minute, and again with every batch.
_CLAIM = Query(
    Due,
    """
    update deletions d
    set status = 'running', due_at = now() + interval '1 minute',
      steps = jsonb_set(d.steps, '{1,status}', coalesce(nullif(d.steps #> '{1,status}', '"pending"'), '"running"'))
    where d.id = (
      select id
      from deletions
      where status <> 'done' and kind = 'organization' and due_at <= now()
      order by due_at
      limit 1
      for update skip locked
    )
    returning d.id, d.target_id
    """,
)
_ERASE = Scalar(int, "select kijko.erase_organization($1::uuid, $2::integer)", writes=True)
_NOTE = Statement(
    """
    update deletions set erased = erased + $2::bigint, due_at = now() + interval '1 minute' where id = $1::uuid
    """
)
_CLEARED = Statement(
    """
    update deletions
    set steps = jsonb_set(jsonb_set(steps, '{1,status}', '"done"'), '{2,status}', '"running"')
    where id = $1::uuid
    """
)
_HOLDS_FILES = Scalar(bool, "select exists (select from storage_deletions where organization_id = $1::uuid)")
_WAIT = Statement(
    "update deletions set due_at = now() + make_interval(secs => $2::double precision) where id = $1::uuid"
)
_DONE = Statement(
    """
    update deletions
    set status = 'done', completed_at = now(), steps = jsonb_set(steps, '{2,status}', '"done"')
    where id = $1::uuid
    """
)


async def claim(reader: SystemReader) -> Due | None:
    """An organization's deletion to be carried on, put off for everybody else."""
    return await reader.first(_CLAIM)


async def erase(reader: SystemReader, deletion: Due, most: int) -> int:
    """Deletes some rows; how many. 0: there are none, and the organization's own row is gone."""
    gone = await reader.one(_ERASE, deletion.target_id, most)
    await reader.run(_NOTE, deletion.id, gone)
    return gone


async def cleared(reader: SystemReader, deletion: Due) -> None:
    """No row is left; the file store is next."""
    await reader.run(_CLEARED, deletion.id)


async def holds_files(reader: SystemReader, deletion: Due) -> bool:
    """Whether the store still has contents of it."""
    return await reader.one(_HOLDS_FILES, deletion.target_id)


async def wait(reader: SystemReader, deletion: Due, seconds: float) -> None:
    """Look again after so long."""
    await reader.run(_WAIT, deletion.id, seconds)


async def done(reader: SystemReader, deletion: Due) -> None:
    """Nothing of it is left."""
    await reader.run(_DONE, deletion.id)
