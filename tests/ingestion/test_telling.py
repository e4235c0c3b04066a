"""What an ingestion tells: progress in its room as it happens, secrets and errors by file, who changed what last."""

import json
import random
from collections.abc import Callable
from typing import Any

import psycopg

from tests.conftest import Person, Shared
from tests.ingestion.making import ended, files, in_phase, ingest, project_of, served, text_of
from tests.postgres import become, claims_of
from tests.projects.making import hire, make_project
from tests.pushes.test_http import became, hook_of

Owner = psycopg.Connection[Any]
Make = Callable[..., Person]
_PHASES = ["repository_fetch", "parsing", "chunking", "optimization", "indexing"]
_KEY = "ghp_" + "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5"


def log_of(stack_env: dict[str, str], one: Person, room: str) -> list[tuple[int, str, dict[str, Any]]]:
    """A room's log as its person may read it: by the API's own role, behind the wall."""
    with psycopg.connect(stack_env["KIJKO_DATABASE_API_URL"]) as connection:
        become(connection, claims_of(one.id), one.organization_id)
        return connection.execute(
            "select id, event, data from room_events where room = %s order by id", (room,)
        ).fetchall()


async def test_each_phase_and_its_progress_is_in_the_projects_room(
    person: Make, shared: Shared, stack_env: dict[str, str]
) -> None:
    one = person()
    many = {f"pkg/m{number}.py": f"def f{number}():\n    return {number}\n" * 30 for number in range(600)}
    project = await project_of(one, served(shared, many))
    done = await ingest(one, project)
    log = log_of(stack_env, one, f"project:{project['id']}")
    assert [number for number, _, _ in log] == list(range(1, len(log) + 1))
    begun = [data for _, event, data in log if event == "phase_started"]
    assert [(each["phase"], each["currentPhaseIndex"], each["totalPhases"]) for each in begun] == [
        (phase, at, 5) for at, phase in enumerate(_PHASES)
    ]
    told = [data for _, event, data in log if event == "progress_update"]
    assert "Preparing to read: compiling the rules that find secrets" in {each["message"] for each in told}
    percents = [each["progressPercent"] for each in told]
    assert percents == sorted(percents)
    assert percents[0] >= 0
    assert percents[-1] <= 100
    assert all(each["message"] and each["projectId"] == project["id"] for each in told)
    (_, event, end) = log[-1]
    assert (event, end["success"], end["project"]["status"]) == ("ingestion_complete", True, "active")
    assert end["finalMetrics"] == done["metrics"]
    assert end["finalMetrics"]["filesProcessed"] == 600
    assert done["message"] == "Done: 600 files, 1,200 chunks read anew"
    own = [(event, data["projectId"]) for _, event, data in log_of(stack_env, one, f"user:{one.id}")]
    assert [told for told in own if told[0] != "activity:new"] == [("ingestion:complete", project["id"])]


async def test_one_file_and_one_chunk_are_told_in_the_singular(person: Make, shared: Shared) -> None:
    one = person()
    project = await project_of(one, served(shared, {"a.py": "a = 1\n"}))
    assert (await ingest(one, project))["message"] == "Done: 1 file, 1 chunk read anew"
    export = (await one.http.get(f"/projects/{project['id']}/export", params={"format": "markdown"})).text
    assert "\n1 file, " in export
    assert "1 files" not in export
    assert "1 tokens" not in export


async def test_a_room_is_read_by_who_may_read_its_project(
    person: Make, shared: Shared, owner: Owner, stack_env: dict[str, str]
) -> None:
    boss, stranger = person(), person()
    colleague = hire(owner, shared, boss, person())
    project = await project_of(boss, served(shared, {"a.py": "a = 1\n"}))
    await ingest(boss, project)
    room = f"project:{project['id']}"
    assert log_of(stack_env, boss, room)
    assert log_of(stack_env, stranger, room) == []
    assert log_of(stack_env, colleague, room) == []
    assert log_of(stack_env, colleague, f"user:{boss.id}") == []
    await boss.http.patch(f"/projects/{project['id']}", json={"privacy": "shared"})
    assert log_of(stack_env, colleague, room)


async def test_a_failure_is_told_with_its_code(person: Make, shared: Shared, stack_env: dict[str, str]) -> None:
    one, repository = person(), served(shared, {"a.py": "a = 1\n"})
    project = await project_of(one, repository)
    repository.folder.rename(repository.folder.with_name("gone-" + repository.folder.name))
    await ingest(one, project)
    log = log_of(stack_env, one, f"project:{project['id']}")
    (_, first, error), (_, last, end) = log[-2:]
    assert (first, error["errorCode"], error["phase"]) == ("error", "REPOSITORY_NOT_FOUND", "repository_fetch")
    assert (last, end["success"]) == ("ingestion_complete", False)


async def test_a_secret_is_told_by_path_line_and_kind_and_kept_nowhere(
    person: Make, shared: Shared, owner: Owner
) -> None:
    one = person()
    text = f"# settings\nregion = 'eu'\ntoken = '{_KEY}'\n"
    project = await project_of(one, served(shared, {"conf.py": text, "other.py": text, "clean.py": "x = 1\n"}))
    done = await ingest(one, project)
    assert [(each["path"], each["line"]) for each in done["secrets"]] == [("conf.py", 3), ("other.py", 3)]
    assert done["secretsTotal"] == 2
    assert all(each["kind"] for each in done["secrets"])
    assert _KEY not in json.dumps(done)
    assert _KEY not in text_of(owner, project, "conf.py")
    assert len({each["placeholder"] for each in done["secrets"]}) == 1
    assert done["secrets"][0]["placeholder"] in text_of(owner, project, "conf.py")
    owner.execute("update projects set status = 'error' where id = %s", (project["id"],))
    assert (await ingest(one, project))["secrets"] == done["secrets"]


async def test_without_anonymizing_secrets_are_told_and_stay(person: Make, shared: Shared, owner: Owner) -> None:
    one = person()
    text = f"token = '{_KEY}'\n"
    project = await project_of(one, served(shared, {"conf.py": text}), anonymizeSecrets=False)
    done = await ingest(one, project)
    assert (done["secretsTotal"], text_of(owner, project, "conf.py")) == (1, text)


async def test_another_organizations_placeholder_of_the_same_secret_is_another(
    person: Make, shared: Shared, owner: Owner
) -> None:
    repository = served(shared, {"conf.py": f"token = '{_KEY}'\n"})
    left, right = person(), person()
    told = [(await ingest(one, await project_of(one, repository)))["secrets"] for one in (left, right)]
    assert told[0][0]["placeholder"] != told[1][0]["placeholder"]


async def test_who_changed_a_file_last_is_kept_where_the_project_wants_it(
    person: Make, shared: Shared, owner: Owner
) -> None:
    one, repository = person(), served(shared, {"a.py": "a = 1\n", "b.py": "b = 1\n"})
    repository.commit({"a.py": "a = 2\n"}, message="A second thought", by="Ada Lovelace")
    settings = {"metadataOptions": {"gitHistory": True}}
    project = await project_of(one, repository, settings=settings)
    await ingest(one, project)

    def history(path: str) -> dict[str, Any]:
        row = owner.execute(
            "select history from source_files where project_id = %s and live and path = %s", (project["id"], path)
        ).fetchone()
        assert row is not None
        found: dict[str, Any] = row[0]
        return found

    assert (history("a.py")["author"], history("a.py")["subject"]) == ("Ada Lovelace", "A second thought")
    newest = repository.commit({"b.py": "b = 2\n"}, message=f"Rotate {_KEY}", by="Grace Hopper")
    owner.execute("update projects set status = 'error' where id = %s", (project["id"],))
    await ingest(one, project)
    assert (history("b.py")["author"], history("b.py")["commit"]) == ("Grace Hopper", newest)
    assert history("a.py")["author"] == "Ada Lovelace"
    # A commit's subject is redacted as files are.
    assert history("b.py")["subject"].startswith("Rotate [secret:")


async def test_a_push_starts_an_ingestion_and_what_it_brought_serves(
    person: Make, shared: Shared, owner: Owner, api: Any
) -> None:
    one, repository = person(), served(shared, {"a.py": "a = 1\n"})
    settings = {"processingOptions": {"realTimeIncremental": True}}
    project = await project_of(one, repository, settings=settings)
    await ingest(one, project)
    (read,) = (await one.http.get(f"/projects/{project['id']}/repositories")).json()
    hook = await hook_of(one, api, project, read["id"])
    pushed = repository.commit({"a.py": "a = 1\n", "new.py": "def brand_new():\n    return 1\n"})
    answer = await hook.github({"ref": "refs/heads/main", "after": pushed})
    assert (answer.status_code, became(answer)) == (202, (True, "started"))
    newest = (await one.http.get(f"/projects/{project['id']}/ingestions")).json()["data"][0]
    done = await ended(one, project, newest["id"])
    assert (done["status"], done["trigger"], done["commits"][0]["commit"]) == ("completed", "webhook", pushed)
    assert set(files(owner, project)) == {"a.py", "new.py"}


async def test_a_push_during_an_ingestion_is_followed_by_another(
    person: Make, shared: Shared, owner: Owner, api: Any
) -> None:
    one = person()
    repository = shared.repository(
        "acme/slow-" + one.email[:10], {"noise.txt": random.randbytes(40_000).hex(), "a.py": "a = 1\n"}
    )
    settings = {"processingOptions": {"realTimeIncremental": True}}
    project = await project_of(one, repository, settings=settings)
    (read,) = (await one.http.get(f"/projects/{project['id']}/repositories")).json()
    hook = await hook_of(one, api, project, read["id"])
    job = (await one.http.post(f"/projects/{project['id']}/ingest")).json()["jobId"]
    await in_phase(owner, job, "repository_fetch")
    pushed = repository.commit({"b.py": "b = 1\n"})
    assert (await hook.github({"ref": "refs/heads/main", "after": pushed})).json()["reason"] == "started"
    assert (await ended(one, project, job))["trigger"] == "manual"
    newest = (await one.http.get(f"/projects/{project['id']}/ingestions")).json()["data"][0]
    assert newest["trigger"] == "webhook"
    assert (await ended(one, project, newest["id"]))["commits"][0]["commit"] == pushed
    assert set(files(owner, project)) == {"a.py", "b.py", "noise.txt"}


async def test_a_push_that_the_plan_has_nothing_left_for_starts_nothing(
    person: Make, shared: Shared, owner: Owner, api: Any
) -> None:
    one, repository = person(plan="free"), served(shared, {"a.py": "a = 1\n"})
    settings = {"processingOptions": {"realTimeIncremental": True}}
    project = await project_of(one, repository, settings=settings)
    (read,) = (await one.http.get(f"/projects/{project['id']}/repositories")).json()
    hook = await hook_of(one, api, project, read["id"])
    owner.execute(
        "insert into usage_ledger (organization_id, metric, entry, quantity, subject_id) "
        "select %s, 'ingestions', 'reserve', 1, gen_random_uuid() from generate_series(1, 50)",
        (one.organization_id,),
    )
    answer = await hook.github({"ref": "refs/heads/main", "after": repository.head()})
    assert (answer.status_code, became(answer)) == (202, (False, "quota_exceeded"))
    assert (await make_project(one))["status"] == "draft"


def _cut_by(owner: Owner, project: dict[str, Any], url: str) -> None:
    """The project's webhook cuts its files. Set as the owner: the API takes https alone, which nobody here speaks."""
    owner.execute(
        "update projects set chunking_strategy = 'custom', settings = jsonb_build_object('webhookUrl', %s::text) "
        "where id = %s",
        (url, project["id"]),
    )


async def test_a_projects_own_webhook_cuts_its_files(person: Make, shared: Shared, owner: Owner) -> None:
    one = person()
    project = await project_of(one, served(shared, {"a.py": "a = 1\nb = 2\nc = 3\nd = 4\n", "b.md": "# B\n"}))
    _cut_by(owner, project, shared.github_url + "/cutter")
    done = await ingest(one, project)
    assert (done["status"], done["notes"], done["errors"]) == ("completed", [], [])
    cut = owner.execute(
        "select f.path, c.start_line, c.end_line, c.kind, c.content from source_files f join chunks c on "
        "c.file_id = f.id where f.project_id = %s and f.live order by 1, 2",
        (project["id"],),
    ).fetchall()
    assert cut == [
        ("a.py", 1, 2, "half", "a = 1\nb = 2\n"),
        ("a.py", 3, 4, "half", "c = 3\nd = 4\n"),
        ("b.md", 1, 1, "half", "# B\n"),
    ]


async def test_what_the_webhook_does_not_cut_is_read_as_semantic_and_that_is_told(
    person: Make, shared: Shared, owner: Owner
) -> None:
    one = person()
    project = await project_of(one, served(shared, {"a.py": "def f():\n    return 1\n"}))
    _cut_by(owner, project, shared.github_url + "/nobody-cuts-here")
    done = await ingest(one, project)
    assert (done["status"], done["notesTotal"], done["errorsTotal"]) == ("completed", 1, 0)
    assert (done["notes"][0]["path"], "webhook did not cut" in done["notes"][0]["message"]) == ("a.py", True)
    assert text_of(owner, project, "a.py") == "def f():\n    return 1\n"
