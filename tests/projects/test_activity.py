"""When a member was last active in a project."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from kijko.core.db import Database
from kijko.core.tenancy import Tenants
from kijko.services.projects.activity import Activity
from tests.conftest import Person, Shared
from tests.projects.making import Owner, hire, join, make_project, said

Make = Callable[..., Person]


async def last_active(boss: Person, project: dict[str, Any], who: Person) -> str | None:
    """As the members' list has it."""
    listed = (await boss.http.get(f"/projects/{project['id']}/members")).json()
    return next(each["lastActiveAt"] for each in listed if each["userId"] == str(who.id))  # type: ignore[no-any-return]  # JSON


async def comes(boss: Person, project: dict[str, Any], who: Person) -> datetime:
    """When they were active, once it is told."""
    async with asyncio.timeout(20):
        while (found := await last_active(boss, project, who)) is None:  # noqa: ASYNC110  # it is told over HTTP alone
            await asyncio.sleep(0.1)
    return datetime.fromisoformat(found)


async def test_a_member_who_reads_or_changes_something_is_active_there_and_nowhere_else(
    person: Make, owner: Owner, shared: Shared
) -> None:
    boss = person()
    reader, uploader, away = (hire(owner, shared, boss, person()) for _ in range(3))
    project, other = await make_project(boss), await make_project(boss)
    for each in (reader, uploader, away):
        join(owner, project, each, "developer")
    join(owner, other, reader, "viewer")
    before = datetime.now(UTC)
    assert (await reader.http.get(f"/projects/{project['id']}")).status_code == 200
    form = {"files": ("a.txt", b"hello")}
    sent = await uploader.http.post("/files/upload", files=form, data={"projectId": project["id"]})
    assert sent.status_code == 200
    for each in (reader, uploader, boss):
        at = await comes(boss, project, each)
        assert before - timedelta(seconds=5) <= at <= datetime.now(UTC) + timedelta(seconds=5)
    assert await last_active(boss, project, away) is None
    assert await last_active(boss, other, reader) is None


async def test_what_is_refused_is_no_activity_and_a_stranger_writes_nothing(
    person: Make, owner: Owner, shared: Shared, stack_env: dict[str, str]
) -> None:
    boss, stranger = person(), person()
    viewer = hire(owner, shared, boss, person())
    project = await make_project(boss)
    join(owner, project, viewer, "viewer")
    assert said(await viewer.http.patch(f"/projects/{project['id']}", json={"name": "Mine now"})) == (403, "FORBIDDEN")
    assert said(await stranger.http.get(f"/projects/{project['id']}")) == (404, "PROJECT_NOT_FOUND")
    assert (await boss.http.get(f"/projects/{project['id']}")).status_code == 200
    await comes(boss, project, boss)
    assert await last_active(boss, project, viewer) is None


async def test_within_five_minutes_nothing_is_written_again(
    person: Make, owner: Owner, stack_env: dict[str, str]
) -> None:
    boss = person()
    project = await make_project(boss)
    version = "select xmin::text, last_active_at from project_members where project_id = %s"

    def row() -> Any:
        return owner.execute(version, (project["id"],)).fetchone()

    database = await Database.connect(
        stack_env["KIJKO_DATABASE_API_URL"],
        pool_size=1,
        statement_timeout_ms=10_000,
        connect_timeout_s=5,
        acquire_timeout_s=5,
        prepared=True,
        application_name="tests",
    )
    try:
        for _ in range(2):  # two processes, say
            activity = Activity(Tenants(database))
            activity.note(boss.id, project["id"])
            activity.note(boss.id, project["id"])
            await activity.write()
        first = row()
        assert first[1] is not None
        activity.note(boss.id, project["id"])
        await activity.write()
        assert row() == first
        owner.execute(
            "update project_members set last_active_at = now() - interval '6 minutes' where project_id = %s",
            (project["id"],),
        )
        later = Activity(Tenants(database))
        later.note(boss.id, project["id"])
        await later.write()
        assert row()[1] >= first[1]
    finally:
        await database.close()
