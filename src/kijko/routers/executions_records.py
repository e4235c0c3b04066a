"""Executions over HTTP, several at once: lists, exports, again, and away. One by its id is in `executions`."""

from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Query, Request, Response, status

from kijko.middleware.headers import add_header
from kijko.middleware.quota import quota_headers
from kijko.models.enums import ExecutionStatus, ExecutionType
from kijko.models.executions import (
    CleanupResult,
    ExecutionPage,
    ExecutionWithSkill,
    ExportedExecution,
    RetryResponse,
)
from kijko.routers.answers import JsonBytes
from kijko.routers.deps import CurrentReader, CurrentTx, Outside
from kijko.routers.headers import LIMIT, described
from kijko.routers.ids import ExecutionId
from kijko.routers.numbers import WHOLE
from kijko.routers.principal import CurrentPrincipal
from kijko.routers.problems import problems
from kijko.routers.spans import EndDate, StartDate, span
from kijko.routers.streaming import Patient
from kijko.services import executions
from kijko.services.skills.errors import ContextNotFound

router = APIRouter(prefix="/executions", tags=["executions"])

_FILE: Final = {
    "model": list[ExportedExecution],
    "content": {
        "text/csv": {"schema": {"type": "string"}, "example": "id,skillId,skillName,…\r\n7f0c3a52-…,…,Summarise,…\r\n"},
    },
    "description": "The file.",
    "headers": described("Content-Disposition"),
}

Limit = Annotated[int, Query(ge=1, le=100, description="Rows at once, at most 100."), WHOLE]
Offset = Annotated[int, Query(ge=0, le=1_000_000_000, description="Rows to skip."), WHOLE]


async def _filter(
    *,
    skill_id: Annotated[UUID | None, Query(alias="skillId", description="Of this skill.")] = None,
    execution_status: Annotated[ExecutionStatus | None, Query(alias="status", description="That stand so.")] = None,
    execution_type: Annotated[
        ExecutionType | None, Query(alias="executionType", description="That were started so.")
    ] = None,
    start_date: StartDate = None,
    end_date: EndDate = None,
) -> executions.Filter:
    wanted = span(start_date, end_date)
    return executions.Filter(skill_id, execution_status, execution_type, wanted.start, wanted.end)


Wanted = Annotated[executions.Filter, Depends(_filter)]


@router.get("", response_model=ExecutionPage, name="list", summary="List executions", responses=problems())
async def list_page(*, reader: CurrentReader, wanted: Wanted, limit: Limit = 20, offset: Offset = 0) -> Response:
    """The executions that you may see, newest first, each with its skill as it is now.

    `page` is offset / limit + 1 without its fraction, and `pageSize` the limit.
    """
    return JsonBytes(await executions.list_page(reader, wanted, limit=limit, offset=offset))


@router.get(
    "/recent",
    response_model=list[ExecutionWithSkill],
    name="list_recent",
    summary="Read the newest",
    responses=problems(),
)
async def recent(*, reader: CurrentReader, limit: Limit = 10) -> Response:
    """The newest executions, each with its skill as it is now."""
    return JsonBytes(await executions.recent(reader, limit))


@router.get(
    "/running",
    response_model=list[ExecutionWithSkill],
    name="list_running",
    summary="Read what is under way",
    responses=problems(),
)
async def running(*, reader: CurrentReader, limit: Limit = 100) -> Response:
    """The executions that run, then those that wait for a worker, each newest first; 100 at most.

    How many there are in all is in `executionsByStatus` of GET /executions/stats.
    """
    return JsonBytes(await executions.under_way(reader, limit))


@router.get("/export", response_class=Patient, summary="Export executions", responses=problems() | {200: _FILE})
async def export(
    *,
    wanted: Wanted,
    outside: Outside,
    principal: CurrentPrincipal,
    form: Annotated[executions.Format, Query(alias="format", description="What it is written as.")] = "csv",
) -> Patient:
    """The executions that fit the filters as one file, newest first: what a list shows of them, and the skill's name.

    In a CSV, a cell that a spreadsheet would take for a formula begins with an apostrophe. Who reads nothing for a
    minute is let go; two exports may be under way at once.
    """
    found = await executions.export(outside.database, outside.exports, principal, wanted, form)
    name = f"executions-{datetime.now(UTC):%Y-%m-%d}.{form}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Patient(found.parts, media_type=found.content_type, headers=headers)


@router.delete("/cleanup", response_model=CleanupResult, summary="Delete old executions", responses=problems())
async def cleanup(
    *,
    reader: CurrentReader,
    older_than_days: Annotated[
        int,
        Query(alias="olderThanDays", ge=1, le=3650, description="How long ago they were asked for, at least."),
        WHOLE,
    ] = 90,
) -> CleanupResult:
    """Deletes executions that have ended, the oldest first; 100,000 at most, so do it again until it deletes none.

    For owners and admins. Statistics, costs and quotas come from the ledger and stay as they are.
    """
    return await executions.clean(reader, older_than_days=older_than_days)


@router.get(
    "/{executionId}/full",
    response_model=ExecutionWithSkill,
    name="get_full",
    summary="Read an execution with its skill",
    responses=problems("EXECUTION_NOT_FOUND"),
)
async def full(execution_id: ExecutionId, reader: CurrentReader) -> Response:
    """One execution as GET /executions/{id} has it, with its skill as it is now."""
    return JsonBytes(await executions.full(reader, execution_id))


@router.post(
    "/{executionId}/retry",
    status_code=status.HTTP_202_ACCEPTED,
    response_model=RetryResponse,
    summary="Run it again",
    responses=problems(
        "EXECUTION_NOT_FOUND", ContextNotFound, "CANNOT_RETRY", "SKILL_INACTIVE", "INVALID_INPUT", "QUOTA_EXCEEDED"
    )
    | {202: {"headers": described(*LIMIT)}},
)
async def retry(execution_id: ExecutionId, tx: CurrentTx, outside: Outside, request: Request) -> RetryResponse:
    """Runs what failed or was cancelled once more: what it was given, with the skill as it is now.

    The new execution names the old one in `retryOf`. It counts as a run of its own. While it is under way, the old one
    is not retried again.
    """
    made = uuid4()
    accepted = await executions.retry(
        tx, outside.jobs, execution_id, execution_id=made, request_id=request.scope.get("kijko.request_id")
    )
    for name, value in quota_headers(accepted.quota or {}):
        add_header(request.scope, name, value)
    return RetryResponse(new_execution_id=made, status=ExecutionStatus.PENDING)
