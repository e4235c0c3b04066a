"""What was allowed when a request came and is not any more when its turn comes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import psycopg
import pytest

from tests.conftest import Person, Shared
from tests.people.making import Owner, fresh_email, invite
from tests.projects.making import hire, make_project, said

Make = Callable[..., Person]

_WAITS = """
select exists (
  select from pg_locks
  where locktype = 'advisory' and not granted
    and (classid::bigint << 32) | objid::bigint = hashtextextended('people:' || %s::text, 0)
)
"""


@pytest.fixture
def held(stack_env: dict[str, str], owner: Owner) -> Callable[..., Any]:
    """Does a request while a transaction that holds an organization's people changes something, and then commits."""

    @asynccontextmanager
    async def hold(one: Person, change: str, *values: object, asks: Callable[[], Any]) -> AsyncIterator[httpx.Response]:
        with psycopg.connect(stack_env["KIJKO_DATABASE_URL"]) as other:
            other.execute("select kijko.lock_people(%s)", (one.organization_id,))
            other.execute(change, values)
            asked = asyncio.create_task(asks())
            # Postgres tells nobody that somebody waits for a lock.
            while not asked.done() and owner.execute(_WAITS, (one.organization_id,)).fetchone() == (False,):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            other.commit()
        yield await asked

    return hold


async def test_nobody_is_invited_into_an_organization_that_was_just_closed(
    person: Make, owner: Owner, held: Callable[..., Any]
) -> None:
    one, email = person(), fresh_email()
    project = await make_project(one)
    close = "delete from memberships where organization_id = %s"
    async with held(one, close, one.organization_id, asks=lambda: invite(one, project, email)) as answer:
        assert said(answer) == (404, "PROJECT_NOT_FOUND")
    assert owner.execute("select from mails where email = %s", (email,)).fetchone() is None


async def test_who_was_just_made_a_viewer_invites_nobody(
    person: Make, owner: Owner, shared: Shared, held: Callable[..., Any]
) -> None:
    boss, email = person(), fresh_email()
    manager = hire(owner, shared, boss, person())
    project = await make_project(boss)
    assert (await invite(boss, project, manager.email, "manager")).status_code == 201
    change = "update project_members set role = 'viewer' where user_id = %s"
    async with held(boss, change, manager.id, asks=lambda: invite(manager, project, email)) as answer:
        assert said(answer) == (403, "FORBIDDEN")


async def test_a_project_that_was_just_deleted_is_not_found_by_who_invites_into_it(
    person: Make, held: Callable[..., Any]
) -> None:
    one = person()
    project = await make_project(one)
    delete = "delete from projects where id = %s"
    async with held(one, delete, project["id"], asks=lambda: invite(one, project, fresh_email())) as answer:
        assert said(answer) == (404, "PROJECT_NOT_FOUND")


async def test_who_is_just_taken_out_of_an_organization_becomes_no_projects_admin_there(
    person: Make, owner: Owner, shared: Shared, held: Callable[..., Any]
) -> None:
    boss = person()
    worker = hire(owner, shared, boss, person())
    remove = "delete from memberships where organization_id = %s and user_id = %s"
    body = {"name": "Made too late", "type": "files"}

    def make() -> Any:
        return worker.http.post("/projects", json=body)

    async with held(boss, remove, boss.organization_id, worker.id, asks=make) as answer:
        assert said(answer) == (404, "ORGANIZATION_NOT_FOUND")
    left = "select from project_members where organization_id = %s and user_id = %s"
    assert owner.execute(left, (boss.organization_id, worker.id)).fetchone() is None
