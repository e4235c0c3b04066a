"""What counts when: UTC days, calendar months, and what is held now."""

import pytest

from tests.postgres import Someone, Sql
from tests.usage.engine import past, release, reserve, used


@pytest.mark.parametrize(
    ("metric", "instant", "start", "end"),
    [
        ("oracle_queries", "2026-02-28 23:59:59.999999+00", "2026-02-28 00:00+00", "2026-03-01 00:00+00"),
        ("oracle_queries", "2026-03-01 00:00:00+00", "2026-03-01 00:00+00", "2026-03-02 00:00+00"),
        ("oracle_queries", "2026-03-29 03:30:00+02", "2026-03-29 00:00+00", "2026-03-30 00:00+00"),
        ("api_calls", "2028-02-29 23:59:59+00", "2028-02-01 00:00+00", "2028-03-01 00:00+00"),
        ("ingestions", "2026-12-31 23:59:59+00", "2026-12-01 00:00+00", "2027-01-01 00:00+00"),
        ("ingestions", "2027-01-01 00:30:00+01", "2026-12-01 00:00+00", "2027-01-01 00:00+00"),
        ("seats", "2026-02-28 12:00+00", "-infinity", None),
        ("storage", "2026-02-28 12:00+00", "-infinity", None),
    ],
)
def test_windows_are_utc_days_and_calendar_months_whatever_the_sessions_time_zone(
    database: Sql, metric: str, instant: str, start: str, end: str | None
) -> None:
    for zone in ("UTC", "Pacific/Auckland", "America/Los_Angeles"):
        database.run("select set_config('timezone', %s, false)", zone)
        assert database.run(
            "select window_start = %s::timestamptz, window_end is not distinct from %s::timestamptz "
            "from kijko.usage_window(%s, %s::timestamptz)",
            start,
            end,
            metric,
            instant,
        ) == [(True, True)], zone
    database.run("reset timezone")


DAY = "date_trunc('day', now() at time zone 'UTC') at time zone 'UTC'"
MONTH = "date_trunc('month', now() at time zone 'UTC') at time zone 'UTC'"


@pytest.mark.parametrize(("metric", "start"), [("oracle_queries", DAY), ("api_calls", MONTH), ("ingestions", MONTH)])
def test_what_was_used_before_the_window_began_no_longer_counts(
    database: Sql, user: Someone, metric: str, start: str
) -> None:
    limit = database.one("select allowed from kijko.usage_of(%s) where metric = %s", user.organization, metric)
    past(database, user, metric, int(limit), f"{start} - interval '1 microsecond'")
    past(database, user, metric, int(limit) - 1, start)
    assert used(database, user, metric) == limit - 1
    assert [reserve(database, user, metric), reserve(database, user, metric)] == [True, False]
    assert used(database, user, metric) == limit


def test_what_is_held_counts_however_old_it_is(database: Sql, user: Someone) -> None:
    held = past(database, user, "seats", 1, "now() - interval '3 years'")
    assert not reserve(database, user, "seats")
    assert release(database, "seats", held) == 1
    assert reserve(database, user, "seats")


def test_what_is_given_back_late_counts_for_the_window_it_was_taken_from(database: Sql, user: Someone) -> None:
    old = past(database, user, "oracle_queries", 4, f"{DAY} - interval '1 hour'")
    for _ in range(10):
        reserve(database, user, "oracle_queries")
    assert release(database, "oracle_queries", old) == 1
    assert used(database, user, "oracle_queries") == 10
    assert not reserve(database, user, "oracle_queries")


def test_counters_of_windows_that_are_over_go_when_a_new_one_begins(database: Sql, user: Someone) -> None:
    database.run(
        f"insert into usage_counters values (%s, 'oracle_queries', {DAY} - interval '1 day', 9)",  # type: ignore[arg-type]  # DAY
        user.organization,
    )
    reserve(database, user, "oracle_queries")
    assert database.run("select used from usage_counters where organization_id = %s", user.organization) == [(1,)]
