"""The ledger only grows, and outlives what it tells of."""

import psycopg
import pytest

from tests.postgres import Someone, Sql
from tests.usage.engine import ledger, reserve


@pytest.mark.parametrize(
    "change", ["update usage_ledger set quantity = 0", "delete from usage_ledger", "truncate usage_ledger"]
)
def test_the_ledger_only_grows(database: Sql, user: Someone, change: str) -> None:
    reserve(database, user, "seats")
    with pytest.raises(psycopg.errors.InsufficientPrivilege), database.system() as connection:
        connection.execute(change)  # type: ignore[arg-type]  # of the three above
    for login in ("postgres", "supabase_admin"):
        with pytest.raises(psycopg.Error, match="append-only"), database.connect(login) as connection:
            connection.execute(change)  # type: ignore[arg-type]  # of the three above
    assert ledger(database, user, "seats") == 1


def test_the_ledger_outlives_the_organization(database: Sql, user: Someone) -> None:
    reserve(database, user, "seats")
    database.run("delete from organizations where id = %s", user.organization)
    assert ledger(database, user, "seats") == 1
