"""A private repository, whole: from connecting the account to search results, and where its token never is."""

import asyncio
import base64
import subprocess
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import psutil
import psycopg
import pytest
from psycopg import sql

from tests.conftest import Person, Shared
from tests.ingestion.making import ended, ingest
from tests.projects.making import connect, make_project

Owner = psycopg.Connection[Any]
Make = Callable[..., Person]
_CODE = "def open_the_vault(key):\n    return key.turn()\n"
_BULK = "".join(f"# {uuid.UUID(int=number * 7919**9 % 2**128)}\n" for number in range(3000))


async def tokens_of(shared: Shared, provider: str, login: str) -> list[str]:
    """What the forge gave out for that account and still takes."""
    server = shared.github_url if provider == "github" else shared.gitlab_url
    async with httpx.AsyncClient(base_url=server) as told:
        found: list[str] = (await told.get(f"/alive/{login}")).json()
    return found


def written(tokens: list[str]) -> list[str]:
    """Each as it is, and as HTTP's Basic has it with whatever user name before it."""
    basic = [base64.b64encode(f"{'x' * at}:{each}".encode()).decode()[8:-4] for each in tokens for at in (2, 3, 4)]
    return [*tokens, *basic]


async def commands_while(work: "asyncio.Task[dict[str, Any]]") -> set[str]:
    """Every process's arguments, as `ps` shows them, looked at until the work has ended."""
    seen: set[str] = set()
    while not work.done():
        for process in psutil.process_iter(["cmdline"]):
            seen.add(" ".join(process.info["cmdline"] or ()))
        await asyncio.sleep(0.05)
    return seen


def rows_with(owner: Owner, needles: list[str]) -> list[str]:
    """The tables with a row in which one of these stands in clear."""
    tables = owner.execute(
        "select table_schema, table_name from information_schema.tables "
        "where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')"
    ).fetchall()
    return [
        name
        for schema, name in tables
        if owner.execute(
            sql.SQL("select 1 from {} t where t::text like any (%s) limit 1").format(sql.Identifier(schema, name)),
            ([f"%{each}%" for each in needles],),
        ).fetchone()
    ]


def files_with(shared: Shared, needles: list[str]) -> str:
    """The files of the stack (logs, repositories, store) in which one of these stands in clear."""
    asked = ["grep", "-rlaF", *(part for each in needles for part in ("-e", each)), str(shared.home)]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("provider", ["github", "gitlab"])
async def test_a_private_repository_is_found_through_a_connected_account_and_its_token_nowhere(
    person: Make, shared: Shared, owner: Owner, provider: str
) -> None:
    one, login = person(), f"slow-{uuid.uuid4().hex[:10]}"
    repository = shared.repository(f"{login}/private-vault", {"vault.py": _CODE, "bulk.txt": _BULK}, at=provider)
    project = await make_project(one)
    path = f"/projects/{project['id']}"
    body = {"provider": provider, "repositoryUrl": repository.url}
    tried = await one.http.post("/projects/validate-repository", json={"url": repository.url})
    assert tried.json()["valid"] is False

    assert (await connect(one, provider, login)).status_code == 200
    tried = await one.http.post("/projects/validate-repository", json={"url": repository.url})
    assert tried.json()["valid"] is True, tried.text
    added = await one.http.post(f"{path}/repositories", json=body)
    assert (added.status_code, added.json()["branch"]) == (201, "main")
    started = await one.http.post(f"{path}/ingest")
    assert started.status_code == 202, started.text
    seen = await commands_while(work := asyncio.create_task(ended(one, project, started.json()["jobId"])))
    assert work.result()["status"] == "completed", work.result()
    (best, *_) = (await one.http.get(f"{path}/search", params={"q": "open the vault"})).json()
    assert (best["path"], best["repositoryName"]) == ("vault.py", f"{login}/private-vault")

    needles = written(await tokens_of(shared, provider, login))
    assert needles
    assert rows_with(owner, [login]), "the look sees what is there"
    assert await asyncio.to_thread(files_with, shared, [project["id"]])
    assert any("git" in each and " fetch " in each for each in seen), "git was looked at while it fetched"
    assert not [each for each in seen if any(needle in each for needle in needles)]
    assert rows_with(owner, needles) == []
    assert await asyncio.to_thread(files_with, shared, needles) == ""
    for address in (path, f"{path}/full", f"{path}/repositories", f"{path}/ingestions", f"{path}/progress"):
        told = (await one.http.get(address)).text
        assert not [needle for needle in needles if needle in told], address


@pytest.mark.parametrize("provider", ["github", "gitlab"])
async def test_an_account_that_may_not_read_it_is_told_so_without_its_token(
    person: Make, shared: Shared, owner: Owner, provider: str
) -> None:
    one, login = person(), f"other-{uuid.uuid4().hex[:10]}"
    repository = shared.repository(f"owner-{uuid.uuid4().hex[:10]}/private-vault", {"vault.py": _CODE}, at=provider)
    assert (await connect(one, provider, login)).status_code == 200
    project = await make_project(one)
    body = {"provider": provider, "repositoryUrl": repository.url}
    added = await one.http.post(f"/projects/{project['id']}/repositories", json=body)
    assert (added.status_code, added.json()["branch"]) == (201, "HEAD")
    failed = await ingest(one, project)
    assert (failed["status"], failed["errorCode"]) == ("failed", "AUTHENTICATION_FAILED")
    needles = written(await tokens_of(shared, provider, login))
    told = (await one.http.get(f"/projects/{project['id']}/ingestions")).text
    assert not [needle for needle in needles if needle in told]
    assert rows_with(owner, needles) == []
    assert await asyncio.to_thread(files_with, shared, needles) == ""
