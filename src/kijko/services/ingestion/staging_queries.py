"""Statements on what an ingestion stages, and those that make it serve. Each shows worker and attempt, or follows one
that did in the same transaction.
"""

from dataclasses import dataclass
from uuid import UUID

from kijko.core.db import Json, Query, Scalar, Statement
from kijko.core.tenancy import SystemReader, SystemTx
from kijko.services.ingestion.parts import Changes, Listed, Read, Source
from kijko.services.ingestion.work_queries import Claimed

_CLEAR_NAMES = Statement("delete from ingestion_files where organization_id = $1::uuid and ingestion_id = $2::uuid")


async def clear_names(tx: SystemTx, claimed: Claimed) -> None:
    """Forgets the list of files that an earlier attempt made."""
    await tx.run(_CLEAR_NAMES, claimed.organization_id, claimed.id)


# The ingestion's row is held in share mode: who takes it away waits until this is kept, and then clears it.
_ADD_NAMES = Statement(
    """
    with mine as (
      select i.id, i.organization_id
      from ingestions i
      where i.id = $1::uuid and i.status = 'processing' and i.lease_owner = $2::uuid and i.attempts = $3::integer
      for share
    )
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


# What the ingestion that serves has read of the same content with the same options is not read again.
_COMPARE = Statement(
    """
    update ingestion_files n
    set state = case when o.state = 'skipped' then 'skipped' else 'kept' end, reason = o.reason, secrets = o.secrets
    from ingestion_files o
    where n.organization_id = $1::uuid
      and n.ingestion_id = $2::uuid
      and o.ingestion_id = $3::uuid
      and o.organization_id = n.organization_id
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


@dataclass(frozen=True, slots=True)
class _PageEnd:
    source_id: UUID
    path: str
    chunks: int


@dataclass(frozen=True, slots=True)
class Page:
    """Some staged files with their chunks. The next page follows `source_id` and `path`."""

    source_id: UUID
    path: str
    chunks: int
    files: bytes
    """JSON: [{path, language, chunks: [[number, symbol, text]]}]."""


_PAGE_END = Query(
    _PageEnd,
    """
    select p.source_id, p.path, p.chunks
    from (
      select
        s.source_id, s.path, sum(s.chunks) over whole as chunks, sum(s.size_bytes) over whole - s.size_bytes as before
      from (
        select coalesce(f.repository_id, f.project_id) as source_id, f.path, f.chunks, f.size_bytes
        from source_files f
        where f.ingestion_id = $1::uuid
          and not f.live
          and (coalesce(f.repository_id, f.project_id), f.path) > ($2::uuid, $3::text)
        order by 1, 2
        limit 1000
      ) s
      window whole as (order by s.source_id, s.path)
    ) p
    where p.before < $4::bigint
    order by p.source_id desc, p.path desc
    limit 1
    """,
)
_PAGE = Json(
    """
    select json_agg(json_build_object('path', f.path, 'language', f.language, 'chunks', k.chunks))
    from source_files f
    cross join lateral (
      select json_agg(json_build_array(c.number, c.symbol, c.content) order by c.ordinal) as chunks
      from chunks c
      where c.file_id = f.id
    ) k
    where f.ingestion_id = $1::uuid
      and not f.live
      and (coalesce(f.repository_id, f.project_id), f.path) > ($2::uuid, $3::text)
      and (coalesce(f.repository_id, f.project_id), f.path) <= ($4::uuid, $5::text)
      and k.chunks is not null
    """
)
_FIRST = UUID(int=0)


async def page(reader: SystemReader, claimed: Claimed, after: Page | None, size_bytes: int) -> Page | None:
    """The next staged files, so many bytes of them; None after the last."""
    begin = (after.source_id, after.path) if after is not None else (_FIRST, "")
    end = await reader.first(_PAGE_END, claimed.id, *begin, size_bytes)
    if end is None:
        return None
    files = await reader.json(_PAGE, claimed.id, *begin, end.source_id, end.path)
    return Page(end.source_id, end.path, int(end.chunks), files or b"[]")


_HISTORY = Scalar(
    int,
    """
    with mine as (
      select i.id, i.organization_id
      from ingestions i
      where i.id = $1::uuid and i.status = 'processing' and i.lease_owner = $2::uuid and i.attempts = $3::integer
      for share
    ),
    told as (
      update ingestion_files n
      set history = h.history::jsonb
      from mine m
      cross join unnest($5::text[], $6::text[]) as h (path, history)
      where n.ingestion_id = m.id and n.source_id = $4::uuid and n.path = h.path
    )
    select 1 from mine
    """,
    writes=True,
)


async def keep_history(reader: SystemReader, claimed: Claimed, worker: UUID, source: Source, changes: Changes) -> bool:
    """Keeps who changed files last; False where it is another's by now."""
    kept = await reader.first(_HISTORY, claimed.id, worker, claimed.attempts, source.id, changes.paths, changes.changes)
    return kept is not None


# ---- the last transaction --------------------------------------------------------------------------------------------

_BEGIN = Scalar(bool, "select kijko.begin_publishing($1::uuid, $2::uuid, $3::integer)", writes=True)
_REMOVED = Scalar(
    int,
    """
    select c.number
    from source_files f
    join chunks c on c.organization_id = f.organization_id and c.file_id = f.id
    where f.organization_id = $1::uuid
      and f.project_id = $2::uuid
      and f.live
      and not exists (
        select from ingestion_files k
        where k.ingestion_id = $3::uuid and k.source_id = coalesce(f.repository_id, f.project_id) and k.path = f.path
          and k.state = 'kept'
      )
    """,
)
_RETIRE = Statement(
    """
    update source_files f
    set live = false, ingestion_id = null
    where f.organization_id = $1::uuid
      and f.project_id = $2::uuid
      and f.live
      and not exists (
        select from ingestion_files k
        where k.ingestion_id = $3::uuid and k.source_id = coalesce(f.repository_id, f.project_id) and k.path = f.path
          and k.state = 'kept'
      )
    """
)
_SERVE = Statement("update source_files f set live = true where f.ingestion_id = $1::uuid and not f.live")
_TELL_HISTORY = Statement(
    """
    update source_files f
    set history = k.history
    from ingestion_files k
    where f.organization_id = $1::uuid
      and f.project_id = $2::uuid
      and f.live
      and k.ingestion_id = $3::uuid
      and k.source_id = coalesce(f.repository_id, f.project_id)
      and k.path = f.path
      and k.history is distinct from f.history
    """
)
_COMPLETE = Statement("select kijko.complete_ingestion($1::uuid, $2::text, $3::integer)")


_NOTES = Statement(
    """
    update ingestions i
    set state = i.state || jsonb_build_object(
      'notesTotal', (
        select count(*) from ingestion_files f
        where f.organization_id = i.organization_id and f.ingestion_id = i.id and f.reason is not null
          and f.state in ('kept', 'read')
      ),
      'notes', coalesce((
        select jsonb_agg(jsonb_build_object('path', n.path, 'message', n.reason) order by n.place)
        from (
          select f.place, f.path, f.reason
          from ingestion_files f
          where f.organization_id = i.organization_id and f.ingestion_id = i.id and f.reason is not null
            and f.state in ('kept', 'read')
          order by f.place
          limit $2::integer
        ) n
      ), '[]'::jsonb)
    )
    where i.id = $1::uuid
    """
)


async def begin_publishing(tx: SystemTx, claimed: Claimed, worker: UUID) -> bool:
    """Holds project and ingestion until the transaction ends; False where it is another's by now."""
    return await tx.one(_BEGIN, claimed.id, worker, claimed.attempts)


async def swap(tx: SystemTx, claimed: Claimed) -> list[int]:
    """What was staged serves, in place of what is gone or was read anew; the numbers of chunks that serve no more."""
    of = (claimed.organization_id, claimed.project_id, claimed.id)
    removed = await tx.all(_REMOVED, *of)
    await tx.run(_RETIRE, *of)
    await tx.run(_SERVE, claimed.id)
    await tx.run(_TELL_HISTORY, *of)
    return removed


async def complete(tx: SystemTx, claimed: Claimed, message: str, most: int) -> None:
    """Ends the ingestion as completed, with lists of at most so many entries."""
    await tx.run(_NOTES, claimed.id, most)
    await tx.run(_COMPLETE, claimed.id, message, most)


# ---- afterwards ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ended:
    """An ingestion that has ended and has left something behind."""

    id: UUID
    organization_id: UUID
    project_id: UUID
    serves: bool


_UNSWEPT = Query(
    Ended,
    """
    select i.id, i.organization_id, i.project_id, i.status = 'completed' as serves
    from ingestions i
    where i.completed_at is not null and not i.swept and ($1::uuid is null or i.project_id = $1)
    order by i.completed_at
    limit 20
    """,
)
_DELETE_FILES = Statement(
    """
    delete from source_files f
    where f.id in (
      select g.id from source_files g
      where g.project_id = $1::uuid and not g.live and g.ingestion_id is null
      union all
      select g.id from source_files g where g.ingestion_id = $2::uuid and not g.live
      limit $3::integer
    )
    """
)
_DELETE_NAMES = Statement(
    """
    delete from ingestion_files f
    where (f.organization_id, f.ingestion_id, f.place) in (
      select g.organization_id, g.ingestion_id, g.place
      from ingestion_files g
      join ingestions i on i.id = g.ingestion_id
      where g.organization_id = $1::uuid and i.project_id = $2::uuid and i.completed_at is not null
        and i.id is distinct from (select x.ingestion_id from project_indexes x where x.project_id = $2)
      limit $3::integer
    )
    """
)
_SWEPT = Statement("update ingestions set swept = true where id = $1::uuid")


async def unswept(reader: SystemReader, project_id: UUID | None) -> list[Ended]:
    """Ingestions that have ended, of one project or of all, first those that ended first."""
    return await reader.all(_UNSWEPT, project_id)


async def delete_files(reader: SystemReader, ended: Ended, most: int) -> int:
    """Deletes files that serve no more, with their chunks, at most so many; how many."""
    return await reader.run(_DELETE_FILES, ended.project_id, ended.id, most)


async def delete_names(reader: SystemReader, ended: Ended, most: int) -> int:
    """Deletes lists of files that nothing compares with any more; how many entries."""
    return await reader.run(_DELETE_NAMES, ended.organization_id, ended.project_id, most)


async def swept(tx: SystemTx, ingestion_id: UUID) -> None:
    """Nothing of it is left behind."""
    await tx.run(_SWEPT, ingestion_id)
