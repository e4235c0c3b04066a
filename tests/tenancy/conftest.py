import pytest

from tests.postgres import Someone, Sql, blank, colleague, copy, database, server, someone

__all__ = ["blank", "copy", "database", "server"]


@pytest.fixture
def boss(database: Sql) -> Someone:
    return someone(database, plan="teams")


@pytest.fixture
def member(database: Sql, boss: Someone) -> Someone:
    return colleague(database, boss)
