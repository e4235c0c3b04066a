"""The statements of uploads, each a transaction of its own. What they call checks the caller's role in the project."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from kijko.core.db import Query, Scalar, Statement
from kijko.core.tenancy import OrgReader


@dataclass(frozen=True, slots=True)
class Finished:
    """A content that is an uploaded file now."""

    content_id: UUID
    id: UUID


_BEGIN = Query(str, "select kijko.begin_uploads($1::uuid, $2::uuid[], $3::bigint[])", writes=True)
_FINISH = Query(
    Finished,
    """
    select f.content_id, f.id
    from kijko.finish_uploads($1::uuid, $2::uuid[], $3::text[], $4::text[], $5::text[]) f
    """,
    writes=True,
)
_ABANDON = Statement("select kijko.abandon_uploads($1::uuid[])")
_DELETE = Scalar(bool, "select kijko.delete_upload($1::uuid, $2::uuid)", writes=True)


async def begin(reader: OrgReader, project_id: UUID, contents: Sequence[UUID], sizes: Sequence[int]) -> list[str]:
    """Reserve storage for contents, in bytes; their keys in the store. Raises Raised (KJ429): not all of them fit."""
    return await reader.all(_BEGIN, project_id, list(contents), list(sizes))


async def finish(
    reader: OrgReader,
    project_id: UUID,
    contents: Sequence[UUID],
    names: Sequence[str],
    types: Sequence[str],
    digests: Sequence[str],
) -> list[Finished]:
    """Make contents the project's files, in place of those of the same names; without those whose hour has passed."""
    return await reader.all(_FINISH, project_id, list(contents), list(names), list(types), list(digests))


async def abandon(reader: OrgReader, contents: Sequence[UUID]) -> None:
    """Give contents up that were begun."""
    await reader.run(_ABANDON, list(contents))


async def delete(reader: OrgReader, project_id: UUID, upload_id: UUID) -> bool:
    """Whether there was such a file."""
    return await reader.one(_DELETE, project_id, upload_id)
