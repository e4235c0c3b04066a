"""Every statement on many projects: lists, searched by name or not, and counts."""

from collections.abc import Mapping
from typing import Final

from kijko.core.db import Json
from kijko.core.tenancy import OrgReader
from kijko.models.projects import ProjectSort
from kijko.services.projects.queries import WIRE

_STATS = Json(
    """
    select json_build_object(
      'totalProjects', count(*), 'activeProjects', count(*) filter (where p.status = 'active'),
      'processingProjects', count(*) filter (where p.status = 'processing'),
      'errorProjects', count(*) filter (where p.status = 'error'),
      'totalTokens', coalesce(sum(p.optimized_tokens), 0), 'totalFiles', coalesce(sum(p.total_files), 0)
    )
    from projects p
    """
)


async def stats(reader: OrgReader) -> bytes:
    """The ProjectStats as the wire's JSON."""
    return await reader.json(_STATS) or b""


_MATCHING = "($1::text is null or p.status = $1) and ($2::text is null or p.type = $2)"
_BEGIN = (
    """
    select json_build_object(
      'data', coalesce((
        select json_agg(r)
        from (
          select """
    + WIRE
    + " from projects p where "
    + _MATCHING
    + " order by "
)
_END = (
    """
          limit $3::integer offset ($4::bigint - 1) * $3
        ) r
      ), '[]'::json),
      'total', total.n, 'page', $4, 'pageSize', $3, 'hasMore', total.n > $4 * $3
    )
    from (
      select count(*) as n
      from projects p
      where """
    + _MATCHING
    + """
    ) total
    """
)
# Each order is an index's, forwards or backwards.
LISTS: Final[Mapping[ProjectSort, Json]] = {
    "name": Json(_BEGIN + "lower(p.name)" + _END),
    "-name": Json(_BEGIN + "lower(p.name) desc" + _END),
    "createdAt": Json(_BEGIN + "p.created_at, p.id desc" + _END),
    "-createdAt": Json(_BEGIN + "p.created_at desc, p.id" + _END),
    "updatedAt": Json(_BEGIN + "p.updated_at, p.id desc" + _END),
    "-updatedAt": Json(_BEGIN + "p.updated_at desc, p.id" + _END),
}
# The function says which and how many; what is read of them passes the policies as everywhere.
SEARCH: Final = Json(
    """
    select json_build_object(
      'data', coalesce((
        select json_agg(r)
        from (
          select """
    + WIRE
    + """
          from unnest(found.ids) with ordinality as i (id, place)
          join projects p on p.id = i.id
          order by i.place
        ) r
      ), '[]'::json),
      'total', found.total, 'page', $4, 'pageSize', $3, 'hasMore', found.total > $4 * $3
    )
    from kijko.find_projects($5::text, $1::text, $2::text, $6::text, $3::integer, $4::bigint) found
    """
)


async def list_page(
    reader: OrgReader,
    *,
    search: str | None,
    status: str | None,
    kind: str | None,
    sort: ProjectSort,
    page: int,
    page_size: int,
) -> bytes:
    """A ProjectPage as the wire's JSON."""
    if search is not None:
        return await reader.json(SEARCH, status, kind, page_size, page, search, sort) or b""
    return await reader.json(LISTS[sort], status, kind, page_size, page) or b""
