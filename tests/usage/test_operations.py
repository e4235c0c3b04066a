"""services.usage and services.billing.plans over a real pool."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from kijko.core.db import Database
from kijko.core.db.errors import ConstraintViolation, Raised
from kijko.core.quotas import SeatLimit
from kijko.core.tenancy import Principal, Tenants, translate
from kijko.models.enums import UsageMetricType
from kijko.services import billing, usage
from kijko.services.usage import Usage
from tests.postgres import Someone, Sql, someone

SEATS, STORAGE, QUERIES = UsageMetricType.SEATS, UsageMetricType.STORAGE, UsageMetricType.ORACLE_QUERIES


@pytest.fixture
async def doors(database: Sql) -> AsyncIterator[dict[str, Tenants]]:
    """The API's and the worker's doors to the database."""
    opened = {
        login: await Database.connect(
            database.url(login),
            pool_size=2,
            statement_timeout_ms=10_000,
            connect_timeout_s=10,
            acquire_timeout_s=10,
            prepared=True,
            application_name="tests",
        )
        for login in ("kijko_api", "kijko_worker")
    }
    yield {login: Tenants(one) for login, one in opened.items()}
    for one in opened.values():
        await one.close()


@pytest.fixture
def api(doors: dict[str, Tenants]) -> Tenants:
    return doors["kijko_api"]


@pytest.fixture
def worker(doors: dict[str, Tenants]) -> Tenants:
    return doors["kijko_worker"]


def principal(of: Someone) -> Principal:
    now = datetime.now(UTC)
    return Principal(of.user, "some", now, of.organization, chosen=True, expires_at=now)


async def told(api: Tenants, user: Someone) -> dict[UsageMetricType, Usage]:
    return {one.metric: one for one in await usage.of(api.reader(principal(user)))}


async def test_what_is_reserved_settled_and_released_shows_in_the_usage(
    api: Tenants, worker: Tenants, user: Someone
) -> None:
    kept, dropped = uuid4(), uuid4()
    async with api.org(principal(user)) as tx:
        await usage.reserve(tx, STORAGE, 100, kept)
        await usage.reserve(tx, STORAGE, 50, dropped)
        assert (await usage.of(tx))[2].used == 150
    async with worker.system("a test") as tx:
        assert await usage.settle(tx, user.organization, STORAGE, kept, 70)
        assert not await usage.settle(tx, user.organization, STORAGE, kept, 80)
        assert await usage.release(tx, STORAGE, [dropped, uuid4()]) == [dropped]
        assert await usage.release(tx, STORAGE, [dropped]) == []
    found = await told(api, user)
    assert found[STORAGE] == Usage(STORAGE, 70, 1_000_000_000, None)
    assert list(found) == list(UsageMetricType)
    assert found[QUERIES].resets_at
    assert found[QUERIES].resets_at > datetime.now(UTC)


async def test_an_unlimited_metric_has_no_limit(database: Sql, api: Tenants) -> None:
    user = someone(database, plan="teams")
    found = await told(api, user)
    assert found[QUERIES].limit is None
    assert found[SEATS].limit == 10


async def test_a_refusal_undoes_the_work_around_it(api: Tenants, user: Someone) -> None:
    with pytest.raises(Raised) as caught:
        async with api.org(principal(user)) as tx:
            await usage.reserve(tx, STORAGE, 5, uuid4())
            await usage.reserve(tx, SEATS, 2, uuid4())
    assert isinstance(translate(caught.value), SeatLimit)
    assert (await told(api, user))[STORAGE].used == 0


async def test_a_subject_is_reserved_once(api: Tenants, user: Someone) -> None:
    subject = uuid4()
    async with api.org(principal(user)) as tx:
        await usage.reserve(tx, QUERIES, 1, subject)
    with pytest.raises(ConstraintViolation) as caught:
        async with api.org(principal(user)) as tx:
            await usage.reserve(tx, QUERIES, 1, subject)
    assert caught.value.name == "usage_ledger_subject_key"
    assert (await told(api, user))[QUERIES].used == 1


async def test_everybody_may_read_the_plans(api: Tenants, user: Someone) -> None:
    plans = await billing.plans(api.reader(principal(user)))
    assert [(plan.id, plan.seats, plan.oracle_queries) for plan in plans] == [
        ("free", 1, 10),
        ("pro", 3, 100),
        ("teams", 10, None),
        ("enterprise", None, None),
    ]
