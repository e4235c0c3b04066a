"""One caller at a time: windows, settling, giving back, what is refused, and what waits for whom."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from tests.postgres import Someone, Sql
from tests.usage.engine import METRICS, allow, grant, ledger, release, reserve, rows, seatless, settle, take, used


def refusal(database: Sql, of: Someone, metric: str, quantity: object = 1) -> psycopg.Error:
    with pytest.raises(psycopg.Error) as caught, database.system() as connection:
        take(connection, of, metric, quantity)
    return caught.value


def test_the_plans_are_those_of_the_price_list(database: Sql) -> None:
    gb = 1_000_000_000
    assert database.run(
        "select id, api_calls, ingestions, storage_bytes, seats, oracle_queries, concurrent_executions "
        "from plans order by position"
    ) == [
        ("free", 1_000, 50, 1 * gb, 1, 10, 2),
        ("pro", 10_000, 500, 25 * gb, 3, 100, 10),
        ("teams", 50_000, 2_500, 100 * gb, 10, None, 50),
        ("enterprise", None, None, None, None, None, 1_000),
    ]


def test_a_reservation_that_is_rolled_back_has_taken_nothing(database: Sql, user: Someone) -> None:
    with database.system() as connection:
        take(connection, user, "seats")
        connection.rollback()
    assert used(database, user, "seats") == ledger(database, user, "seats") == 0
    assert reserve(database, user, "seats")


def test_a_reservation_undone_by_a_savepoint_has_taken_nothing(database: Sql, user: Someone) -> None:
    with database.system() as connection:
        for _ in range(3):
            with connection.transaction():
                take(connection, user, "seats")
                raise psycopg.Rollback
        take(connection, user, "seats")
    assert used(database, user, "seats") == 1


@pytest.mark.parametrize("quantity", ["0", "-1", "0.5", "NaN", "Infinity", "-Infinity", "1e16", None])
@pytest.mark.parametrize("plan", ["free", "enterprise"])
def test_a_quantity_that_is_not_a_whole_positive_number_is_refused(database: Sql, plan: str, quantity: object) -> None:
    user = seatless(database, plan=plan)
    assert refusal(database, user, "storage", quantity).sqlstate == "KJ422"
    assert ledger(database, user, "storage") == 0


@pytest.mark.parametrize("plan", ["free", "enterprise"])
def test_a_metric_that_no_plan_has_is_refused(database: Sql, plan: str) -> None:
    user = seatless(database, plan=plan)
    assert isinstance(refusal(database, user, "tokens"), psycopg.errors.CheckViolation)


@pytest.mark.parametrize("metric", METRICS)
def test_a_refusal_says_the_metric_its_limit_what_is_used_and_when_it_resets(
    copy: Callable[[str], Sql], metric: str
) -> None:
    database = copy("migrated")
    allow(database, "free", metric, 3)
    user = seatless(database)
    reserve(database, user, metric, 2)
    error = refusal(database, user, metric, 2)
    assert error.sqlstate == "KJ429"
    told = json.loads(error.diag.message_detail or "")
    resets = told.pop("resetsAt")
    assert told == {"metric": metric, "limit": 3, "used": 2}
    now = datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    expected = {
        "oracle_queries": midnight + timedelta(days=1),
        "api_calls": (midnight.replace(day=1) + timedelta(days=32)).replace(day=1),
        "ingestions": (midnight.replace(day=1) + timedelta(days=32)).replace(day=1),
    }.get(metric)
    assert (datetime.fromisoformat(resets) if resets else None) == expected


def test_settling_corrects_once_and_may_go_over_the_limit(database: Sql, user: Someone) -> None:
    subject, limit = uuid.uuid4(), 1_000_000_000
    reserve(database, user, "storage", 10, subject)
    assert settle(database, user, "storage", subject, 2 * limit)
    assert not settle(database, user, "storage", subject, 5)
    assert used(database, user, "storage") == ledger(database, user, "storage") == 2 * limit
    assert not reserve(database, user, "storage")


@pytest.mark.parametrize("actual", ["-1", "0.5", "NaN", "Infinity", None])
def test_settling_to_what_is_no_quantity_is_refused(database: Sql, user: Someone, actual: object) -> None:
    subject = uuid.uuid4()
    reserve(database, user, "storage", 10, subject)
    with pytest.raises(psycopg.Error) as caught:
        settle(database, user, "storage", subject, actual)
    assert caught.value.sqlstate == "KJ422"


@pytest.mark.parametrize("plan", ["free", "enterprise"])
def test_what_was_settled_is_given_back_whole_and_what_was_given_back_stays_so(database: Sql, plan: str) -> None:
    user, subject = seatless(database, plan=plan), uuid.uuid4()
    reserve(database, user, "storage", 10, subject)
    settle(database, user, "storage", subject, 25)
    assert release(database, "storage", subject) == 1
    assert release(database, "storage", subject) == 0
    assert not settle(database, user, "storage", subject, 7)
    assert used(database, user, "storage") == ledger(database, user, "storage") == 0


def test_what_was_never_reserved_is_neither_settled_nor_given_back(database: Sql, user: Someone) -> None:
    subject = uuid.uuid4()
    assert release(database, "seats", subject) == 0
    assert not settle(database, user, "seats", subject, 1)
    assert ledger(database, user, "seats") == 0


def test_one_metrics_subject_is_not_anothers(database: Sql, user: Someone) -> None:
    subject = uuid.uuid4()
    assert reserve(database, user, "ingestions", 1, subject)
    assert reserve(database, user, "storage", 5, subject)
    assert release(database, "ingestions", subject) == 1
    assert [used(database, user, metric) for metric in ("ingestions", "storage")] == [0, 5]


def test_another_organization_cannot_take_a_subject_away(database: Sql, user: Someone) -> None:
    thief, subject = seatless(database), uuid.uuid4()
    assert reserve(database, thief, "seats", 1, subject)
    assert reserve(database, user, "seats", 1, subject)
    assert settle(database, user, "seats", subject, 0)
    assert [used(database, one, "seats") for one in (thief, user)] == [1, 0]


def test_a_grant_can_be_replaced_and_taken_back(database: Sql, user: Someone) -> None:
    plan = "select kijko.plan_of(%s)"
    for given, then in (("pro", "pro"), ("teams", "teams"), (None, "free"), ("free", "free")):
        grant(database, user, given)
        assert database.one(plan, user.organization) == then
    told = "select plan_id, revoked_at is null from plan_grants where organization_id = %s order by granted_at"
    assert database.run(told, user.organization) == [("pro", False), ("teams", False), ("free", True)]


def test_usage_is_told_for_the_five_metrics_in_the_order_of_the_price_list(database: Sql, user: Someone) -> None:
    reserve(database, user, "storage", 53)
    with database.person(user.user, user.organization) as connection:
        told = rows(connection, "select metric, used, allowed, resets_at is null from kijko.current_usage()")
    assert told == [
        ("api_calls", 0, 1000, False),
        ("ingestions", 0, 50, False),
        ("storage", Decimal(53), 1_000_000_000, True),
        ("seats", 0, 1, True),
        ("oracle_queries", 0, 10, False),
    ]
    with database.person(user.user, "") as connection:
        assert rows(connection, "select * from kijko.current_usage()") == []
