"""An index in the running stack, and the way to make one."""

from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import psycopg
import pytest

from kijko.core.db import Database
from kijko.core.tenancy import Tenants
from tests.conftest import Person
from tests.search.indexing import Index

Indexed = Callable[[Person, dict[str, Any]], Index]


@pytest.fixture
async def tenants(stack_env: dict[str, str]) -> AsyncIterator[Tenants]:
    """The stack's database, as the worker's login."""
    made = await Database.connect(
        stack_env["KIJKO_DATABASE_WORKER_URL"],
        pool_size=2,
        statement_timeout_ms=10_000,
        connect_timeout_s=5,
        acquire_timeout_s=5,
        prepared=True,
        application_name="tests",
    )
    yield Tenants(made)
    await made.close()


@pytest.fixture
def indexed(tenants: Tenants, owner: psycopg.Connection[Any]) -> Indexed:
    """The index of a project that was made over HTTP."""

    def make(one: Person, project: dict[str, Any]) -> Index:
        return Index(tenants, owner, one.organization_id, UUID(project["id"]))

    return make
