"""kill -9 to the worker in each phase, and to what reads files: another goes on where the phase began, and ends it.

A stack of its own, with short leases. Each phase is held at its end by a lock that the test has.
"""

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from tests.conftest import Person, Shared, _free_port
from tests.fakes.git_server import GitServer, Repository
from tests.ingestion.making import ended, files, in_phase, ingest, project_of, until
from tests.local.running import Up, up

PHASES = ("repository_fetch", "parsing", "chunking", "optimization", "indexing")
_LOCK = 77
_HOLD = """
create or replace function public.hold_phase() returns trigger language plpgsql as $$
begin
  if old.status = 'processing' and new.phase || new.status <> old.phase || old.status
    and exists (select from public.held_phase h where h.phase = old.phase) and new.status <> 'pending' then
    perform pg_advisory_xact_lock(77);
  end if;
  return new;
end $$;
create table if not exists public.held_phase (phase text);
grant all on public.held_phase to public;
create or replace trigger hold_phase before update on public.ingestions
  for each row execute function public.hold_phase();
"""


_HOLD_WORKER = """
create function public.hold_worker() returns trigger language plpgsql as $$
begin
  if session_user = 'kijko_worker' then
    perform pg_advisory_xact_lock_shared(78);
  end if;
  return null;
end $$;
create trigger hold_worker before update on public.project_repositories
  for each statement execute function public.hold_worker();
"""
_COUNTED = """
select count(*), count(*), sum(size_bytes)::int, sum(tokens)::int, sum(chunks)::int
from source_files where project_id = %s and live
"""
_WAITING = """
select 1 from pg_locks l join pg_stat_activity a using (pid) where a.application_name = %s and not l.granted
"""


@dataclass
class Own:
    """A stack that may be killed."""

    running: Up
    git: GitServer
    person: Person
    owner: psycopg.Connection[Any]

    def repository(self, given: dict[str | bytes, str | bytes | None]) -> Repository:
        return self.git.repository(f"acme/{uuid.uuid4().hex[:10]}", given)

    def worker(self) -> int:
        return self.running.pids("worker")["worker"]

    def kill_worker(self) -> None:
        before = self.worker()
        os.kill(before, signal.SIGKILL)
        # Its connections go with it, as the network would tell in time.
        self.owner.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'kijko-worker'"
        )

    def readers(self) -> list[psutil.Process]:
        """The processes of the worker that read files."""
        with contextlib.suppress(psutil.NoSuchProcess, KeyError):
            below = psutil.Process(self.worker()).children(recursive=True)
            crew = [each for each in below if "kijko.core.crew.nursery" in " ".join(each.cmdline())]
            return [each for each in crew if each.ppid() in {other.pid for other in crew}]
        return []


@pytest.fixture(scope="module")
def stack(shared: Shared) -> Iterator[tuple[Up, GitServer]]:
    folder = Path(tempfile.mkdtemp(prefix="kijko-i-", dir="/tmp" if Path("/tmp").is_dir() else None))  # noqa: S108
    trusted = [{"issuer": shared.issuer.url, "jwks_url": shared.issuer.url + "/jwks"}]
    with GitServer(folder / "served") as git:
        settings = {
            "KIJKO_PORT": str(_free_port()),
            "KIJKO_AUTH_TRUSTED_ISSUERS": json.dumps(trusted),
            "KIJKO_GIT_ALLOWED_HOSTS": json.dumps([git.pair]),
            "KIJKO_INGESTION_LEASE_S": "4",
            "KIJKO_INGESTION_FILE_S": "6",
            "KIJKO_WORKER_SWEEP_S": "0.5",
        }
        with up(folder / "home", "postgres,redis,api,worker,scheduler", **settings) as running:
            running.wait_for("API is ready", 120)
            yield running, git
    if not os.environ.get("KIJKO_TESTS_KEEP"):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def own(stack: tuple[Up, GitServer], shared: Shared) -> AsyncIterator[Own]:
    running, git = stack
    env = running.status()
    with psycopg.connect(env["KIJKO_DATABASE_URL"], autocommit=True) as owner:
        user, email = uuid.uuid4(), f"{uuid.uuid4().hex[:8]}@people.test"
        (organization,) = owner.execute(
            "select kijko.register(%s, %s, '', '', true, 'K')", (user, email)
        ).fetchone() or (None,)
        owner.execute("select kijko.grant_plan(%s, 'enterprise', 'a test')", (organization,))
        token = shared.issuer.token(user, organization, email=email)
        async with httpx.AsyncClient(
            base_url=env["KIJKO_API_URL"] + "/api", headers={"Authorization": f"Bearer {token}"}, timeout=30
        ) as http:
            yield Own(running, git, Person(user, organization, email, token, http), owner)


def _tree(seed: int, count: int) -> dict[str | bytes, str | bytes | None]:
    chance = random.Random(seed)
    return {
        f"pkg{number % 20}/m{number}.py": f"def f{number}(x):\n    return {chance.random()}\n" * chance.randint(5, 60)
        for number in range(count)
    }


def _events(own: Own, project: dict[str, Any], event: str) -> list[dict[str, Any]]:
    rows = own.owner.execute(
        "select data from room_events where room = %s and event = %s order by id", (f"project:{project['id']}", event)
    )
    return [data for (data,) in rows]


async def test_a_worker_killed_in_any_phase_is_followed_by_another_that_goes_on_there(own: Own) -> None:
    with psycopg.connect(own.owner.info.dsn, password=own.owner.info.password, autocommit=True) as admin:
        admin.execute(_HOLD)
    repository = own.repository(_tree(1, 400))
    settings = {"metadataOptions": {"gitHistory": True}}
    expected: dict[str, Any] = {}
    for phase in PHASES:
        project = await project_of(own.person, repository, settings=settings)
        own.owner.execute("delete from held_phase; insert into held_phase values ('" + phase + "')")
        with psycopg.connect(own.owner.info.dsn, password=own.owner.info.password) as holder:
            holder.execute("select pg_advisory_lock(77)")
            answer = await own.person.http.post(f"/projects/{project['id']}/ingest")
            job = answer.json()["jobId"]
            await in_phase(own.owner, job, phase)
            await until(
                lambda: own.owner.execute(
                    "select 1 from pg_locks where locktype = 'advisory' and objid = 77 and not granted"
                ).fetchone()
            )
            own.kill_worker()
            own.owner.execute("delete from held_phase")
        done = await ended(own.person, project, job)
        assert (phase, done["status"], done["errors"]) == (phase, "completed", [])
        (counted,) = own.owner.execute(_COUNTED, (project["id"],)).fetchall()
        told_of = ("totalFiles", "filesProcessed", "bytesProcessed", "tokensProcessed", "chunksCreated")
        assert (phase, *(done["metrics"][name] for name in told_of)) == (phase, *counted)
        begun = [each["phase"] for each in _events(own, project, "phase_started")]
        assert begun == [*PHASES[: PHASES.index(phase) + 1], *PHASES[PHASES.index(phase) :]]
        assert [each["success"] for each in _events(own, project, "ingestion_complete")] == [True]
        (row,) = own.owner.execute("select attempts from ingestions where id = %s", (job,)).fetchall()
        assert row == (2,)
        told = {path: key for path, (key, _) in files(own.owner, project).items()}
        expected = expected or told
        assert len(told) == 400
        assert told == expected
        entries = own.owner.execute("select entry, quantity from usage_ledger where subject_id = %s", (job,)).fetchall()
        assert entries == [("reserve", 1)]


async def test_what_is_cancelled_just_as_a_fetch_begins_leaves_no_repository_in_the_middle_of_it(own: Own) -> None:
    own.owner.execute(_HOLD_WORKER)
    project = await project_of(own.person, own.repository({"a.py": "a = 1\n"}))
    with psycopg.connect(own.owner.info.dsn, password=own.owner.info.password) as holder:
        holder.execute("select pg_advisory_lock(78)")
        job = (await own.person.http.post(f"/projects/{project['id']}/ingest")).json()["jobId"]
        await until(lambda: own.owner.execute(_WAITING, ("kijko-worker",)).fetchone())
        cancelling = asyncio.create_task(own.person.http.post(f"/projects/{project['id']}/cancel-ingestion"))
        await until(lambda: cancelling.done() or own.owner.execute(_WAITING, ("kijko-api",)).fetchone())
    assert (await cancelling).status_code == 200
    assert (await ended(own.person, project, job))["status"] == "cancelled"
    await until(lambda: not own.owner.execute(_WAITING, ("kijko-worker",)).fetchone())
    # Waits for whatever still changes a repository.
    own.owner.execute("drop trigger hold_worker on project_repositories; drop function hold_worker")
    (repository,) = (await own.person.http.get(f"/projects/{project['id']}/repositories")).json()
    assert repository["status"] == "pending"


async def test_a_worker_that_is_lost_again_and_again_ends_it_as_failed(own: Own) -> None:
    project = await project_of(own.person, own.repository({"a.py": "a = 1\n"}))
    (job,) = own.owner.execute(
        "insert into ingestions (organization_id, project_id, status, attempts, phase, lease_owner, lease_expires_at) "
        "values (%s, %s, 'processing', 3, 'chunking', gen_random_uuid(), now() - interval '1 second') returning id",
        (own.person.organization_id, project["id"]),
    ).fetchone() or (None,)
    done = await ended(own.person, project, str(job))
    assert (done["status"], done["errorCode"]) == ("failed", "WORKER_LOST")
    (error,) = _events(own, project, "error")
    assert (error["errorCode"], error["retryCount"]) == ("WORKER_LOST", 2)
    assert (await ingest(own.person, project))["status"] == "completed"


async def test_a_process_that_is_killed_on_a_file_costs_that_file_at_most(own: Own) -> None:
    given = _tree(2, 2000)
    project = await project_of(own.person, own.repository(given))
    job = (await own.person.http.post(f"/projects/{project['id']}/ingest")).json()["jobId"]
    await in_phase(own.owner, job, "chunking")
    for reader in await until(own.readers):
        reader.kill()
    done = await ended(own.person, project, job)
    assert done["status"] == "completed"
    assert len(done["errors"]) <= 2
    assert len(files(own.owner, project)) == 2000 - len(done["errors"])
    assert done["metrics"]["errorsEncountered"] == len(done["errors"])
    again = await ingest(own.person, project, force=True)
    assert (again["errors"], len(files(own.owner, project))) == ([], 2000)


async def test_a_process_that_hangs_on_a_file_costs_that_file_at_most(own: Own) -> None:
    project = await project_of(own.person, own.repository(_tree(3, 1500)))
    job = (await own.person.http.post(f"/projects/{project['id']}/ingest")).json()["jobId"]
    await in_phase(own.owner, job, "chunking")
    for reader in await until(own.readers):
        reader.suspend()
    done = await ended(own.person, project, job)
    assert (done["status"], len(done["errors"]) <= 2) == ("completed", True)
    assert all("longer than 6 seconds" in each["message"] for each in done["errors"])
    assert len(files(own.owner, project)) == 1500 - len(done["errors"])


async def test_a_file_on_which_the_indexing_of_words_hangs_is_told_and_read_again_the_next_time(own: Own) -> None:
    with psycopg.connect(own.owner.info.dsn, password=own.owner.info.password, autocommit=True) as admin:
        admin.execute(_HOLD)
    given: dict[str | bytes, str | bytes | None] = {"a.txt": "zebra " * 270_000, "b.py": "def giraffe():\n    pass\n"}
    settings = {"processingOptions": {"parallelProcessing": False}}
    repository = own.repository(given)
    project = await project_of(own.person, repository, settings=settings)
    own.owner.execute("insert into held_phase values ('chunking')")
    with psycopg.connect(own.owner.info.dsn, password=own.owner.info.password) as holder:
        holder.execute("select pg_advisory_lock(77)")
        job = (await own.person.http.post(f"/projects/{project['id']}/ingest")).json()["jobId"]
        await in_phase(own.owner, job, "chunking")
        await until(
            lambda: own.owner.execute(
                "select 1 from pg_locks where locktype = 'advisory' and objid = 77 and not granted"
            ).fetchone()
        )
        reader, *others = await until(own.readers)
        for other in others:
            other.kill()
        reader.suspend()  # it is given a.txt, whose words are a segment of their own
        own.owner.execute("delete from held_phase")
    done = await ended(own.person, project, job)
    assert (done["status"], done["metrics"]["errorsEncountered"], done["errorsTotal"]) == ("completed", 1, 1)
    (told,) = done["errors"]
    assert told["path"] == "a.txt"
    assert "search does not find it" in told["message"]
    assert "longer than 6 seconds" in told["message"]

    async def found(word: str) -> set[str]:
        answer = await own.person.http.get(f"/projects/{project['id']}/search", params={"q": word})
        return {each["path"] for each in answer.json()}

    assert (await found("zebra"), await found("giraffe")) == (set(), {"b.py"})
    assert set(files(own.owner, project)) == set(given)
    own.owner.execute("update projects set status = 'error' where id = %s", (project["id"],))
    again = await ingest(own.person, project)
    assert (again["errors"], again["metrics"]["errorsEncountered"]) == ([], 0)
    assert await found("zebra") == {"a.txt"}
    rows = own.owner.execute(
        "select path from ingestion_files where ingestion_id = %s and state = 'read'", (again["id"],)
    ).fetchall()
    assert rows == [("a.txt",)]


async def test_no_process_outlives_its_worker(own: Own) -> None:
    project = await project_of(own.person, own.repository(_tree(4, 1500)))
    job = (await own.person.http.post(f"/projects/{project['id']}/ingest")).json()["jobId"]
    await in_phase(own.owner, job, "chunking")
    readers = await until(own.readers)
    own.kill_worker()
    await until(lambda: not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in readers))
    done = await ended(own.person, project, job)
    assert (done["status"], done["errorCode"]) == ("completed", None)
    assert len(files(own.owner, project)) == 1500


async def test_a_worker_that_is_asked_to_stop_hands_its_ingestion_on_at_no_cost(own: Own) -> None:
    project = await project_of(own.person, own.repository(_tree(5, 2500)))
    job = (await own.person.http.post(f"/projects/{project['id']}/ingest")).json()["jobId"]
    await in_phase(own.owner, job, "chunking")
    os.kill(own.worker(), signal.SIGTERM)
    done = await ended(own.person, project, job)
    assert (done["status"], done["errorCode"]) == ("completed", None)
    (row,) = own.owner.execute("select attempts from ingestions where id = %s", (job,)).fetchall()
    assert row == (1,)
    assert len(files(own.owner, project)) == 2500
