"""Every statement that lists what a project's index has. Postgres writes the JSON; tests hold it to the wire model."""

from typing import Final

from kijko.core.db import Json

FILES: Final = Json(
    """
    select json_build_object(
      'data', coalesce((
        select json_agg(r)
        from (
          select f.id, f.path, f.repository_id as "repositoryId", o.repository_name as "repositoryName",
            f.upload_id as "uploadId", f.language, f.size_bytes as "sizeBytes", f.lines,
            f.original_tokens as "originalTokens", f.tokens, f.chunks
          from source_files f
          left join project_repositories o on o.id = f.repository_id
          where f.project_id = $1::uuid and f.organization_id = (select kijko.current_org()) and f.live
          order by f.path, f.id
          limit $3::integer offset ($2::bigint - 1) * $3
        ) r
      ), '[]'::json),
      'total', total.n, 'page', $2, 'pageSize', $3, 'hasMore', total.n > $2 * $3
    )
    from (
      select count(*) as n
      from source_files f
      where f.project_id = $1 and f.organization_id = (select kijko.current_org()) and f.live
    ) total
    """
)

# A file knows how many chunks it has: those before the page are counted and not read.
CHUNKS: Final = Json(
    """
    with files as materialized (
      select f.id, f.path, f.language, f.chunks,
        coalesce(sum(f.chunks) over (order by f.path, f.id rows between unbounded preceding and 1 preceding), 0)
          as before
      from source_files f
      where f.project_id = $1::uuid and f.organization_id = (select kijko.current_org()) and f.live
        and ($4::text is null or f.path = $4)
    )
    select json_build_object(
      'data', coalesce((
        select json_agg(r)
        from (
          select c.id, c.file_id as "fileId", f.path, c.ordinal, c.start_line as "startLine", c.end_line as "endLine",
            c.tokens, c.kind, c.symbol, f.language, c.content
          from files f
          join chunks c on c.file_id = f.id and c.organization_id = (select kijko.current_org())
          where f.before < $2::bigint * $3::integer and f.before + f.chunks > ($2 - 1) * $3
            and f.before + c.ordinal >= ($2 - 1) * $3 and f.before + c.ordinal < $2 * $3
          order by f.path, f.id, c.ordinal
        ) r
      ), '[]'::json),
      'total', total.n, 'page', $2, 'pageSize', $3, 'hasMore', total.n > $2 * $3
    )
    from (select coalesce(sum(f.chunks), 0) as n from files f) total
    """
)
