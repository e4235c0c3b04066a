"""Every statement on one project. Postgres writes the JSON; tests hold it to the wire model."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from kijko.core.db import Json, Jsonb, Query, Scalar, Statement
from kijko.core.db.query import Call
from kijko.core.tenancy import OrgReader, OrgTx
from kijko.services.projects.member_queries import WIRE as MEMBER
from kijko.services.projects.repository_queries import WIRE as REPOSITORY

_UTC = """'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'"""
WIRE: Final = (
    'p.id, p.user_id as "userId", p.organization_id as "organizationId", p.name, p.description, p.type, p.status, '
    'p.privacy, p.chunking_strategy as "chunkingStrategy", p.include_metadata as "includeMetadata", '
    'p.anonymize_secrets as "anonymizeSecrets", p.total_repos as "totalRepos", p.total_files as "totalFiles", '
    'p.original_tokens as "originalTokens", p.optimized_tokens as "optimizedTokens", '
    'p.ingestion_time_seconds as "ingestionTimeSeconds", '
    "to_char(p.created_at at time zone 'UTC', " + _UTC + ') as "createdAt", '
    "to_char(p.updated_at at time zone 'UTC', " + _UTC + ') as "updatedAt"'
)

# An address for custom chunking often has a password in it: whoever may not change it does not see it.
_DETAILS: Final = WIRE + (
    ", kijko.wire_settings(p.settings - case when 'edit' = any (kijko.my_actions(p.id)) then '' else 'webhookUrl' end, "
    'p.anonymize_secrets) as "settings"'
)

GET: Final = Json("select row_to_json(r) from (select " + _DETAILS + " from projects p where p.id = $1::uuid) r")


async def get(reader: OrgReader | OrgTx, project_id: UUID) -> bytes | None:
    """The ProjectDetails as the wire's JSON, or None."""
    return await reader.json(GET, project_id)


_FULL = Json(
    "select row_to_json(r) from (select "
    + _DETAILS
    + """,
      coalesce((
        select json_agg(row_to_json(f))
        from (
          select """
    + REPOSITORY
    + """
          from project_repositories o
          where o.project_id = p.id and o.organization_id = p.organization_id
          order by o.created_at, o.id
        ) f
      ), '[]'::json) as repositories,
      coalesce((
        select json_agg(row_to_json(f))
        from (
          select """
    + MEMBER
    + """
          from project_members m
          left join users u on u.id = m.user_id
          where m.project_id = p.id and m.organization_id = p.organization_id
          order by m.invited_at, m.id
        ) f
      ), '[]'::json) as members,
      (
        select row_to_json(f)
        from (
          select
            i.id, i.project_id as "projectId", i.phase, i.progress as "progressPercent", i.message,
            json_build_object(
              'filesProcessed', coalesce(i.metrics -> 'filesProcessed', '0'),
              'totalFiles', coalesce(i.metrics -> 'totalFiles', '0'),
              'tokensProcessed', coalesce(i.metrics -> 'tokensProcessed', '0'),
              'bytesProcessed', coalesce(i.metrics -> 'bytesProcessed', '0'),
              'chunksCreated', coalesce(i.metrics -> 'chunksCreated', '0'),
              'errorsEncountered', coalesce(i.metrics -> 'errorsEncountered', '0')
            ) as metrics,
            to_char(i.started_at at time zone 'UTC', """
    + _UTC
    + """) as "startedAt",
            to_char(i.estimated_completion_at at time zone 'UTC', """
    + _UTC
    + """) as "estimatedCompletionAt",
            null as "completedAt", i.error_message as "errorMessage", i.error_code as "errorCode"
          from ingestions i
          where i.project_id = p.id and i.organization_id = p.organization_id
            and i.status in ('pending', 'processing')
          limit 1
        ) f
      ) as "currentIngestion"
    from projects p
    where p.id = $1::uuid) r"""
)


async def full(reader: OrgReader, project_id: UUID) -> bytes | None:
    """The ProjectWithRelations as the wire's JSON, or None."""
    return await reader.json(_FULL, project_id)


_INSERT = Statement(
    """
    insert into projects (
      id, organization_id, user_id, name, description, type, privacy, chunking_strategy, include_metadata,
      anonymize_secrets, settings
    )
    values (
      $1::uuid, kijko.current_org(), auth.uid(), $2::text, $3::text, $4::text, $5::text, $6::text, $7::boolean,
      $8::boolean, $9::jsonb
    )
    """
)


async def insert(
    tx: OrgTx,
    project_id: UUID,
    *,
    name: str,
    description: str | None,
    kind: str,
    privacy: str,
    chunking_strategy: str,
    include_metadata: bool,
    anonymize_secrets: bool,
    settings: Jsonb,
) -> bytes:
    """Inserts a project, the caller its first admin; answers the ProjectDetails as the wire's JSON."""
    # Read by a statement of its own: the caller may read it as its member, which they are once the first has ended.
    _, made = await tx.gather(
        _INSERT.bind(
            project_id,
            name,
            description,
            kind,
            privacy,
            chunking_strategy,
            include_metadata,
            anonymize_secrets,
            settings,
        ),
        GET.bind(project_id),
    )
    return made or b""


@dataclass(frozen=True, slots=True)
class Editable:
    """What of a project may be changed, as it is kept."""

    name: str
    description: str | None
    privacy: str
    chunking_strategy: str
    include_metadata: bool
    anonymize_secrets: bool
    settings: dict[str, Any]  # AdvancedSettings, as the wire has it


EDITABLE: Final = Query(
    Editable,
    """
    select p.name, p.description, p.privacy, p.chunking_strategy, p.include_metadata, p.anonymize_secrets, p.settings
    from projects p
    where p.id = $1::uuid
    for update
    """,
    writes=True,
)
"""The row, held until the transaction ends; none where the caller may not change it."""

_UPDATE = Statement(
    """
    update projects
    set name = $2::text, description = $3::text, privacy = $4::text, chunking_strategy = $5::text,
      include_metadata = $6::boolean, anonymize_secrets = $7::boolean, settings = $8::jsonb, updated_at = now()
    where id = $1::uuid
    """
)


async def update(tx: OrgTx, project_id: UUID, changed: Editable) -> bytes:
    """Writes those fields; answers the ProjectDetails as the wire's JSON."""
    _, made = await tx.gather(
        _UPDATE.bind(
            project_id,
            changed.name,
            changed.description,
            changed.privacy,
            changed.chunking_strategy,
            changed.include_metadata,
            changed.anonymize_secrets,
            Jsonb(changed.settings),
        ),
        GET.bind(project_id),
    )
    return made or b""


DELETE: Final = Statement("delete from projects where id = $1::uuid")
"""With everything that hangs on it."""

_NAME_TAKEN = Scalar(bool, "select kijko.project_name_taken($1::text, $2::uuid)")


async def is_name_taken(tx: OrgReader | OrgTx, name: str, except_project: UUID | None) -> bool:
    """Whether another project of the organization has that name, seen by the caller or not."""
    return await tx.one(_NAME_TAKEN, name, except_project)


ACTIVE: Final = Scalar(UUID, "select kijko.current_org()")
"""The active organization; null where the caller is no member of it."""

_SWITCH = Json("select set_config('app.current_org_id', $1::uuid::text, true)")


def switch(organization_id: UUID) -> Call[bytes | None]:
    """Makes another organization the active one until the transaction ends; the wall asks who is a member of it."""
    return _SWITCH.bind(organization_id)
