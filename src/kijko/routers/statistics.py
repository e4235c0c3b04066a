"""Statistics of runs over HTTP."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from kijko.models.statistics import CostBreakdown, CostProjection, ExecutionStats, PerformanceMetrics, SkillDashboard
from kijko.routers.answers import JsonBytes
from kijko.routers.deps import CurrentReader
from kijko.routers.numbers import WHOLE
from kijko.routers.problems import problems
from kijko.routers.spans import EndDate, StartDate, span
from kijko.services import statistics

router = APIRouter(prefix="/executions", tags=["executions"])

OfSkill = Annotated[UUID | None, Query(alias="skillId", description="Of this skill's runs alone.")]
_COST_DAYS = 30


@router.get("/stats", response_model=ExecutionStats, name="get_stats", summary="Count executions", responses=problems())
async def stats(
    *, reader: CurrentReader, skill_id: OfSkill = None, start_date: StartDate = None, end_date: EndDate = None
) -> Response:
    """How many there were between the two dates, by default ever, and what they took and cost.

    Counts are of what you may see. Those of deleted executions stay in.
    """
    return JsonBytes(await statistics.counts(reader, span(start_date, end_date), skill_id))


@router.get(
    "/cost-breakdown",
    response_model=CostBreakdown,
    name="get_cost_breakdown",
    summary="Break down the costs",
    responses=problems(),
)
async def cost_breakdown(*, reader: CurrentReader, start_date: StartDate = None, end_date: EndDate = None) -> Response:
    """What the runs between the two dates cost, by skill, type and day. By default the last 30 days, today included."""
    wanted = span(start_date, end_date)
    if start_date is None:
        last = wanted.last_day if end_date is not None else datetime.now(UTC).date()
        wanted = statistics.Span(statistics.last_days(_COST_DAYS, last).start, wanted.end)
    return JsonBytes(await statistics.costs(reader, wanted))


@router.get(
    "/performance",
    response_model=PerformanceMetrics,
    name="get_performance",
    summary="Time executions",
    responses=problems(),
)
async def performance(*, reader: CurrentReader, skill_id: OfSkill = None) -> Response:
    """How long completed runs took, ever, and how many did complete. A percentile is the duration of one of them."""
    return JsonBytes(await statistics.performance(reader, skill_id))


@router.get(
    "/aggregated",
    response_model=SkillDashboard,
    name="get_dashboard",
    summary="Read the dashboard",
    responses=problems(),
)
async def aggregated(
    *, reader: CurrentReader, period: Annotated[statistics.Period, Query(description="Days, today included.")] = "30d"
) -> Response:
    """The numbers of all skills over a period of whole UTC days, and each skill's runs."""
    return JsonBytes(await statistics.dashboard(reader, period))


@router.get(
    "/cost-projection",
    response_model=CostProjection,
    name="get_cost_projection",
    summary="Project the costs",
    responses=problems(),
)
async def cost_projection(
    *,
    reader: CurrentReader,
    days: Annotated[int, Query(ge=1, le=365, description="How many days to come."), WHOLE] = 30,
) -> Response:
    """What the next days come to, if they are like the 30 whole days before today, or those since the first run."""
    return JsonBytes(await statistics.projection(reader, days))
