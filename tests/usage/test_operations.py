"""services.usage and services.billing.plans over a real pool."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest

from kijko.core.db import Database
from kijko.core.tenancy import Principal, Tenants
from kijko.models.enums import UsageMetricType
from kijko.services import billing, usage
from kijko.services.usage import Usage
from tests.postgres import Someone, Sql, someone
from tests.usage.engine import reserve, take, used

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
    database: Sql, api: Tenants, worker: Tenants, user: Someone
) -> None:
    kept, dropped = uuid4(), uuid4()
    reserve(database, user, "storage", 100, kept)
    reserve(database, user, "storage", 50, dropped)
    async with api.org(principal(user)) as tx:
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


def test_a_refusal_undoes_the_work_around_it(database: Sql, user: Someone) -> None:
    with pytest.raises(psycopg.Error) as caught, database.system() as connection:
        take(connection, user, "storage", 5)
        take(connection, user, "seats", 2)
    assert caught.value.sqlstate == "KJ429"
    assert used(database, user, "storage") == 0


def test_a_subject_is_reserved_once(database: Sql, user: Someone) -> None:
    subject = uuid4()
    assert reserve(database, user, "oracle_queries", 1, subject)
    with pytest.raises(psycopg.errors.UniqueViolation, match="usage_ledger_subject_key"):
        reserve(database, user, "oracle_queries", 1, subject)
    assert used(database, user, "oracle_queries") == 1


@pytest.mark.parametrize(
    "call",
    [
        "select kijko.reserve('oracle_queries', 1, gen_random_uuid())",
        "select kijko.reserve_for(kijko.current_org(), 'oracle_queries', 1, gen_random_uuid(), auth.uid())",
        "insert into usage_ledger (organization_id, metric, entry, quantity, subject_id) "
        "values (kijko.current_org(), 'oracle_queries', 'reserve', 1, gen_random_uuid())",
        "update usage_counters set used = 0",
    ],
)
def test_nobody_takes_quota_for_work_that_is_not_there(database: Sql, user: Someone, call: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), database.person(user.user, user.organization) as person:
        person.execute(call)  # type: ignore[arg-type]  # of the four above
    assert used(database, user, "oracle_queries") == 0


async def test_everybody_may_read_the_plans(api: Tenants, user: Someone) -> None:
    plans = await billing.plans(api.reader(principal(user)))
    assert [(plan.id, plan.seats, plan.oracle_queries) for plan in plans] == [
        ("free", 1, 10),
        ("pro", 3, 100),
        ("teams", 10, None),
        ("enterprise", None, None),
    ]
