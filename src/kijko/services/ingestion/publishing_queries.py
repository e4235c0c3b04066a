"""Statements that index what is staged, and those of the last transaction, which makes it serve. Each shows worker and
attempt, or follows one that did in the same transaction.
"""

from dataclasses import dataclass
from uuid import UUID

from kijko.core.db import Json, Query, Scalar, Statement
from kijko.core.tenancy import SystemReader, SystemTx
from kijko.services.ingestion.parts import Changes, Source
from kijko.services.ingestion.work_queries import MINE, Claimed


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
    """JSON: [{id, path, language, chunks: [[number, symbol, text]]}]."""


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
    select json_agg(json_build_object('id', f.id, 'path', f.path, 'language', f.language, 'chunks', k.chunks))
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


# A file that was read and whose words could not be indexed: it serves, is told as an error, and is read again by the
# next ingestion. It is staged, where one that could not be read is not.
_UNINDEXED = Scalar(
    int,
    MINE
    + """,
    told as (
      update ingestion_files n
      set state = 'failed', reason = $5::text
      from mine m
      join source_files f on f.organization_id = m.organization_id and f.id = $4::uuid
      where n.organization_id = m.organization_id and n.ingestion_id = m.id and f.ingestion_id = m.id
        and n.source_id = coalesce(f.repository_id, f.project_id) and n.path = f.path
    )
    select 1 from mine
    """,
    writes=True,
)
_INDEXED_ANEW = Statement(
    """
    update ingestion_files n
    set state = 'read', reason = null
    from source_files f
    where n.organization_id = $1::uuid and n.ingestion_id = $2::uuid and n.state = 'failed'
      and f.organization_id = n.organization_id and f.ingestion_id = n.ingestion_id and not f.live
      and coalesce(f.repository_id, f.project_id) = n.source_id and f.path = n.path
    """
)


async def unindexed(reader: SystemReader, claimed: Claimed, worker: UUID, file_id: str, why: str) -> bool:
    """Keeps that a staged file's words are not in the index, and why; False where it is another's by now."""
    return await reader.first(_UNINDEXED, claimed.id, worker, claimed.attempts, file_id, why) is not None


async def index_anew(tx: SystemTx, claimed: Claimed) -> None:
    """Forgets whose words an earlier attempt could not index."""
    await tx.run(_INDEXED_ANEW, claimed.organization_id, claimed.id)


_ERRORS = Scalar(
    int,
    "select count(*) from ingestion_files n "
    "where n.organization_id = $1::uuid and n.ingestion_id = $2::uuid and n.state = 'failed'",
)


async def errors(reader: SystemReader, claimed: Claimed) -> int:
    """How many files failed."""
    return await reader.one(_ERRORS, claimed.organization_id, claimed.id)


_HISTORY = Scalar(
    int,
    MINE
    + """,
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
