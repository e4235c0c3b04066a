"""`activity:new`: who did what reaches everybody whom it concerns, once, and nobody else."""

import asyncio
from collections.abc import Callable
from typing import Any

from tests.conftest import Person, Shared
from tests.ingestion.making import ingest
from tests.projects.making import hire, join, make_project
from tests.realtime.making import Owner
from tests.realtime.socketio import Client, client
from tests.skills.test_http import make_skill

Make = Callable[..., Person]


async def activities(listening: Client, upto: str) -> list[dict[str, Any]]:
    """What people did, up to the first of that type."""
    found: list[dict[str, Any]] = []
    while not found or found[-1]["type"] != upto:
        event, data, about = await listening.next_around()
        if event == "activity:new":
            assert about["room"].startswith("user:")
            found.append(data)
    return found


async def test_what_somebody_does_is_told_to_them_and_to_their_colleagues(
    person: Make, shared: Shared, owner: Owner, stack_env: dict[str, str]
) -> None:
    boss = person()
    colleague = hire(owner, shared, boss, person())
    async with client(stack_env, boss.token) as first, client(stack_env, colleague.token) as second:
        skill = await make_skill(boss, name="Summarise")
        for listening in (first, second):
            told = (await activities(listening, "skill_created"))[-1]
            assert (told["user"], told["userId"], told["projectId"]) == ("Test Person", str(boss.id), None)
            assert told["description"] == f'created the skill "{skill["name"]}"'


async def test_a_private_project_is_told_to_its_readers_only(
    person: Make, shared: Shared, owner: Owner, stack_env: dict[str, str]
) -> None:
    boss = person()
    reader, outsider = hire(owner, shared, boss, person()), hire(owner, shared, boss, person())
    stranger = person()
    project = await make_project(boss, privacy="private")
    join(owner, project, reader, "viewer")
    listeners = [client(stack_env, each.token) for each in (boss, reader, outsider, stranger)]
    async with listeners[0] as first, listeners[1] as second, listeners[2] as third, listeners[3] as fourth:
        body = {"provider": "github", "repositoryUrl": "https://github.com/octo/hello"}
        assert (await boss.http.post(f"/projects/{project['id']}/repositories", json=body)).status_code == 201
        assert (await boss.http.delete(f"/projects/{project['id']}")).status_code == 200
        await make_skill(boss, name="Afterwards")
        await make_skill(stranger, name="Elsewhere")
        for listening in (first, second):
            told = await activities(listening, "project_deleted")
            added = next(one for one in told if one["type"] == "repository_added")
            assert added["description"] == f'added the repository octo/hello to the project "{project["name"]}"'
            assert added["projectId"] == project["id"]
            assert told[-1]["description"] == f'deleted the project "{project["name"]}"'
        about = [one["type"] for one in await activities(third, "skill_created")]
        assert [one for one in about if one != "member_joined"] == ["skill_created"]
        assert [one["description"] for one in await activities(fourth, "skill_created")] == [
            'created the skill "Elsewhere"'
        ]


async def test_an_ingestion_that_ends_is_told_and_what_was_missed_comes_later(
    person: Make, shared: Shared, stack_env: dict[str, str]
) -> None:
    one = person()
    async with client(stack_env, one.token) as listening:
        _, joined, _ = await listening.next()
        repository = shared.repository(f"acts/{one.id.hex[:8]}", {"a.py": "def a():\n    return 1\n"})
        project = await make_project(one)
        body = {"provider": "github", "repositoryUrl": repository.url}
        assert (await one.http.post(f"/projects/{project['id']}/repositories", json=body)).status_code == 201
        await ingest(one, project)
        live = await activities(listening, "ingestion_completed")
    assert [told["type"] for told in live] == ["project_created", "repository_added", "ingestion_completed"]
    assert live[-1]["description"] == f'ingested the project "{project["name"]}"'
    async with client(stack_env, one.token, lastId=joined["lastId"]) as listening:
        assert await activities(listening, "ingestion_completed") == live


async def test_many_at_once_are_told_once_each_and_in_the_same_order_to_all(
    person: Make, shared: Shared, owner: Owner, stack_env: dict[str, str]
) -> None:
    boss = person(plan="enterprise")
    colleagues = [hire(owner, shared, boss, person()) for _ in range(3)]
    everybody = [boss, *colleagues]

    async def heard(one: Person) -> list[str]:
        async with client(stack_env, one.token) as listening:
            ready.release()
            found: list[str] = []
            while len(found) < 40:
                event, data, _ = await listening.next_around()
                if event == "activity:new" and data["type"] == "skill_created":
                    found.append(data["description"])
            return found

    ready = asyncio.Semaphore(0)
    listening = [asyncio.create_task(heard(one)) for one in everybody]
    for _ in everybody:
        await ready.acquire()
    await asyncio.gather(
        *(make_skill(one, name=f"{one.id.hex[:6]} {number}") for one in everybody for number in range(10))
    )
    told = await asyncio.gather(*listening)
    assert len(set(told[0])) == 40
    assert all(one == told[0] for one in told)


async def test_who_left_is_not_told_later_what_they_had_not_heard(
    person: Make, shared: Shared, owner: Owner, stack_env: dict[str, str]
) -> None:
    boss = person()
    leaver = hire(owner, shared, boss, person())
    project = await make_project(boss, privacy="private")
    join(owner, project, leaver, "viewer")
    await make_skill(boss, name="Merger with somebody")
    async with client(stack_env, boss.token, lastId="0") as listening:
        await activities(listening, "skill_created")
    member = next(
        one
        for one in (await boss.http.get(f"/projects/{project['id']}/members")).json()
        if one["userId"] == str(leaver.id)
    )
    assert (await boss.http.delete(f"/projects/{project['id']}/members/{member['id']}")).status_code == 200
    assert not _told(owner, leaver, project["name"])
    assert _told(owner, leaver, "Merger with somebody")
    assert (await boss.http.delete(f"/organization/members/{leaver.id}")).status_code == 200
    assert not _told(owner, leaver, "Merger with somebody")


def _told(owner: Owner, one: Person, words: str) -> bool:
    row = owner.execute(
        "select exists (select from room_events where room = %s and data::text like %s)",
        (f"user:{one.id}", f"%{words}%"),
    ).fetchone()
    assert row is not None
    return bool(row[0])
