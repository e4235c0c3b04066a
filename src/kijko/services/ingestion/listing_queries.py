"""Statements on the names of an ingestion's sources: which are taken, and which were read before."""

from uuid import UUID

from kijko.core.db import Statement
from kijko.core.tenancy import SystemReader, SystemTx
from kijko.services.ingestion.parts import Listed, Source
from kijko.services.ingestion.work_queries import MINE, Claimed

_CLEAR_NAMES = Statement("delete from ingestion_files where organization_id = $1::uuid and ingestion_id = $2::uuid")


async def clear_names(tx: SystemTx, claimed: Claimed) -> None:
    """Forgets the list of files that an earlier attempt made."""
    await tx.run(_CLEAR_NAMES, claimed.organization_id, claimed.id)


# The ingestion's row is held in share mode: who takes it away waits until this is kept, and then clears it.
_ADD_NAMES = Statement(
    MINE
    + """
    insert into ingestion_files (
      organization_id, ingestion_id, place, source_id, upload_id, path, content_key, options_key, size_bytes
    )
    select m.organization_id, m.id, $4::integer + n.nth, $5::uuid, n.upload_id, n.path, n.content_key, $6::text, n.size
    from mine m
    cross join unnest($7::text[], $8::text[], $9::bigint[], $10::uuid[])
      with ordinality as n (path, content_key, size, upload_id, nth)
    """
)


async def add_names(
    reader: SystemReader, claimed: Claimed, worker: UUID, source: Source, listed: Listed, at: int
) -> int:
    """Adds files to an ingestion's list, in places after `at`; how many were added."""
    return await reader.run(
        _ADD_NAMES,
        claimed.id,
        worker,
        claimed.attempts,
        at,
        source.id,
        listed.options_key,
        listed.paths,
        listed.content_keys,
        listed.sizes,
        listed.upload_ids,
    )


# What the ingestion that serves has read of the same content with the same options is not read again. No index serves
# how the organization is compared: before the table was ever analyzed, the primary key looks as good as the one by
# path, and would read a whole list for each file.
_COMPARE = Statement(
    """
    update ingestion_files n
    set state = case when o.state = 'skipped' then 'skipped' else 'kept' end, reason = o.reason, secrets = o.secrets
    from ingestion_files o
    where n.organization_id = $1::uuid
      and n.ingestion_id = $2::uuid
      and o.ingestion_id = $3::uuid
      and o.organization_id is not distinct from n.organization_id
      and o.source_id = n.source_id
      and o.path = n.path
      and o.content_key = n.content_key
      and o.options_key = n.options_key
      and o.upload_id is not distinct from n.upload_id
      and o.state in ('kept', 'read', 'skipped')
    """
)


async def compare(tx: SystemTx, claimed: Claimed, serving: UUID) -> None:
    """Marks the files that need not be read, by the list of the ingestion that serves."""
    await tx.run(_COMPARE, claimed.organization_id, claimed.id, serving)
