import pytest

from tests.postgres import Someone, Sql, blank, copy, database, server, someone

__all__ = ["blank", "copy", "database", "server"]


@pytest.fixture
def user(database: Sql) -> Someone:
    """Somebody on the free plan."""
    return someone(database)
