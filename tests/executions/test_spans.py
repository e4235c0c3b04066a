"""Spans of time: whole days and the rest at both ends are the span, each moment once."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from kijko.services.statistics import Span, last_days, midnight

MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 1, 9), timezones=st.just(UTC))  # noqa: DTZ001  # hypothesis


@given(st.tuples(MOMENTS, MOMENTS).map(sorted), MOMENTS)
def test_every_moment_of_a_span_is_in_one_of_its_parts(ends: list[datetime], moment: datetime) -> None:
    span = Span(*ends)
    parts = [
        span.start <= moment < span.head_end,
        span.first_whole <= moment.date() < span.after_whole,
        span.tail_start <= moment < span.end,
    ]
    assert sum(parts) == (span.start <= moment < span.end)


def test_days_are_whole() -> None:
    span = last_days(7, date(2026, 3, 3))
    assert (span.start, span.end) == (midnight(date(2026, 2, 25)), midnight(date(2026, 3, 4)))
    assert (span.head_end, span.tail_start) == (span.start, span.end)
    assert (span.first_whole, span.after_whole, span.last_day) == (
        date(2026, 2, 25),
        date(2026, 3, 4),
        date(2026, 3, 3),
    )
    assert Span(span.start, span.end + timedelta(microseconds=1)).last_day == date(2026, 3, 4)
