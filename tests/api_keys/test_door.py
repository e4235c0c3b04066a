"""Being let in with a key while the way to the database breaks: the request goes on, and counts once."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest

from kijko.core.db import Database
from kijko.core.errors import QuotaExceeded
from kijko.core.tenancy import KeyRefused, OrganizationNotFound, Tenants
from kijko.models.enums import ApiKeyScope
from kijko.services.api_keys import Door, MissingScope, PeopleOnly, Use, queries, rules
from kijko.services.api_keys.door import Entered
from tests.fakes.proxy import Proxy
from tests.postgres import Someone, Sql, someone

SCOPE = ApiKeyScope.SKILLS_READ


@pytest.fixture
async def tenants(database: Sql, proxy: Proxy) -> AsyncIterator[Tenants]:
    url = database.url("kijko_api")
    connected = await Database.connect(
        url.replace(f":{urlsplit(url).port}/", f":{proxy.port}/"),
        pool_size=2,
        statement_timeout_ms=5000,
        connect_timeout_s=5,
        acquire_timeout_s=5,
        prepared=True,
        application_name="tests",
    )
    yield Tenants(connected)
    await connected.close()


@pytest.fixture
def proxy(database: Sql) -> Iterator[Proxy]:
    parts = urlsplit(database.url("kijko_api"))
    assert parts.port is not None
    made = Proxy(parts.hostname or "127.0.0.1", parts.port)
    yield made
    made.close()


def key_of(database: Sql, one: Someone) -> rules.Secret:
    secret = rules.make()
    database.run(
        "insert into api_keys (id, organization_id, user_id, name, prefix, key_hash, scopes) "
        "values (gen_random_uuid(), %s, %s, 'x', %s, %s, '{skills:read}')",
        one.organization,
        one.user,
        secret.prefix,
        secret.hash,
    )
    return secret


def calls(database: Sql, one: Someone) -> list[UUID]:
    taken = "select subject_id from usage_ledger where organization_id = %s and metric = 'api_calls'"
    return [row[0] for row in database.run(taken, one.organization)]


async def test_a_connection_that_breaks_on_the_way_costs_nothing(database: Sql, proxy: Proxy, tenants: Tenants) -> None:
    one = someone(database)
    secret, door = key_of(database, one), Door(tenants, Use(tenants))
    await door.enter(secret, SCOPE)
    proxy.hold(lambda chunk: secret.hash.hex().encode() in chunk or secret.hash in chunk)
    entering = asyncio.create_task(door.enter(secret, SCOPE))
    assert await asyncio.to_thread(proxy.reached.wait, 10)
    proxy.cut()
    proxy.mend()
    proxy.release()
    entered = await entering
    assert entered.principal.user_id == one.user
    assert len(calls(database, one)) == 2


async def test_a_call_whose_answer_was_lost_is_not_taken_again(database: Sql, tenants: Tenants) -> None:
    one = someone(database)
    key, call, door = key_of(database, one).hash, uuid4(), tenants.gate_reader()
    for repeated in (False, True, True):
        found = await queries.admit(door, key, None, SCOPE, many=2, call=call, repeated=repeated)
        assert (found.allowed, found.taken) == (True, 2)
    assert calls(database, one) == [call]
    # One that is repeated and never came through is taken.
    await queries.admit(door, key, None, SCOPE, many=1, call=uuid4(), repeated=True)
    assert len(calls(database, one)) == 2


async def test_who_comes_together_is_let_in_together_each_with_a_call_of_their_own(
    database: Sql, tenants: Tenants
) -> None:
    one = someone(database)
    secret, door = key_of(database, one), Door(tenants, Use(tenants))
    before = tenants.database.trips
    entered = await asyncio.gather(*(door.enter(secret, SCOPE) for _ in range(50)))
    assert tenants.database.trips - before <= 2
    assert sorted(each.quota["used"] for each in entered if each.quota) == list(range(1, 51))
    total = "select sum(quantity)::int from usage_ledger where organization_id = %s and metric = 'api_calls'"
    assert database.one(total, one.organization) == 50


async def test_of_those_who_come_together_as_many_are_let_in_as_calls_are_left(database: Sql, tenants: Tenants) -> None:
    one = someone(database)
    secret, door = key_of(database, one), Door(tenants, Use(tenants))
    with database.system() as connection:
        connection.execute(
            "select kijko.reserve_for(%s, 'api_calls', 993, gen_random_uuid(), %s)", (one.organization, one.user)
        )
    told = await asyncio.gather(*(door.enter(secret, SCOPE) for _ in range(20)), return_exceptions=True)
    refused = [each for each in told if isinstance(each, QuotaExceeded)]
    assert (len(told) - len(refused), len(refused)) == (7, 13)
    assert all(isinstance(each.details, dict) and each.details["used"] == 1000 for each in refused)
    assert len({id(each) for each in refused}) == 13


async def test_whoever_goes_away_while_they_wait_takes_no_call_and_holds_up_nobody(
    database: Sql, tenants: Tenants
) -> None:
    one = someone(database)
    secret, door = key_of(database, one), Door(tenants, Use(tenants))
    entering = [asyncio.create_task(door.enter(secret, SCOPE)) for _ in range(10)]
    await asyncio.sleep(0)
    for each in entering[5:]:
        each.cancel()
    told = await asyncio.gather(*entering, return_exceptions=True)
    assert [isinstance(each, asyncio.CancelledError) for each in told] == [False] * 5 + [True] * 5
    assert (await door.enter(secret, SCOPE)).principal.user_id == one.user


async def test_scopes_and_organizations_are_not_mixed_up_among_those_who_come_together(
    database: Sql, tenants: Tenants
) -> None:
    one, other = someone(database), someone(database)
    secret, door = key_of(database, one), Door(tenants, Use(tenants))
    told = await asyncio.gather(
        door.enter(secret, SCOPE),
        door.enter(secret, ApiKeyScope.SKILLS_WRITE),
        door.enter(secret, SCOPE, wanted=other.organization),
        door.enter(secret, None),
        door.enter(rules.make(), SCOPE),
        door.enter(secret, SCOPE, wanted=one.organization),
        return_exceptions=True,
    )
    kinds = [Entered, MissingScope, OrganizationNotFound, PeopleOnly, KeyRefused, Entered]
    assert [type(each) for each in told] == kinds
