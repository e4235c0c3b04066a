"""Statements on what an ingestion has to read, and what it stages of it, unseen. Each shows worker and attempt."""

from dataclasses import dataclass
from uuid import UUID

from kijko.core.db import Query, Scalar, Statement
from kijko.core.tenancy import SystemReader, SystemTx
from kijko.services.ingestion.parts import Read, Source
from kijko.services.ingestion.work_queries import Claimed


@dataclass(frozen=True, slots=True)
class Amount:
    """How much an ingestion's list has."""

    files: int
    unread: int
    unread_bytes: int


_AMOUNT = Query(
    Amount,
    """
    select count(*) as files, count(*) filter (where f.state = 'unread') as unread,
      coalesce(sum(f.size_bytes) filter (where f.state = 'unread'), 0)::bigint as unread_bytes
    from ingestion_files f
    where f.organization_id = $1::uuid and f.ingestion_id = $2::uuid
    """,
)


async def amount(door: SystemReader | SystemTx, claimed: Claimed) -> Amount:
    """How much there is, and how much of it is to be read."""
    return await door.one(_AMOUNT, claimed.organization_id, claimed.id)


@dataclass(frozen=True, slots=True)
class Unread:
    """A file to be read."""

    place: int
    path: str
    content_key: str
    size_bytes: int
    upload_id: UUID | None
    storage_key: str | None
    """Of an upload that still has that content."""


_UNREAD = Query(
    Unread,
    """
    select f.place, f.path, f.content_key, f.size_bytes, f.upload_id, u.storage_key
    from ingestion_files f
    left join uploads u on u.id = f.upload_id and u.sha256 = f.content_key
    where f.organization_id = $1::uuid
      and f.ingestion_id = $2::uuid
      and f.place > $3::integer
      and f.source_id = $4::uuid
      and f.state = 'unread'
    order by f.place
    limit $5::integer
    """,
)


async def unread(reader: SystemReader, claimed: Claimed, source: Source, after: int, most: int) -> list[Unread]:
    """The next files of a source that are to be read."""
    return await reader.all(_UNREAD, claimed.organization_id, claimed.id, after, source.id, most)


_CLEAR_STAGED = Statement(
    "update source_files set ingestion_id = null where ingestion_id = $1::uuid and not live and project_id = $2::uuid"
)
_UNREAD_AGAIN = Statement(
    """
    update ingestion_files f
    set state = 'unread', reason = null, secrets = null
    where f.organization_id = $1::uuid and f.ingestion_id = $2::uuid
      and (f.state in ('read', 'failed') or (f.state = 'skipped' and not exists (
        select from ingestion_files o
        where o.ingestion_id = $3::uuid and o.source_id = f.source_id and o.path = f.path
          and o.content_key = f.content_key and o.options_key = f.options_key and o.state = 'skipped'
      )))
    """
)


async def clear_staged(tx: SystemTx, claimed: Claimed, serving: UUID | None) -> None:
    """Forgets what an earlier attempt read: it is read anew."""
    await tx.run(_CLEAR_STAGED, claimed.id, claimed.project_id)
    await tx.run(_UNREAD_AGAIN, claimed.organization_id, claimed.id, serving)


_NUMBERS = Scalar(
    int,
    """
    with mine as (
      select i.project_id, i.organization_id
      from ingestions i
      where i.id = $1::uuid and i.status = 'processing' and i.lease_owner = $2::uuid and i.attempts = $3::integer
    )
    insert into project_indexes as x (project_id, organization_id, numbers)
    select m.project_id, m.organization_id, $4::integer from mine m
    on conflict on constraint project_indexes_pkey do update set numbers = x.numbers + excluded.numbers
    returning x.numbers - $4
    """,
)


async def take_numbers(reader: SystemReader, claimed: Claimed, worker: UUID, count: int) -> int | None:
    """Takes so many chunk numbers of the project; the first is one after the answer. None: it is another's by now."""
    return await reader.first(_NUMBERS, claimed.id, worker, claimed.attempts, count)


_STAGE = Scalar(
    int,
    """
    with mine as (
      select i.id, i.organization_id, i.project_id
      from ingestions i
      where i.id = $1::uuid and i.status = 'processing' and i.lease_owner = $2::uuid and i.attempts = $3::integer
      for share
    ),
    files as (
      insert into source_files (
        id, organization_id, project_id, repository_id, upload_id, ingestion_id, path, content_key, options_key,
        language, size_bytes, lines, original_tokens, tokens, chunks, structure
      )
      select
        f.id, m.organization_id, m.project_id, $4::uuid, f.upload_id, m.id, f.path, f.content_key, $5::text,
        f.language, f.size_bytes, f.lines, f.original_tokens, f.tokens, f.chunks, f.structure::jsonb
      from mine m
      cross join unnest(
        $7::uuid[], $8::uuid[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::integer[], $14::bigint[],
        $15::bigint[], $16::integer[], $17::text[]
      ) as f (
        id, upload_id, path, content_key, language, size_bytes, lines, original_tokens, tokens, chunks, structure
      )
    ),
    pieces as (
      insert into chunks (
        file_id, ordinal, id, organization_id, project_id, number, start_byte, end_byte, start_line, end_line, tokens,
        kind, symbol, content
      )
      select
        c.file_id, c.ordinal, c.id, m.organization_id, m.project_id, $6::integer + c.nth, c.start_byte, c.end_byte,
        c.start_line, c.end_line, c.tokens, c.kind, c.symbol, c.content
      from mine m
      cross join unnest(
        $18::uuid[], $19::integer[], $20::uuid[], $21::integer[], $22::integer[], $23::integer[], $24::integer[],
        $25::integer[], $26::text[], $27::text[], $28::text[]
      ) with ordinality as c (
        file_id, ordinal, id, start_byte, end_byte, start_line, end_line, tokens, kind, symbol, content, nth
      )
    ),
    outcomes as (
      update ingestion_files n
      set state = o.state, reason = o.reason, secrets = o.secrets::jsonb
      from mine m
      cross join unnest($29::integer[], $30::text[], $31::text[], $32::text[]) as o (place, state, reason, secrets)
      where n.organization_id = m.organization_id and n.ingestion_id = m.id and n.place = o.place
    )
    select 1 from mine
    """,
    writes=True,
)


async def stage(reader: SystemReader, claimed: Claimed, worker: UUID, source: Source, read: Read, base: int) -> bool:
    """Keeps files that were read, unseen, their chunks numbered after `base`; False where it is another's by now."""
    kept = await reader.first(
        _STAGE,
        claimed.id,
        worker,
        claimed.attempts,
        source.repository_id,
        read.options_key,
        base,
        *read.files,
        *read.chunks,
        *read.outcomes,
    )
    return kept is not None
