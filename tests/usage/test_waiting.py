"""Who waits for whom."""

import json
import uuid

import psycopg
import pytest

from tests.postgres import Someone, Sql
from tests.usage.engine import seatless, used


def test_unlimited_callers_wait_for_nobody(database: Sql) -> None:
    user = seatless(database, plan="enterprise")
    with database.person(user.user, user.organization) as first:
        first.execute("select kijko.reserve('api_calls', 1, %s)", (uuid.uuid4(),))
        with database.person(user.user, user.organization) as second:
            second.execute("set local lock_timeout = '200ms'")
            second.execute("select kijko.reserve('api_calls', 1, %s)", (uuid.uuid4(),))
    assert used(database, user, "api_calls") == 2


def test_limited_callers_wait_for_those_of_the_same_metric_only(database: Sql, user: Someone) -> None:
    with database.person(user.user, user.organization) as first:
        first.execute("select kijko.reserve('api_calls', 1, %s)", (uuid.uuid4(),))
        with database.person(user.user, user.organization) as second:
            second.execute("set local lock_timeout = '200ms'")
            second.execute("select kijko.reserve('ingestions', 1, %s)", (uuid.uuid4(),))
            with pytest.raises(psycopg.errors.LockNotAvailable), second.transaction():
                second.execute("select kijko.reserve('api_calls', 1, %s)", (uuid.uuid4(),))


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_a_transaction_that_cannot_see_what_others_took_meanwhile_is_refused(
    database: Sql, user: Someone, level: str
) -> None:
    with database.connect("kijko_api") as connection:
        connection.execute(f"set session characteristics as transaction isolation level {level}")  # type: ignore[arg-type]  # of the two above
        with pytest.raises(psycopg.errors.ActiveSqlTransaction), connection.transaction():
            connection.execute(
                "select set_config('request.jwt.claims', %s, true)", (json.dumps({"sub": str(user.user)}),)
            )
            connection.execute("select set_config('app.current_org_id', %s, true)", (str(user.organization),))
            connection.execute("set local role authenticated")
            connection.execute("select kijko.reserve('seats', 1, %s)", (uuid.uuid4(),))
