"""Spans of time, as the sums by day see them: whole UTC days, and what is left at both ends."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal, Self

Period = Literal["7d", "30d", "90d"]
PERIODS: Final[Mapping[Period, int]] = {"7d": 7, "30d": 30, "90d": 90}
"""Days of each period, today's included."""

_DAY: Final = timedelta(days=1)
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(3000, 1, 1, tzinfo=UTC)


def midnight(day: date) -> datetime:
    """When a UTC day begins."""
    return datetime.combine(day, time(), tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` up to, and without, `end`; both aware."""

    start: datetime = EARLIEST
    end: datetime = LATEST

    @classmethod
    def of_days(cls, first: date, last: date) -> Self:
        """From the first day's midnight to the last day's end."""
        return cls(midnight(first), midnight(last) + _DAY)

    @property
    def first_whole(self) -> date:
        """The first day that is all in it, if one is."""
        day = self.start.astimezone(UTC).date()
        return day if midnight(day) == self.start else day + _DAY

    @property
    def after_whole(self) -> date:
        """The day after the last one that is all in it, if one is."""
        return self.end.astimezone(UTC).date()

    @property
    def head_end(self) -> datetime:
        """Until here, from `start`, no whole day."""
        return min(midnight(self.first_whole), self.end)

    @property
    def tail_start(self) -> datetime:
        """From here to `end`, no whole day."""
        return max(midnight(self.after_whole), self.head_end)

    @property
    def last_day(self) -> date:
        """The day of its last instant."""
        return (self.end - timedelta(microseconds=1)).astimezone(UTC).date()


def last_days(days: int, today: date) -> Span:
    """So many UTC days, the last of which is today."""
    return Span.of_days(today - timedelta(days=days - 1), today)
