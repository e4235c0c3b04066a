"""What a person reads when the plan is used up."""

import re
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from kijko.core.db.errors import Raised
from kijko.core.errors import QuotaExceeded
from kijko.core.quotas import SeatLimit
from kijko.core.tenancy import translate
from kijko.models.problem import problem_of
from tests.postgres import Someone, Sql
from tests.usage.engine import past, reserve, take


def refusal(database: Sql, of: Someone, metric: str, quantity: int = 1) -> Raised:
    """What the database raises, as the database layer hands it on."""
    with pytest.raises(psycopg.Error) as caught, database.system() as connection:
        take(connection, of, metric, quantity)
    diag = caught.value.diag
    return Raised(
        diag.message_primary or "", sqlstate=diag.sqlstate or "", detail=diag.message_detail, hint=diag.message_hint
    )


@pytest.mark.parametrize(
    ("metric", "limit", "said"),
    [
        ("oracle_queries", 10, "Your plan allows 10 oracle queries a day, and they are used up until "),
        ("api_calls", 1000, "Your plan allows 1000 API calls a month, and they are used up until "),
        ("ingestions", 50, "Your plan allows 50 ingestions a month, and they are used up until "),
    ],
)
def test_what_comes_in_windows_says_when_to_come_back(
    database: Sql, user: Someone, metric: str, limit: int, said: str
) -> None:
    past(database, user, metric, limit, "now()")
    error = translate(refusal(database, user, metric))
    assert isinstance(error, QuotaExceeded)
    problem = problem_of(error, "r")
    assert (problem.status, problem.code) == (429, "QUOTA_EXCEEDED")
    assert problem.detail.startswith(said)
    assert problem.detail.endswith(" UTC. Wait until then, or upgrade your plan.")
    resets = problem.details.pop("resetsAt")
    assert problem.details == {"metric": metric, "limit": limit, "used": limit}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT00:00:00Z", resets)
    assert error.retry_after_s
    back = datetime.now(UTC) + timedelta(seconds=error.retry_after_s)
    assert abs(back - datetime.fromisoformat(resets)) < timedelta(seconds=5)


def test_seats_ask_for_payment_and_name_no_time(database: Sql, user: Someone) -> None:
    reserve(database, user, "seats")
    error = translate(refusal(database, user, "seats"))
    assert isinstance(error, SeatLimit)
    problem = problem_of(error, "r")
    assert (problem.status, problem.code) == (402, "SEAT_LIMIT")
    assert problem.details == {"metric": "seats", "limit": 1, "used": 1, "resetsAt": None}
    assert problem.detail == (
        "Your plan's 1 seat is taken. Remove a member or an open invitation, or upgrade your plan."
    )
    assert error.retry_after_s is None


def test_storage_is_told_in_gigabytes_and_names_no_time(database: Sql, user: Someone) -> None:
    reserve(database, user, "storage", 250_000_000)
    error = translate(refusal(database, user, "storage", 750_000_001))
    assert isinstance(error, QuotaExceeded)
    problem = problem_of(error, "r")
    assert (problem.status, problem.code) == (429, "QUOTA_EXCEEDED")
    assert problem.details == {"metric": "storage", "limit": 1, "used": 0.25, "resetsAt": None}
    assert error.retry_after_s is None
