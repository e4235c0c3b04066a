"""Storage counts exactly: under races, at the limit, and where a part of an upload does not fit."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg

from tests.conftest import Person
from tests.projects.making import make_project
from tests.uploads.conftest import kept, send, zipped
from tests.uploads.test_http import used

Owner = psycopg.Connection[Any]
Make = Callable[..., Person]

_GB = 1_000_000_000


def leave(owner: Owner, one: Person, room: int) -> None:
    """Take all of a free plan's storage but that many bytes."""
    owner.execute(
        "select kijko.reserve_for(%s, 'storage', %s, %s, %s)", (one.organization_id, _GB - room, uuid4(), one.id)
    )


async def test_of_many_uploads_at_once_exactly_those_that_fit_are_kept(person: Make, owner: Owner) -> None:
    one = person(plan="free")
    project = (await make_project(one))["id"]
    leave(owner, one, 7_500)
    answers = await asyncio.gather(*(send(one, project, (f"{number}.txt", b"x" * 1000)) for number in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [429] * 13
    assert used(owner, one) == _GB - 500
    (refused, *_) = [answer for answer in answers if answer.status_code == 429]
    told = refused.json()
    assert told["code"] == "QUOTA_EXCEEDED"
    assert told["details"] == {"metric": "storage", "limit": 1, "used": told["details"]["used"], "resetsAt": None}
    assert "retry-after" not in refused.headers
    row = owner.execute("select count(*), sum(size_bytes) from uploads where project_id = %s", (project,)).fetchone()
    assert row == (7, 7000)


async def test_the_same_name_many_times_at_once_counts_once(person: Make, owner: Owner) -> None:
    one = person(plan="free")
    project = (await make_project(one))["id"]
    answers = await asyncio.gather(*(send(one, project, ("a.txt", b"x" * (number + 1))) for number in range(12)))
    assert {answer.status_code for answer in answers} == {200}
    (row,) = owner.execute("select size_bytes from uploads where project_id = %s", (project,)).fetchall()
    assert used(owner, one) == row[0]


async def test_the_same_files_in_another_order_at_once_do_not_block_each_other(person: Make, owner: Owner) -> None:
    one = person(plan="free")
    for _ in range(4):  # each time they are new to the project, and somebody waits for who brings them first
        project = (await make_project(one))["id"]
        before = used(owner, one)
        files = [(f"{number}.txt", b"x" * 10) for number in range(10)]
        answers = await asyncio.gather(
            *(send(one, project, *(files if turn % 2 else reversed(files))) for turn in range(8))
        )
        assert {answer.status_code for answer in answers} == {200}
        assert used(owner, one) == before + 100


async def test_uploads_and_the_project_they_go_to_may_end_at_once(person: Make, owner: Owner) -> None:
    one = person(plan="free")
    project = (await make_project(one))["id"]
    await kept(one, project, *((f"{number}.txt", b"x") for number in range(10)))
    answers = await asyncio.gather(
        *(send(one, project, *((f"{number}.txt", b"yy") for number in range(10))) for _ in range(4)),
        one.http.delete(f"/projects/{project}"),
    )
    assert {answer.status_code for answer in answers} <= {200, 404, 403}
    assert answers[-1].status_code == 200
    for _ in range(50):
        if used(owner, one) == 0:
            break
        await asyncio.sleep(0.1)
    assert used(owner, one) == 0


async def test_what_does_not_fit_is_told_beside_what_did(person: Make, owner: Owner) -> None:
    one = person(plan="free")
    project = (await make_project(one))["id"]
    leave(owner, one, 1_000)
    answer = await send(one, project, ("a.txt", b"x" * 900), ("b.txt", b"x" * 200), ("c.txt", b"x" * 100))
    assert answer.status_code == 200
    assert [each["name"] for each in answer.json()["uploaded"]] == ["a.txt", "c.txt"]
    (error,) = answer.json()["errors"]
    assert error["name"] == "b.txt"
    assert "storage" in error["error"]
    answer = await send(one, project, ("more.zip", zipped(("d.txt", b"1"), ("e.txt", b"2"))))
    assert (answer.status_code, answer.json()["code"]) == (429, "QUOTA_EXCEEDED")
    assert used(owner, one) == _GB
