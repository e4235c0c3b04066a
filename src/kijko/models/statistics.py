"""Statistics of runs on the wire. docs/executions.md defines each number."""

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import Field

from kijko.models.base import Amount, Wire
from kijko.models.enums import ExecutionStatus, ExecutionType

Rate = Annotated[Amount, Field(description="completed / (completed + failed), 0 to 100; 0 where there is none.")]
Cents = Annotated[Amount, Field(description="In cents, fractions kept. Runs of unknown price add nothing.")]
ByType = Annotated[dict[ExecutionType, int], Field(description="Every type is there.")]
ByStatus = Annotated[dict[ExecutionStatus, int], Field(description="Every status is there.")]


class DashboardOverview(Wire):
    """The period in five numbers."""

    total_runs: int
    success_rate: Rate
    avg_tokens: Annotated[Amount, Field(description="Of a completed run.")]
    avg_duration_ms: Annotated[Amount, Field(description="Of a completed run.")]
    total_cost_cents: Cents


class DashboardDay(Wire):
    """A UTC day of the period."""

    date: date
    count: int
    success_count: int
    failure_count: int
    tokens: int
    cost_cents: Cents


class SkillRuns(Wire):
    """How often a skill ran."""

    skill_id: UUID
    name: str
    runs: int


class SkillDashboard(Wire):
    """One skill's, or all skills', numbers over a period."""

    overview: DashboardOverview
    executions_over_time: Annotated[list[DashboardDay], Field(description="Every day of the period, the oldest first.")]
    executions_by_type: ByType
    executions_by_status: ByStatus
    skill_breakdown: Annotated[list[SkillRuns] | None, Field(description="Over all skills; the busiest first.")] = None


class SkillUse(Wire):
    """How often a skill ran."""

    skill_id: UUID
    name: str
    count: int


class SkillStats(Wire):
    """Skills and their runs, counted."""

    total_skills: int
    active_skills: int
    total_executions: int
    total_tokens_used: int
    total_cost_cents: Cents
    executions_by_status: ByStatus
    executions_by_type: ByType
    top_skills_by_usage: Annotated[list[SkillUse], Field(description="Five at most, the busiest first.")]


class ExecutionDay(Wire):
    """A UTC day."""

    date: date
    count: int
    tokens: int


class ExecutionStats(Wire):
    """Runs of a span, counted."""

    total_executions: int
    successful_executions: int
    failed_executions: int
    cancelled_executions: int
    total_tokens_used: int
    total_cost_cents: Cents
    average_duration_ms: Annotated[Amount, Field(description="Of a completed run.")]
    executions_by_type: ByType
    executions_by_status: ByStatus
    daily_executions: Annotated[list[ExecutionDay], Field(description="The last 14 days of the span, in order.")]


class SkillCost(Wire):
    """What a skill's runs cost. One that was deleted is called so."""

    skill_id: UUID
    skill_name: str
    cost_cents: Cents
    execution_count: int


class CostDay(Wire):
    """What the runs of a UTC day cost."""

    date: date
    cost_cents: Cents


class CostBreakdown(Wire):
    """What the runs of a span cost."""

    total_cost_cents: Cents
    cost_by_skill: Annotated[list[SkillCost], Field(description="The dearest first.")]
    cost_by_type: Annotated[dict[ExecutionType, Amount], Field(description="In cents. Every type is there.")]
    cost_by_day: Annotated[
        list[CostDay],
        Field(description="Each day from the span's first, or the first with a run, to its last or today's."),
    ]


class HourDuration(Wire):
    """How long completed runs took that were asked for in an hour of the day, UTC."""

    hour: Annotated[int, Field(ge=0, le=23)]
    avg_duration_ms: Annotated[Amount, Field(description="0 where there is none.")]


class PerformanceMetrics(Wire):
    """How long completed runs took, and how many did complete."""

    average_duration_ms: Amount
    p50_duration_ms: Annotated[Amount, Field(description="Half of the runs took no longer.")]
    p90_duration_ms: Amount
    p99_duration_ms: Amount
    success_rate: Rate
    duration_by_hour: Annotated[list[HourDuration], Field(description="All 24 hours.")]


class CostProjection(Wire):
    """What the next days come to, if they are like the 30 before today."""

    projected_cost_cents: Cents
    projected_runs: Amount
    average_daily_cost: Cents
