"""Vectors of chunks: made by the worker after the words serve, and what they do to a search."""

import asyncio
import time
import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from kijko.services.search.embedding import delay
from tests.conftest import Person
from tests.projects.making import make_project
from tests.search.conftest import Indexed
from tests.search.test_http import find

PersonFactory = Callable[..., Person]
Owner = psycopg.Connection[Any]

CARS = {
    "drive.py": "def drive_automobile():\n    return 1\n",
    "erase.py": "def purge():\n    return 2\n",
    "other.py": "def other():\n    return 3\n",
}


async def done(owner: Owner, project: dict[str, Any], status: str = "done") -> tuple[Any, ...]:
    """The project's job, once it has that status; 60 s are plenty on a busy machine."""
    deadline = time.monotonic() + 60
    row = None
    while time.monotonic() < deadline:
        row = owner.execute(
            "select status, model, attempts, error_message from search_embeddings where project_id = %s",
            (project["id"],),
        ).fetchone()
        if row is not None and row[0] == status:
            return row
        await asyncio.sleep(0.1)
    raise AssertionError(f"did not become {status}: {row}")


async def vectors(owner: Owner, project: dict[str, Any]) -> int:
    row = owner.execute("select count(*) from search_vectors where project_id = %s", (project["id"],)).fetchone()
    assert row is not None
    count: int = row[0]
    return count


async def vector_project(one: Person, **settings: Any) -> dict[str, Any]:
    return await make_project(one, settings={"outputFormat": "vector", **settings})


async def test_what_no_word_finds_is_found_by_its_meaning_once_the_worker_has_made_the_vectors(
    person: PersonFactory, indexed: Indexed, owner: Owner
) -> None:
    one = person()
    project = await vector_project(one)
    await indexed(one, project).ingest(CARS)
    assert (await done(owner, project))[1] == "meaning-1"
    assert await vectors(owner, project) == 3
    assert (await find(one, project, "my old vehicle"))[0]["path"] == "drive.py"
    assert (await find(one, project, "erase things"))[0]["path"] == "erase.py"


async def test_a_name_is_found_by_its_words_first_whatever_is_near(
    person: PersonFactory, indexed: Indexed, owner: Owner
) -> None:
    one = person()
    project = await vector_project(one)
    await indexed(one, project).ingest(CARS | {"name.py": "def vehicleName():\n    return 4\n"})
    await done(owner, project)
    assert [each["path"] for each in await find(one, project, "vehicle_name")] == ["name.py"]


async def test_a_project_that_did_not_ask_for_vectors_gets_none(
    person: PersonFactory, indexed: Indexed, owner: Owner
) -> None:
    one = person()
    plain, other = await make_project(one), await vector_project(one)
    await indexed(one, plain).ingest(CARS)
    await indexed(one, other).ingest(CARS)
    await done(owner, other)
    assert await vectors(owner, plain) == 0
    assert await find(one, plain, "my old vehicle") == []


async def test_the_same_content_is_sent_to_the_model_once_and_vectors_of_what_is_gone_go(
    person: PersonFactory, indexed: Indexed, owner: Owner
) -> None:
    one = person()
    first, second = await vector_project(one), await vector_project(one)
    # The model refuses a second request with this text, and that would end in `failed`.
    text = f"def automobile():\n    return '[only once] {uuid.uuid4()}'\n"
    await indexed(one, first).ingest({"a.py": text})
    await done(owner, first)
    index = indexed(one, second)
    await index.ingest({"b.py": text, "c.py": "def y(): ...\n"})
    await done(owner, second)
    assert await vectors(owner, second) == 2
    assert (await find(one, second, "my old vehicle"))[0]["path"] == "b.py"
    await index.ingest({"b.py": text + "\n# [401]\n"}, removed=["c.py"])
    failed = await done(owner, second, "failed")
    assert "refused with 401" in failed[3]
    await index.ingest({"b.py": "def z(): ...\n"})
    await done(owner, second)
    assert await vectors(owner, second) == 1


async def test_a_model_that_recovers_is_tried_again_and_search_does_without_until_then(
    person: PersonFactory, indexed: Indexed, owner: Owner
) -> None:
    one = person()
    project = await vector_project(one)
    await indexed(one, project).ingest(CARS | {"x.py": f"def x():\n    return '[429 once] {uuid.uuid4()}'\n"})
    assert (await find(one, project, "drive automobile"))[0]["path"] == "drive.py"
    await done(owner, project)
    assert await vectors(owner, project) == 4


async def test_a_question_whose_vector_does_not_come_is_answered_by_its_words(
    person: PersonFactory, indexed: Indexed, owner: Owner
) -> None:
    one = person()
    project = await vector_project(one)
    await indexed(one, project).ingest(CARS)
    await done(owner, project)
    found = await find(one, project, f"purge the [500] {uuid.uuid4()}")
    assert found[0]["path"] == "erase.py"


async def test_a_projects_own_model_stands_instead_of_the_servers(
    person: PersonFactory, indexed: Indexed, owner: Owner
) -> None:
    one = person()
    project = await vector_project(one, embeddingModel="meaning-2")
    await indexed(one, project).ingest(CARS)
    assert (await done(owner, project))[1] == "meaning-2"
    assert (await find(one, project, "my old vehicle"))[0]["path"] == "drive.py"


async def test_a_dead_workers_project_is_taken_up_by_another(
    person: PersonFactory, indexed: Indexed, owner: Owner
) -> None:
    one = person()
    project = await make_project(one)
    await indexed(one, project).ingest(CARS)
    owner.execute(
        "update search_embeddings set status = 'running', lease_owner = %s, lease_expires_at = now() "
        "where project_id = %s",
        (uuid.uuid4(), project["id"]),
    )
    owner.execute("""update projects set settings = '{"outputFormat": "vector"}' where id = %s""", (project["id"],))
    await done(owner, project)
    assert await vectors(owner, project) == 3


@pytest.mark.parametrize(("attempts", "least", "most"), [(1, 1, 2), (3, 4, 8), (7, 64, 128)])
def test_each_failure_is_waited_out_longer(attempts: int, least: float, most: float) -> None:
    found = delay(attempts, most=8)
    assert found is not None
    assert least <= found <= most


def test_after_too_many_failures_one_after_another_it_is_given_up() -> None:
    assert delay(8, most=8) is None
