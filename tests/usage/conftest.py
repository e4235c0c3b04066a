import pytest

from tests.postgres import Someone, Sql, blank, copy, database, server
from tests.usage.engine import seatless

__all__ = ["blank", "copy", "database", "server"]


@pytest.fixture
def user(database: Sql) -> Someone:
    """Somebody on the free plan who holds nothing."""
    return seatless(database)
