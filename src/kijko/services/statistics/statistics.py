"""What the numbers are asked over. docs/executions.md defines each of them."""

from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID

from kijko.core.tenancy import OrgReader
from kijko.services.statistics import queries
from kijko.services.statistics.rules import PERIODS, Period, Span, last_days

_CHART_DAYS: Final = 14
_SEEN_DAYS: Final = 30
_BUSIEST: Final = 5


def _today() -> date:
    return datetime.now(UTC).date()


async def dashboard(reader: OrgReader, period: Period, skill_id: UUID | None = None) -> bytes:
    """The SkillDashboard as JSON: of one skill, or of all together with each one's runs.

    An id that the caller sees no runs of gives zeros.
    """
    return await queries.dashboard(reader, last_days(PERIODS[period], _today()), skill_id)


async def skills(reader: OrgReader, period: Period | None) -> bytes:
    """The SkillStats as JSON: of all runs, or of those of a period."""
    span = Span() if period is None else last_days(PERIODS[period], _today())
    return await queries.skills(reader, span, _BUSIEST)


async def counts(reader: OrgReader, span: Span, skill_id: UUID | None) -> bytes:
    """The ExecutionStats as JSON, with the last 14 days of the span."""
    last = min(span.last_day, _today())
    first = max(span.start.astimezone(UTC).date(), last - timedelta(days=_CHART_DAYS - 1))
    return await queries.counts(reader, span, skill_id, first, last)


async def costs(reader: OrgReader, span: Span) -> bytes:
    """The CostBreakdown as JSON."""
    return await queries.costs(reader, span, span.start.astimezone(UTC).date(), min(span.last_day, _today()))


async def performance(reader: OrgReader, skill_id: UUID | None) -> bytes:
    """The PerformanceMetrics of completed runs, ever, as JSON."""
    return await queries.performance(reader, skill_id)


async def projection(reader: OrgReader, days: int) -> bytes:
    """The CostProjection for the next days as JSON, from the 30 whole days before today."""
    return await queries.projection(reader, _today(), _SEEN_DAYS, days)
