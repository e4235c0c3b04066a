"""Asking for an ingestion: what is taken, what is refused and with which code, and what a plan pays for."""

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.conftest import Person, Shared
from tests.ingestion.making import add, ended, ingest, project_of, served, status
from tests.projects.making import hire, join, make_project, said

Owner = psycopg.Connection[Any]
Make = Callable[..., Person]
_NOWHERE = "https://github.com/acme/nowhere-to-be-found"


def used(owner: Owner, one: Person) -> int:
    """Ingestions that the plan has given away."""
    row = owner.execute(
        "select used from kijko.usage_of(%s) where metric = 'ingestions'", (one.organization_id,)
    ).fetchone()
    assert row is not None
    return int(row[0])


async def test_an_ingestion_is_accepted_with_where_to_follow_it(person: Make, shared: Shared, owner: Owner) -> None:
    one = person()
    project = await project_of(one, served(shared, {"a.py": "a = 1\n"}))
    answer = await one.http.post(f"/projects/{project['id']}/ingest")
    told = answer.json()
    assert (answer.status_code, told["projectId"], told["status"]) == (202, project["id"], "processing")
    assert told["wsNamespaceUrl"] == f"/api/projects/{project['id']}/ws"
    assert told["estimatedDurationSeconds"] > 0
    assert answer.headers["RateLimit-Remaining"] == "2499"
    done = await ended(one, project, told["jobId"])
    assert (done["status"], used(owner, one)) == ("completed", 1)


async def test_of_many_starts_at_once_one_makes_a_job(person: Make, shared: Shared, owner: Owner) -> None:
    one = person()
    project = await project_of(one, served(shared, {"a.py": "a = 1\n"}))
    answers = await asyncio.gather(*(one.http.post(f"/projects/{project['id']}/ingest") for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [202, *[409] * 7]
    assert {said(answer) for answer in answers if answer.status_code == 409} == {(409, "ALREADY_PROCESSING")}
    assert used(owner, one) == 1


async def test_a_project_that_is_active_is_ingested_again_when_that_is_forced(person: Make, shared: Shared) -> None:
    one = person()
    project = await project_of(one, served(shared, {"a.py": "a = 1\n"}))
    await ingest(one, project)
    assert said(await one.http.post(f"/projects/{project['id']}/ingest")) == (409, "INVALID_STATUS")
    assert (await ingest(one, project, force=True))["status"] == "completed"


async def test_what_changed_since_the_last_ingestion_is_taken_by_a_plain_start(
    person: Make, shared: Shared, owner: Owner
) -> None:
    one = person()
    project = await project_of(one, served(shared, {"a.py": "a = 1\n"}))
    await ingest(one, project)
    path = f"/projects/{project['id']}"

    async def nothing() -> None:
        refused = await one.http.post(f"{path}/ingest")
        assert said(refused) == (409, "INVALID_STATUS")
        assert "forceReprocess" in refused.json()["detail"]

    await nothing()
    sent = await one.http.post(
        "/files/upload", data={"projectId": project["id"]}, files={"files": ("notes.md", b"# Notes\n\nZebras.\n")}
    )
    assert sent.status_code == 200, sent.text
    await ingest(one, project)
    assert [each["path"] for each in (await one.http.get(f"{path}/search?q=zebras")).json()] == ["notes.md"]
    await nothing()
    await one.http.patch(path, json={"name": "Renamed is not read anew"})
    await nothing()
    await one.http.patch(path, json={"settings": {"patternFilters": {"excludePatterns": ["*.md"]}}})
    await ingest(one, project)
    assert (await one.http.get(f"{path}/search?q=zebras")).json() == []
    await nothing()
    await add(one, project, served(shared, {"b.py": "b = 2\n"}))
    await ingest(one, project)
    assert {each["path"] for each in (await one.http.get(f"{path}/files")).json()["data"]} == {"a.py", "b.py"}
    await nothing()


async def test_a_default_branch_that_nobody_has_seen_is_named_by_the_ingestion(person: Make, shared: Shared) -> None:
    one, repository = person(), served(shared, {"main.py": "on = 'main'\n"})
    repository.commit({"trunk.py": "on = 'trunk'\n"}, branch="trunk")
    (repository.folder / "HEAD").write_text("ref: refs/heads/trunk\n")
    away = repository.folder.with_name("away-" + repository.folder.name)
    repository.folder.rename(away)
    project = await make_project(one)
    added = await add(one, project, repository, branch=None)
    assert added["branch"] == "HEAD"
    away.rename(repository.folder)
    done = await ingest(one, project)
    assert (done["status"], done["commits"][0]["branch"]) == ("completed", "trunk")
    (kept,) = (await one.http.get(f"/projects/{project['id']}/repositories")).json()
    assert (kept["branch"], kept["lastCommitHash"]) == ("trunk", repository.head("trunk"))
    files = (await one.http.get(f"/projects/{project['id']}/files")).json()["data"]
    assert [each["path"] for each in files] == ["trunk.py"]
    assert said(await one.http.post(f"/projects/{project['id']}/ingest")) == (409, "INVALID_STATUS")


async def test_an_empty_repository_is_said_to_have_no_default_branch(person: Make, shared: Shared) -> None:
    one, project = (one := person()), await make_project(one)
    added = await add(one, project, served(shared, {}), branch=None)
    assert added["branch"] == "HEAD"
    failed = await ingest(one, project)
    assert (failed["status"], failed["errorCode"]) == ("failed", "BRANCH_NOT_FOUND")
    assert "no default branch" in failed["errorMessage"]


async def test_a_project_without_sources_has_nothing_to_ingest(person: Make, owner: Owner) -> None:
    one = person()
    project = await make_project(one)
    assert said(await one.http.post(f"/projects/{project['id']}/ingest")) == (422, "NO_SOURCES")
    assert (await status(one, project))["status"] == "draft"
    assert used(owner, one) == 0


async def test_a_plan_without_ingestions_left_refuses_and_the_project_stays_as_it_was(
    person: Make, shared: Shared, owner: Owner
) -> None:
    one = person(plan="free")
    project = await project_of(one, served(shared, {"a.py": "a = 1\n"}))
    for _ in range(50):
        owner.execute(
            "insert into usage_ledger (organization_id, metric, entry, quantity, subject_id) "
            "values (%s, 'ingestions', 'reserve', 1, %s)",
            (one.organization_id, uuid.uuid4()),
        )
    answer = await one.http.post(f"/projects/{project['id']}/ingest")
    assert said(answer) == (429, "QUOTA_EXCEEDED")
    assert answer.json()["details"]["metric"] == "ingestions"
    assert (await status(one, project))["status"] == "draft"


async def test_what_fails_before_anything_was_read_is_given_back(person: Make, owner: Owner) -> None:
    one = person()
    project = await make_project(one)
    body = {"provider": "github", "repositoryUrl": _NOWHERE, "branch": "main"}
    repository = (await one.http.post(f"/projects/{project['id']}/repositories", json=body)).json()
    done = await ingest(one, project)
    assert done["status"] == "failed"
    assert done["errorCode"] in {"REPOSITORY_NOT_FOUND", "REPOSITORY_UNREACHABLE"}
    assert "acme/nowhere-to-be-found" in done["errorMessage"]
    assert used(owner, one) == 0
    assert (await status(one, project))["status"] == "error"
    (read,) = (await one.http.get(f"/projects/{project['id']}/repositories")).json()
    assert (read["id"], read["status"]) == (repository["id"], "error")
    again = await ingest(one, project)
    assert again["id"] != done["id"]


@pytest.mark.parametrize(("role", "code"), [("developer", 202), ("viewer", 403), ("auditor", 403)])
async def test_who_may_change_sources_may_ingest(
    person: Make, shared: Shared, owner: Owner, role: str, code: int
) -> None:
    boss = person()
    worker = hire(owner, shared, boss, person())
    project = await project_of(boss, served(shared, {"a.py": "a = 1\n"}))
    join(owner, project, worker, role)
    assert (await worker.http.post(f"/projects/{project['id']}/ingest")).status_code == code
    assert (await worker.http.get(f"/projects/{project['id']}/ingestions")).status_code == 200
    if code == 403:
        assert said(await worker.http.post(f"/projects/{project['id']}/cancel-ingestion")) == (403, "FORBIDDEN")


async def test_there_is_nothing_to_cancel_where_nothing_is_under_way(person: Make) -> None:
    one = person()
    project = await make_project(one)
    answer = await one.http.post(f"/projects/{project['id']}/cancel-ingestion")
    assert said(answer) == (409, "NO_ACTIVE_INGESTION")


async def test_the_history_is_a_page_newest_first(person: Make, shared: Shared) -> None:
    one = person()
    project = await project_of(one, served(shared, {"a.py": "a = 1\n"}))
    made = [(await ingest(one, project, force=True))["id"] for _ in range(3)]
    page = (await one.http.get(f"/projects/{project['id']}/ingestions", params={"pageSize": 2})).json()
    assert [each["id"] for each in page["data"]] == made[:0:-1]
    assert (page["total"], page["hasMore"], page["pageSize"]) == (3, True, 2)
