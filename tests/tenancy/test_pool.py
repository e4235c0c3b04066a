"""People who take turns on one connection never meet, whatever ended the turn before."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from kijko.core.db import Database, Scalar, Statement
from kijko.core.db.errors import DatabaseError, Raised
from kijko.core.tenancy import OrganizationNotFound, OrgTx, Principal, SessionEnded, Tenants, translate
from tests.postgres import Someone, Sql, someone
from tests.tenancy.acts import skill_of

_SEEN = Scalar(UUID, "select organization_id from skills")
_NAP = Statement("select pg_sleep(5)")
_FAIL = Statement("select 1 / 0")
_ADD = Statement(
    "insert into skills (organization_id, user_id, name, prompt_template, model) "
    "values (kijko.current_org(), auth.uid(), gen_random_uuid()::text, 'x', 'echo')"
)


def principal(
    of: Someone, *, chosen: UUID | None = None, session: str | None = "some", issued: datetime | None = None
) -> Principal:
    now = issued or datetime.now(UTC)
    return Principal(
        user_id=of.user,
        session_id=session,
        issued_at=now,
        organization_id=chosen or of.organization,
        chosen=chosen is not None,
        expires_at=now,
    )


@pytest.fixture
async def tenants(database: Sql) -> AsyncIterator[Tenants]:
    """The API's door to the database, with one connection."""
    opened = await Database.connect(
        database.url("kijko_api"),
        pool_size=1,
        statement_timeout_ms=10_000,
        connect_timeout_s=10,
        acquire_timeout_s=10,
        prepared=True,
        application_name="tests",
    )
    yield Tenants(opened)
    await opened.close()


@pytest.fixture
def two(database: Sql) -> list[Someone]:
    people = [someone(database), someone(database)]
    for one in people:
        skill_of(database, one)
    return people


async def _succeed(tx: OrgTx) -> None:
    await tx.run(_ADD)


async def _fail(tx: OrgTx) -> None:
    await tx.run(_ADD)
    await tx.run(_FAIL)


async def _raise(tx: OrgTx) -> None:
    await tx.run(_ADD)
    raise RuntimeError


async def _hang(tx: OrgTx) -> None:
    await tx.run(_ADD)
    async with asyncio.timeout(0.02):
        await tx.run(_NAP)


TURNS = (_succeed, _fail, _raise, _hang)


async def test_people_who_alternate_on_one_connection_see_only_their_own(tenants: Tenants, two: list[Someone]) -> None:
    chance = random.Random(7)
    kept = {one.organization: 1 for one in two}
    for turn in [act for act in TURNS for _ in range(5)] + chance.choices(TURNS, k=20):
        who = chance.choice(two)
        with contextlib.suppress(DatabaseError, RuntimeError, TimeoutError):
            async with tenants.org(principal(who)) as tx:
                await turn(tx)
        kept[who.organization] += turn is _succeed
        for one in two:
            seen = await tenants.reader(principal(one)).all(_SEEN)
            assert seen == [one.organization] * kept[one.organization]


@pytest.mark.parametrize("turn", TURNS)
async def test_after_a_turn_the_connection_is_nobodys(tenants: Tenants, two: list[Someone], turn) -> None:
    with contextlib.suppress(DatabaseError, RuntimeError, TimeoutError):
        async with tenants.org(principal(two[0])) as tx:
            await turn(tx)
    with pytest.raises(DatabaseError) as caught:
        async with tenants.gate() as tx:
            await tx.all(_SEEN)
    assert caught.value.sqlstate == "42501"


async def test_reads_that_are_cancelled_in_the_middle_leave_nothing(tenants: Tenants, two: list[Someone]) -> None:
    for at in range(30):
        slow = asyncio.create_task(tenants.reader(principal(two[at % 2])).all(_SEEN))
        await asyncio.sleep(at / 10_000)
        slow.cancel()
        other = two[(at + 1) % 2]
        assert await tenants.reader(principal(other)).all(_SEEN) == [other.organization]


async def test_a_chosen_organization_of_others_is_not_found(tenants: Tenants, two: list[Someone]) -> None:
    with pytest.raises(Raised) as caught:
        await tenants.reader(principal(two[0], chosen=two[1].organization)).all(_SEEN)
    assert isinstance(translate(caught.value), OrganizationNotFound)


async def test_a_tokens_organization_that_is_not_the_persons_falls_back_to_their_own(
    tenants: Tenants, two: list[Someone]
) -> None:
    stale = Someone(two[0].user, two[1].organization, two[0].email)
    assert await tenants.reader(principal(stale)).all(_SEEN) == [two[0].organization]


async def test_an_ended_session_is_refused_from_the_next_statement_on(
    database: Sql, tenants: Tenants, two: list[Someone]
) -> None:
    asks = principal(two[0], session="ended-" + uuid4().hex)
    assert await tenants.reader(asks).all(_SEEN)
    database.run("select kijko.end_session(%s, %s, 300)", asks.session_id, asks.user_id)
    with pytest.raises(Raised) as caught:
        await tenants.reader(asks).all(_SEEN)
    assert isinstance(translate(caught.value), SessionEnded)
    assert await tenants.reader(principal(two[0])).all(_SEEN)


@pytest.mark.parametrize("spared", [None, "this-one"])
async def test_a_cutoff_ends_every_older_session_but_the_spared(
    database: Sql, tenants: Tenants, two: list[Someone], spared: str | None
) -> None:
    issued = datetime(2026, 1, 1, tzinfo=UTC)
    database.run("select kijko.end_sessions_before(%s, '2026-01-02', %s)", two[0].user, spared)
    for ended in (principal(two[0], issued=issued), principal(two[0], issued=issued, session=None)):
        with pytest.raises(Raised):
            await tenants.reader(ended).all(_SEEN)
    if spared:
        assert await tenants.reader(principal(two[0], issued=issued, session=spared)).all(_SEEN)
    assert await tenants.reader(principal(two[0], issued=datetime(2026, 1, 3, tzinfo=UTC))).all(_SEEN)
