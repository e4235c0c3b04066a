"""A worker's places for ingestions: one organization's slow servers leave room for others."""

from collections.abc import Callable

from tests.conftest import Person, Shared
from tests.ingestion.making import ended, ingest, project_of, served, status
from tests.ingestion.test_cancelling import slow

Make = Callable[..., Person]


async def test_an_organization_with_slow_servers_delays_nobody_else(person: Make, shared: Shared) -> None:
    greedy, other = person(), person()
    projects = [await project_of(greedy, slow(shared), name=f"Slow {number}") for number in range(3)]
    jobs = [
        (await greedy.http.post(f"/projects/{project['id']}/ingest", json={})).json()["jobId"] for project in projects
    ]
    done = await ingest(other, await project_of(other, served(shared, {"a.py": "a = 1\n"})))
    assert done["status"] == "completed"
    waiting = [await status(greedy, project) for project in projects]
    assert [each["status"] for each in waiting] == ["processing"] * 3
    for project, job in zip(projects, jobs, strict=True):
        await greedy.http.post(f"/projects/{project['id']}/cancel-ingestion")
        assert (await ended(greedy, project, job))["status"] == "cancelled"
