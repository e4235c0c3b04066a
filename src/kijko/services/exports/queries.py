"""What is read for an export: the project, its files in order, and their pieces."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from kijko.core.db import Query
from kijko.core.tenancy import OrgReader, OrgTx


@dataclass(frozen=True, slots=True)
class Named:
    """A project."""

    name: str
    description: str | None


@dataclass(frozen=True, slots=True)
class File:
    """A file that serves. `heads` is how many bytes its definitions' heads have, where that was asked for."""

    id: UUID
    path: str
    repository: str | None
    language: str | None
    lines: int
    tokens: int
    definitions: int
    heads: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a file: `place` is the file's among those that were asked for."""

    place: int
    ordinal: int
    start_byte: int
    end_byte: int
    content: str


@dataclass(frozen=True, slots=True)
class Head:
    """A definition's first line or lines."""

    line: int
    signature: str


_NAMED = Query(Named, "select p.name, p.description from projects p where p.id = $1::uuid")

_FILES = Query(
    File,
    """
    select f.id, f.path, r.repository_name as repository, f.language, f.lines, f.tokens,
      coalesce(jsonb_array_length(f.structure -> 'signatures'), 0) as definitions,
      case when $5::boolean then coalesce((
        select sum(octet_length(s ->> 'signature') + 8)
        from jsonb_array_elements(f.structure -> 'signatures') s
      ), 0) else 0 end::bigint as heads
    from source_files f
    left join project_repositories r on r.id = f.repository_id
    where f.project_id = $1::uuid
      and f.organization_id = (select kijko.current_org())
      and f.live
      and (f.path, f.id) > ($2::text, $3::uuid)
    order by f.path, f.id
    limit $4::integer
    """,
)

_PIECES = Query(
    Piece,
    """
    select w.place::integer as place, c.ordinal, c.start_byte, c.end_byte, c.content
    from unnest($1::uuid[]) with ordinality w (id, place)
    join source_files f on f.id = w.id and f.live
    join chunks c on c.file_id = f.id and c.organization_id = (select kijko.current_org())
    where (w.place, c.ordinal) > ($2::integer, $3::integer)
    order by w.place, c.ordinal
    limit $4::integer
    """,
)

_HEADS = Query(
    Head,
    """
    select (s ->> 'line')::integer as line, s ->> 'signature' as signature
    from source_files f, jsonb_array_elements(f.structure -> 'signatures') s
    where f.id = $1::uuid and f.live
    """,
)


async def named(reader: OrgReader, project_id: UUID) -> Named | None:
    """The project."""
    return await reader.first(_NAMED, project_id)


async def files(reader: OrgTx, project_id: UUID, path: str, after: UUID, most: int, *, with_heads: bool) -> list[File]:
    """The files after that path and id, by path and id."""
    return await reader.all(_FILES, project_id, path, after, most, with_heads)


async def pieces(reader: OrgTx, ids: Sequence[UUID], place: int, ordinal: int, most: int) -> list[Piece]:
    """The pieces of those files after that place (from 1) and ordinal, in order."""
    return await reader.all(_PIECES, list(ids), place, ordinal, most)


async def heads(reader: OrgTx, file_id: UUID) -> list[Head]:
    """The heads of a file's definitions."""
    return await reader.all(_HEADS, file_id)
