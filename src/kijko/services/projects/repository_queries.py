"""Every statement on a project's repositories."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from kijko.core.db import Json, Query, Statement
from kijko.core.tenancy import OrgReader, OrgTx

_UTC = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
WIRE: Final = (
    'o.id, o.project_id as "projectId", o.provider, o.repository_url as "repositoryUrl", '
    'o.repository_name as "repositoryName", o.branch, o.status, '
    "to_char(o.last_sync_at at time zone 'UTC', " + _UTC + ') as "lastSyncAt", '
    'o.last_commit_hash as "lastCommitHash", o.file_count as "fileCount", o.include_paths as "includePaths", '
    'o.exclude_paths as "excludePaths", '
    "to_char(o.created_at at time zone 'UTC', " + _UTC + ') as "createdAt", '
    "to_char(o.updated_at at time zone 'UTC', " + _UTC + ') as "updatedAt"'
)

LIST: Final = Json(
    "select coalesce(json_agg(row_to_json(r)), '[]'::json) from (select "
    + WIRE
    + " from project_repositories o where o.project_id = $1::uuid order by o.created_at, o.id) r"
)

_INSERT = Json(
    """
    with made as (
      insert into project_repositories as o (
        organization_id, project_id, user_id, provider, repository_url, repository_name, branch, include_paths,
        exclude_paths
      )
      values (
        kijko.current_org(), $1::uuid, auth.uid(), $2::text, $3::text, $4::text, $5::text, $6::text[], $7::text[]
      )
      returning o.*
    )
    select row_to_json(r) from (select """
    + WIRE
    + " from made o) r"
)


async def insert(
    tx: OrgTx,
    project_id: UUID,
    *,
    provider: str,
    url: str,
    name: str,
    branch: str,
    include_paths: Sequence[str] | None,
    exclude_paths: Sequence[str] | None,
) -> bytes:
    """Adds a repository; answers the ProjectRepository as the wire's JSON."""
    return await tx.json(_INSERT, project_id, provider, url, name, branch, include_paths, exclude_paths) or b""


@dataclass(frozen=True, slots=True)
class Editable:
    """What of a repository may be changed, as it is kept."""

    branch: str
    include_paths: list[str] | None
    exclude_paths: list[str] | None


EDITABLE: Final = Query(
    Editable,
    """
    select o.branch, o.include_paths, o.exclude_paths
    from project_repositories o
    where o.project_id = $1::uuid and o.id = $2::uuid
    for update
    """,
    writes=True,
)
"""The row, held until the transaction ends; none where the caller may not change it."""

_UPDATE = Json(
    """
    with changed as (
      update project_repositories o
      set branch = $3::text, include_paths = $4::text[], exclude_paths = $5::text[], updated_at = now()
      where o.project_id = $1::uuid and o.id = $2::uuid
      returning o.*
    )
    select row_to_json(r) from (select """
    + WIRE
    + " from changed o) r"
)


async def update(tx: OrgTx, project_id: UUID, repository_id: UUID, changed: Editable) -> bytes | None:
    """Writes those fields; answers the ProjectRepository as the wire's JSON."""
    return await tx.json(
        _UPDATE, project_id, repository_id, changed.branch, changed.include_paths, changed.exclude_paths
    )


DELETE: Final = Statement("delete from project_repositories where project_id = $1::uuid and id = $2::uuid")
"""With its files and chunks."""

_RECENT = Json(
    """
    with used as (
      select o.repository_url, o.repository_name, o.provider, o.created_at as at
      from project_repositories o
      where o.user_id = (select auth.uid())
      union all
      select o.repository_url, o.repository_name, o.provider, i.started_at
      from ingestions i
      join project_repositories o on o.organization_id = i.organization_id and o.project_id = i.project_id
      where i.user_id = (select auth.uid())
    )
    select coalesce(json_agg(row_to_json(r)), '[]'::json)
    from (
      select
        u.repository_url as "repoUrl", max(u.repository_name) as "repoName",
        to_char(max(u.at) at time zone 'UTC', """
    + _UTC
    + """) as "lastAnalyzed",
        count(*) as "usageCount", max(u.provider) as provider
      from used u
      group by u.repository_url
      order by max(u.at) desc, u.repository_url
      limit $1::integer
    ) r
    """
)


async def recent(reader: OrgReader, limit: int) -> bytes:
    """The caller's [RecentRepo] in the active organization as the wire's JSON, last used first.

    A use is adding it to a project, or starting an ingestion of a project that has it.
    """
    return await reader.json(_RECENT, limit) or b""
