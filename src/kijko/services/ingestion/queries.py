"""Every statement on ingestions that a person causes. The worker's are in `work_queries` and `staging_queries`."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from kijko.core.db import Json, Query, Scalar
from kijko.core.tenancy import OrgReader, OrgTx


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of a request for an ingestion."""

    outcome: str
    """STARTED, or the code of what is against it."""
    quota: Mapping[str, Any] | None  # {metric, limit, used, resetsAt}, the quota engine's own JSON
    estimate_s: Decimal | None


_START = Query(
    Asked,
    "select r.outcome, r.quota, r.estimate_s from kijko.request_ingestion($1::uuid, $2::uuid, $3::boolean, $4::text) r",
    writes=True,
)


async def start(tx: OrgTx, project_id: UUID, ingestion_id: UUID, *, force: bool, request_id: str | None) -> Asked:
    """Takes one ingestion of the plan and makes the pending job. Raises Raised (KJ429): the plan has none left."""
    return await tx.one(_START, project_id, ingestion_id, force, request_id)


_CANCEL = Scalar(UUID, "select kijko.cancel_ingestion($1::uuid)", writes=True)


async def cancel(tx: OrgTx, project_id: UUID) -> UUID | None:
    """Ends the active ingestion; its id, or None where none is active."""
    return await tx.first(_CANCEL, project_id)


_PROGRESS: Final = Json(
    """
    select row_to_json(r)
    from (
      select
        i.id, i.project_id as "projectId", i.phase, i.progress as "progressPercent", i.message,
        kijko.wire_metrics(i.metrics) as metrics, kijko.wire_time(i.started_at) as "startedAt",
        kijko.wire_time(i.estimated_completion_at) as "estimatedCompletionAt",
        kijko.wire_time(i.completed_at) as "completedAt", i.error_message as "errorMessage",
        i.error_code as "errorCode"
      from ingestions i
      where i.project_id = $1::uuid and i.organization_id = (select kijko.current_org())
      order by i.started_at desc, i.id desc
      limit 1
    ) r
    """
)


async def progress(reader: OrgReader, project_id: UUID) -> bytes | None:
    """The IngestionProgress of the newest ingestion as the wire's JSON; None where there never was one."""
    return await reader.json(_PROGRESS, project_id)


_HISTORY: Final = Json(
    """
    select json_build_object(
      'data', coalesce((
        select json_agg(row_to_json(r))
        from (
          select
            i.id, i.status, i.trigger, i.phase, i.progress as "progressPercent", i.message,
            kijko.wire_time(i.started_at) as "startedAt", kijko.wire_time(i.completed_at) as "completedAt",
            i.commits, kijko.wire_metrics(i.metrics) as metrics, i.errors, i.errors_total as "errorsTotal",
            i.skipped, i.skipped_total as "skippedTotal", i.secrets, i.secrets_total as "secretsTotal",
            coalesce(i.state -> 'notes', '[]') as notes, coalesce(i.state -> 'notesTotal', '0') as "notesTotal",
            i.error_code as "errorCode", i.error_message as "errorMessage"
          from ingestions i
          where i.project_id = $1::uuid and i.organization_id = (select kijko.current_org())
          order by i.started_at desc, i.id desc
          limit $2::integer offset ($3::bigint - 1) * $2
        ) r
      ), '[]'::json),
      'total', total.n, 'page', $3, 'pageSize', $2, 'hasMore', total.n > $3 * $2
    )
    from (
      select count(*) as n
      from ingestions i
      where i.project_id = $1 and i.organization_id = (select kijko.current_org())
    ) total
    """
)


async def history(reader: OrgReader, project_id: UUID, *, page: int, page_size: int) -> bytes:
    """A page of a project's ingestions as the wire's JSON, newest first."""
    return await reader.json(_HISTORY, project_id, page_size, page) or b""
