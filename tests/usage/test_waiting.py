"""Who waits for whom."""

import psycopg
import pytest

from tests.postgres import Someone, Sql
from tests.usage.engine import seatless, take, used


def test_unlimited_callers_wait_for_nobody(database: Sql) -> None:
    user = seatless(database, plan="enterprise")
    with database.system() as first:
        take(first, user, "api_calls")
        with database.system() as second:
            second.execute("set local lock_timeout = '200ms'")
            take(second, user, "api_calls")
    assert used(database, user, "api_calls") == 2


def test_limited_callers_wait_for_those_of_the_same_metric_only(database: Sql, user: Someone) -> None:
    with database.system() as first:
        take(first, user, "api_calls")
        with database.system() as second:
            second.execute("set local lock_timeout = '200ms'")
            take(second, user, "ingestions")
            with pytest.raises(psycopg.errors.LockNotAvailable), second.transaction():
                take(second, user, "api_calls")


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_transaction_that_cannot_see_what_others_took_meanwhile_is_refused(
    database: Sql, user: Someone, level: str
) -> None:
    with database.connect("kijko_worker") as connection:
        connection.execute(f"set session characteristics as transaction isolation level {level}")  # type: ignore[arg-type]  # of the two above
        with pytest.raises(psycopg.errors.ActiveSqlTransaction), connection.transaction():
            connection.execute("set local role service_role")
            take(connection, user, "seats")
