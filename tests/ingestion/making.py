"""Projects with repositories, and their ingestions, for tests."""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import psycopg

from tests.conftest import Person, Shared
from tests.fakes.git_server import Repository
from tests.projects.making import make_project

Owner = psycopg.Connection[Any]
Found = TypeVar("Found")
ENDED = ("completed", "failed", "cancelled")


def served(shared: Shared, files: Mapping[str | bytes, str | bytes | None]) -> Repository:
    """A repository of its own at the stand-in of GitHub."""
    return shared.repository(f"acme/{uuid.uuid4().hex[:12]}", files)


async def add(one: Person, project: dict[str, Any], repository: Repository, **fields: object) -> dict[str, Any]:
    """The project reads that repository."""
    body = {"provider": "github", "repositoryUrl": repository.url, "branch": "main"} | fields
    answer = await one.http.post(f"/projects/{project['id']}/repositories", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def project_of(one: Person, *repositories: Repository, **fields: object) -> dict[str, Any]:
    """A project that reads these repositories."""
    made = await make_project(one, **fields)
    for repository in repositories:
        await add(one, made, repository)
    return made


async def ingest(one: Person, project: dict[str, Any], *, force: bool = False) -> dict[str, Any]:
    """Ingest, and wait for the end; answers it as the history has it."""
    answer = await one.http.post(f"/projects/{project['id']}/ingest", json={"forceReprocess": force})
    assert answer.status_code == 202, answer.text
    return await ended(one, project, answer.json()["jobId"])


async def ended(one: Person, project: dict[str, Any], ingestion_id: str) -> dict[str, Any]:
    """That ingestion, when it has ended."""
    async with asyncio.timeout(120):
        while True:
            for each in (await one.http.get(f"/projects/{project['id']}/ingestions")).json()["data"]:
                if each["id"] == ingestion_id and each["status"] in ENDED:
                    found: dict[str, Any] = each
                    return found
            await asyncio.sleep(0.05)


def files(owner: Owner, project: dict[str, Any]) -> dict[str, tuple[str, list[str]]]:
    """What serves: path → content key and the ids of its chunks, in order."""
    rows = owner.execute(
        "select f.path, f.content_key, array_agg(c.id::text order by c.ordinal) from source_files f "
        "join chunks c on c.file_id = f.id where f.project_id = %s and f.live group by f.id",
        (project["id"],),
    ).fetchall()
    return {path: (key, ids) for path, key, ids in rows}


def text_of(owner: Owner, project: dict[str, Any], path: str) -> str:
    """What is kept of a file that serves."""
    row = owner.execute(
        "select string_agg(c.content, '' order by c.ordinal) from source_files f join chunks c on c.file_id = f.id "
        "where f.project_id = %s and f.live and f.path = %s",
        (project["id"], path),
    ).fetchone()
    assert row is not None
    return str(row[0])


async def status(one: Person, project: dict[str, Any]) -> dict[str, Any]:
    """The project, as it stands."""
    found: dict[str, Any] = (await one.http.get(f"/projects/{project['id']}")).json()
    return found


async def until(look: Callable[[], Found], seconds: float = 30) -> Found:
    """What a look finds, as soon as it finds something."""
    async with asyncio.timeout(seconds):
        while True:
            if found := look():
                return found
            await asyncio.sleep(0.03)


async def in_phase(owner: Owner, job: str, phase: str) -> None:
    """Returns when an ingestion is in that phase."""
    await until(
        lambda: owner.execute(
            "select 1 from ingestions where id = %s and status = 'processing' and phase = %s", (job, phase)
        ).fetchone()
    )
