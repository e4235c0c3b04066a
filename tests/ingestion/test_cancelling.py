"""An ingestion that is cancelled has ended, whatever its worker was doing; what served before serves on."""

import random
import time
import uuid
from collections.abc import Callable
from typing import Any

import psutil
import psycopg

from tests.conftest import Person, Shared
from tests.ingestion.making import add, ended, files, in_phase, ingest, project_of, served, status, until
from tests.ingestion.test_requests import used

Owner = psycopg.Connection[Any]
Make = Callable[..., Person]


def slow(shared: Shared) -> Any:
    """A repository that takes half a minute to come."""
    return shared.repository(f"acme/slow-{uuid.uuid4().hex[:8]}", {"noise.txt": random.randbytes(900_000).hex()})


async def test_a_fetch_that_is_cancelled_has_ended_and_leaves_a_draft(
    person: Make, shared: Shared, owner: Owner
) -> None:
    one = person()
    project = await project_of(one, slow(shared))
    job = (await one.http.post(f"/projects/{project['id']}/ingest")).json()["jobId"]
    await in_phase(owner, job, "repository_fetch")
    current = (await one.http.get(f"/projects/{project['id']}/full")).json()
    assert (current["status"], current["currentIngestion"]["id"]) == ("processing", job)
    began = time.monotonic()
    answer = await one.http.post(f"/projects/{project['id']}/cancel-ingestion")
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    done = await ended(one, project, job)
    assert time.monotonic() - began < 2  # the bar of the product, not of this machine: the row has ended at once
    assert (done["status"], done["errorCode"]) == ("cancelled", "CANCELLED")
    after = (await one.http.get(f"/projects/{project['id']}/full")).json()
    assert (after["status"], after["currentIngestion"]) == ("draft", None)
    assert after["repositories"][0]["status"] == "pending"
    assert used(owner, one) == 0


async def test_the_git_of_a_cancelled_fetch_ends(person: Make, shared: Shared, owner: Owner) -> None:
    one, repository = person(), slow(shared)
    project = await project_of(one, repository)
    job = (await one.http.post(f"/projects/{project['id']}/ingest")).json()["jobId"]

    def fetching() -> list[int]:
        lines = [(each.pid, " ".join(each.info["cmdline"] or ())) for each in psutil.process_iter(["cmdline"])]
        return [pid for pid, line in lines if repository.url in line and "fetch" in line]

    await until(fetching)
    await one.http.post(f"/projects/{project['id']}/cancel-ingestion")
    await until(lambda: not fetching())
    assert (await ended(one, project, job))["status"] == "cancelled"


async def test_a_cancelled_reading_leaves_what_served_and_the_next_one_goes_through(
    person: Make, shared: Shared, owner: Owner
) -> None:
    one = person()
    repository = served(shared, {"a.py": "a = 1\n"})
    project = await project_of(one, repository)
    await ingest(one, project)
    before = files(owner, project)
    await add(one, project, slow(shared))
    job = (await one.http.post(f"/projects/{project['id']}/ingest", json={"forceReprocess": True})).json()["jobId"]
    await in_phase(owner, job, "repository_fetch")
    assert (await one.http.post(f"/projects/{project['id']}/cancel-ingestion")).status_code == 200
    assert (await status(one, project))["status"] == "active"
    assert files(owner, project) == before
    for each in (await one.http.get(f"/projects/{project['id']}/repositories")).json():
        if each["repositoryUrl"] != repository.url:
            await one.http.delete(f"/projects/{project['id']}/repositories/{each['id']}")
    assert (await ingest(one, project, force=True))["status"] == "completed"
    assert files(owner, project) == before


async def test_one_that_waits_is_cancelled_and_never_begins(person: Make, shared: Shared, owner: Owner) -> None:
    one = person()
    project = await project_of(one, served(shared, {"a.py": "a = 1\n"}))
    owner.execute(
        "insert into ingestions (organization_id, project_id, available_at) values (%s, %s, now() + interval '1 day')",
        (one.organization_id, project["id"]),
    )
    assert (await one.http.post(f"/projects/{project['id']}/cancel-ingestion")).status_code == 200
    (kept,) = (await one.http.get(f"/projects/{project['id']}/ingestions")).json()["data"]
    assert (kept["status"], kept["commits"]) == ("cancelled", [])


async def test_of_a_cancelled_ingestion_nothing_is_left(person: Make, shared: Shared, owner: Owner) -> None:
    one = person()
    many = {f"pkg/m{number}.py": f"def f{number}():\n    return {number}\n" * 40 for number in range(1500)}
    project = await project_of(one, served(shared, many))
    job = (await one.http.post(f"/projects/{project['id']}/ingest")).json()["jobId"]
    await in_phase(owner, job, "chunking")
    assert (await one.http.post(f"/projects/{project['id']}/cancel-ingestion")).status_code == 200
    assert files(owner, project) == {}

    def nothing_left() -> bool:
        left = owner.execute(
            "select (select count(*) from source_files where project_id = %(p)s) "
            "+ (select count(*) from chunks where project_id = %(p)s) "
            "+ (select count(*) from ingestion_files where ingestion_id = %(i)s)",
            {"p": project["id"], "i": job},
        ).fetchone()
        return left == (0,)

    await until(nothing_left)
    assert (await ingest(one, project))["status"] == "completed"
    assert len(files(owner, project)) == 1500
