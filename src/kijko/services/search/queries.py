"""Every statement on the search index and on what is read through it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from kijko.core.db import Query, Scalar, Statement
from kijko.core.tenancy import SystemReader, SystemTx


@dataclass(frozen=True, slots=True)
class Found:
    """A chunk that was found."""

    file_id: UUID
    ordinal: int
    start_byte: int
    end_byte: int
    path: str
    start_line: int
    end_line: int
    tokens: int
    content: str
    score: float
    repository_id: UUID | None
    repository_name: str | None
    upload_id: UUID | None


SEARCH: Final = Query(
    Found,
    """
    select file_id, ordinal, start_byte, end_byte, path, start_line, end_line, tokens, content, score, repository_id,
      repository_name, upload_id
    from kijko.search_project($1::uuid, $2::text[], $3::real[], $5::text, $6::text, $4::integer)
    """,
)
"""The best chunks of a project, the best first; none where the caller may not read it."""

_SEGMENT = Scalar(
    int,
    """
    insert into search_segments (organization_id, project_id, ingestion_id, numbers, sources, lengths)
    values ($1::uuid, $2::uuid, $3::uuid, $4::integer[], $5::integer[], $6::integer[])
    returning id
    """,
)
_POSTINGS = Statement(
    """
    insert into search_postings (organization_id, segment_id, term, frequency, postings)
    select $1::uuid, $2::bigint, p.term, p.frequency, p.postings::bigint[]
    from unnest($3::text[], $4::integer[], $5::text[]) p (term, frequency, postings)
    """
)


async def add_segment(
    tx: SystemTx,
    organization_id: UUID,
    project_id: UUID,
    ingestion_id: UUID,
    *,
    numbers: str,
    sources: str,
    lengths: str,
) -> int:
    """Inserts a staged segment without postings; its id."""
    return await tx.one(_SEGMENT, organization_id, project_id, ingestion_id, numbers, sources, lengths)


async def add_postings(
    tx: SystemTx,
    organization_id: UUID,
    segment: int,
    *,
    terms: str,
    frequencies: str,
    postings: str,
) -> None:
    """Inserts a segment's postings, each list written as Postgres writes an array."""
    await tx.run(_POSTINGS, organization_id, segment, terms, frequencies, postings)


_PUBLISH = Scalar(
    bool,
    "select kijko.publish_search($1::uuid, $2::uuid, $3::uuid, $4::integer[]) is not null",
    writes=True,
)


async def publish(
    tx: SystemTx, organization_id: UUID, project_id: UUID, ingestion_id: UUID, removed: Sequence[int]
) -> None:
    """Makes staged segments serve, and the removed chunks serve no more."""
    await tx.one(_PUBLISH, organization_id, project_id, ingestion_id, removed)


_DISCARD = Statement("delete from search_segments where ingestion_id = $1::uuid")


async def discard(tx: SystemTx, ingestion_id: UUID) -> None:
    """Deletes what an ingestion staged and did not publish."""
    await tx.run(_DISCARD, ingestion_id)


@dataclass(frozen=True, slots=True)
class Due:
    """An index that has changed."""

    organization_id: UUID
    project_id: UUID


_DUE = Query(Due, "select organization_id, project_id from search_indexes where due order by project_id limit 20")


async def due(reader: SystemReader) -> list[Due]:
    """Some indexes that have changed since somebody looked."""
    return await reader.all(_DUE)


@dataclass(frozen=True, slots=True)
class Segment:
    """One that serves: how many chunks it has, and how many of them are dead."""

    id: int
    chunks: int
    dead: int


_INSPECT = Query(
    Segment,
    "select segment as id, chunks, dead from kijko.inspect_search($1::uuid) order by chunks, segment",
    writes=True,
)


async def inspect(tx: SystemTx, project_id: UUID) -> list[Segment]:
    """The segments that serve, the smallest first; the index is no longer due."""
    return await tx.all(_INSPECT, project_id)


_MERGE = Scalar(int | None, "select kijko.merge_search($1::uuid, $2::uuid, $3::bigint[])", writes=True)  # type: ignore[arg-type]


async def merge(tx: SystemTx, organization_id: UUID, project_id: UUID, segments: Sequence[int]) -> int | None:
    """Writes segments anew as one; how many chunks it has, None where one of them serves no more."""
    return await tx.one(_MERGE, organization_id, project_id, segments)


# Merging reads and writes some hundred thousand postings: nobody waits for it.
PATIENCE: Final = Scalar(str, "select set_config('statement_timeout', '60s', true)")

_LOOK_AGAIN = Statement("update search_indexes set due = true where project_id = $1::uuid")


async def look_again(tx: SystemTx, project_id: UUID) -> None:
    """There may be more to merge."""
    await tx.run(_LOOK_AGAIN, project_id)
