"""A project's repositories through the API."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from kijko.models.repositories import FullRepositoryValidation, ProjectRepository, RecentRepo
from tests.conftest import Person, Shared
from tests.projects.making import connect, hire, join, make_project, said

PersonFactory = Callable[..., Person]
Owner = psycopg.Connection[Any]
URL = "https://github.com/kijko/example"


async def add(one: Person, project: dict[str, Any], **fields: object) -> Any:
    body = {"provider": "github", "repositoryUrl": URL, "branch": "main"} | fields
    return await one.http.post(f"/projects/{project['id']}/repositories", json=body)


def owner_name() -> str:
    return f"o{uuid.uuid4().hex[:10]}"


async def test_an_added_repository_is_listed_and_counted(person: PersonFactory) -> None:
    one = person()
    project = await make_project(one)
    answer = await add(one, project, repositoryUrl=URL + ".git/", includePaths=["src/**"], branch="develop")
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert ProjectRepository.model_validate(made).model_dump(mode="json", by_alias=True) == made
    expected = {
        "projectId": project["id"],
        "provider": "github",
        "repositoryUrl": URL,
        "repositoryName": "kijko/example",
        "branch": "develop",
        "status": "pending",
        "lastSyncAt": None,
        "lastCommitHash": None,
        "fileCount": None,
        "includePaths": ["src/**"],
        "excludePaths": None,
    }
    assert {name: made[name] for name in expected} == expected
    assert (await one.http.get(f"/projects/{project['id']}/repositories")).json() == [made]
    full = (await one.http.get(f"/projects/{project['id']}/full")).json()
    assert (full["repositories"], full["totalRepos"]) == ([made], 1)


async def test_a_repository_is_in_a_project_once_whatever_its_spelling(person: PersonFactory, shared: Shared) -> None:
    one = person()
    project, other = await make_project(one), await make_project(one)
    assert (await add(one, project)).status_code == 201
    for again in (URL, URL + ".git", URL + "/", "https://GITHUB.com/Kijko/Example"):
        answer = await add(one, project, repositoryUrl=again)
        assert (*said(answer), answer.json()["field"]) == (409, "REPOSITORY_EXISTS", "repositoryUrl")
    assert (await add(one, other)).status_code == 201
    local = f"{shared.github_url}/team/app"
    assert (await add(one, project, repositoryUrl=local + ".git")).status_code == 201
    assert said(await add(one, project, repositoryUrl=local)) == (409, "REPOSITORY_EXISTS")


async def test_the_branch_is_the_servers_default_where_none_is_named(person: PersonFactory, shared: Shared) -> None:
    one = person()
    project = await make_project(one)
    trunk = shared.repository(f"{owner_name()}/app", {"a.py": "1"})
    trunk.commit({"a.py": "2"}, branch="trunk")
    (trunk.folder / "HEAD").write_text("ref: refs/heads/trunk\n")
    made = await add(one, project, repositoryUrl=trunk.url, branch=None)
    assert made.json()["branch"] == "trunk"
    unreachable = await add(one, project, repositoryUrl=f"{shared.github_url}/no/such", branch=None)
    assert unreachable.json()["branch"] == "HEAD"


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"repositoryUrl": "git@github.com:a/b.git"}, "INVALID_REPOSITORY_URL", "repositoryUrl"),
        ({"repositoryUrl": "https://me:pw@github.com/a/b"}, "INVALID_REPOSITORY_URL", "repositoryUrl"),
        ({"repositoryUrl": "https://10.0.0.1/a/b"}, "INVALID_REPOSITORY_URL", "repositoryUrl"),
        ({"provider": "gitlab"}, "INVALID_REPOSITORY_URL", "repositoryUrl"),
        ({"provider": "svn"}, "VALIDATION_ERROR", "provider"),
        ({"repositoryUrl": ""}, "VALIDATION_ERROR", "repositoryUrl"),
        ({"branch": " "}, "VALIDATION_ERROR", "branch"),
        ({"branch": "a..b"}, "VALIDATION_ERROR", "branch"),
        ({"branch": "two\nlines"}, "VALIDATION_ERROR", "branch"),
        ({"branch": "--upload-pack=x"}, "VALIDATION_ERROR", "branch"),
        ({"branch": "refs/heads/main"}, "VALIDATION_ERROR", "branch"),
        ({"includePaths": "src"}, "VALIDATION_ERROR", "includePaths"),
        ({"excludePaths": [""]}, "VALIDATION_ERROR", "excludePaths.0"),
        ({"includePaths": ["src/**", " "]}, "VALIDATION_ERROR", "includePaths.1"),
    ],
)
async def test_a_bad_repository_is_refused_with_a_sentence(
    person: PersonFactory, fields: dict[str, object], code: str, field: str
) -> None:
    one = person()
    answer = await add(one, await make_project(one), **fields)
    assert (*said(answer), answer.json()["field"]) == (422, code, field)
    assert answer.json()["detail"].endswith(".")


async def test_a_repository_changes_in_what_is_present(person: PersonFactory) -> None:
    one = person()
    project, other = await make_project(one), await make_project(one)
    made = (await add(one, project, excludePaths=["docs/**"])).json()
    path = f"/projects/{project['id']}/repositories/{made['id']}"
    changed = (await one.http.patch(path, json={"branch": "next", "includePaths": ["src/**"]})).json()
    assert changed == made | {"branch": "next", "includePaths": ["src/**"], "updatedAt": changed["updatedAt"]}
    cleared = (await one.http.patch(path, json={"excludePaths": None})).json()
    assert (cleared["excludePaths"], cleared["includePaths"]) == (None, ["src/**"])
    assert said(await one.http.patch(path, json={"branch": None})) == (422, "VALIDATION_ERROR")
    elsewhere = f"/projects/{other['id']}/repositories/{made['id']}"
    assert said(await one.http.patch(elsewhere, json={})) == (404, "REPOSITORY_NOT_FOUND")
    assert said(await one.http.delete(elsewhere)) == (404, "REPOSITORY_NOT_FOUND")


async def test_a_removed_repository_is_gone(person: PersonFactory) -> None:
    one = person()
    project = await make_project(one)
    made = (await add(one, project)).json()
    path = f"/projects/{project['id']}/repositories/{made['id']}"
    assert (await one.http.delete(path)).json() == {"success": True}
    assert said(await one.http.delete(path)) == (404, "REPOSITORY_NOT_FOUND")
    assert said(await one.http.patch(path, json={})) == (404, "REPOSITORY_NOT_FOUND")
    assert (await one.http.get(f"/projects/{project['id']}")).json()["totalRepos"] == 0


async def test_the_same_key_adds_one_repository(person: PersonFactory) -> None:
    one = person()
    project = await make_project(one)
    body, key = {"provider": "github", "repositoryUrl": URL, "branch": "main"}, {"Idempotency-Key": "once"}
    path = f"/projects/{project['id']}/repositories"
    first, again = [await one.http.post(path, json=body, headers=key) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()


async def test_a_strangers_request_asks_no_server(person: PersonFactory, shared: Shared) -> None:
    project = await make_project(person())
    answer = await add(person(), project, repositoryUrl=f"{shared.github_url}/no/such", branch=None)
    assert said(answer) == (404, "PROJECT_NOT_FOUND")


async def test_a_repository_can_be_tried(person: PersonFactory, shared: Shared) -> None:
    one = person()
    name = f"{owner_name()}/app"
    made = shared.repository(name, {"a.py": "1"})

    async def tried(**body: object) -> dict[str, Any]:
        answer = await one.http.post("/projects/validate-repository", json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    fine = {"valid": True, "error": None, "provider": "github", "repoName": name}
    assert await tried(url=made.url) == fine
    assert await tried(url=made.url, branch="main") == fine
    assert await tried(url=made.url, branch="gone") == fine | {
        "valid": False,
        "error": "The repository has no branch called gone.",
    }
    absent = await tried(url=f"{shared.github_url}/{name}-not")
    assert (absent["valid"], absent["error"].endswith(".")) == (False, True)
    for bad in ("git@github.com:a/b", "https://10.0.0.1/a/b", "https://localhost/a/b", "", "nonsense"):
        refused = await tried(url=bad)
        assert (refused["valid"], refused["provider"], refused["error"].endswith(".")) == (False, None, True)


async def test_a_private_repository_is_read_with_the_account_that_is_connected(
    person: PersonFactory, shared: Shared
) -> None:
    one, other = person(), person()
    login = owner_name()
    made = shared.repository(f"{login}/private-app", {"a.py": "1"})

    async def valid(who: Person, path: str) -> Any:
        return (await who.http.post(path, json={"url": made.url})).json()["valid"]

    paths = ("/projects/validate-repository", "/repositories/validate-full")
    assert [await valid(one, path) for path in paths] == [False, False]
    await connect(one, "github", login)
    assert [await valid(one, path) for path in paths] == [True, True]
    assert [await valid(other, path) for path in paths] == [False, False]


@pytest.mark.parametrize(
    ("at", "language", "commits", "lines"), [("github", "Python", 41, 120), ("gitlab", "Go", 3, 180)]
)
async def test_a_forge_tells_what_a_repository_is(
    person: PersonFactory, shared: Shared, at: str, language: str, commits: int, lines: int
) -> None:
    name = f"{owner_name()}/app"
    made = shared.repository(name, {"a.py": "1", "src/b.py": "2"}, at=at)
    told = (await person().http.post("/repositories/validate-full", json={"url": made.url})).json()
    assert FullRepositoryValidation.model_validate(told).model_dump(mode="json", by_alias=True) == told
    expected = {
        "name": "app",
        "fullName": name,
        "provider": at,
        "defaultBranch": "main",
        "commitsPerMonth": commits,
        "fileCount": 2,
        "locEstimate": lines,
        "primaryLanguage": language,
        "lastUpdated": "2026-01-31T09:30:00Z",
        "isPrivate": False,
    }
    assert told["valid"] is True
    assert {key: told["info"][key] for key in expected} == expected


async def test_git_tells_what_it_knows_where_the_api_does_not_answer(person: PersonFactory, shared: Shared) -> None:
    name = f"{owner_name()}/limited"
    made = shared.repository(name, {"a.rs": "1", "b.rs": "2", "c.py": "3", "README": "4"})
    made.commit({"a.rs": "5"})
    told = (await person().http.post("/repositories/validate-full", json={"url": made.url})).json()
    assert told["valid"] is True
    info = told["info"]
    assert datetime.now(UTC) - datetime.fromisoformat(info.pop("lastUpdated")) < timedelta(minutes=5)
    assert info == {
        "name": "limited",
        "fullName": name,
        "provider": "github",
        "url": made.url,
        "defaultBranch": "main",
        "commitsPerMonth": 2,
        "fileCount": 4,
        "locEstimate": 270,
        "primaryLanguage": "Rust",
        "isPrivate": False,
        "stars": None,
        "description": None,
    }


async def test_private_is_what_nobody_reads_without_an_account(person: PersonFactory, shared: Shared) -> None:
    one, login = person(), owner_name()
    await connect(one, "github", login)
    for name, private in (("private-limited", True), ("limited", False)):
        made = shared.repository(f"{login}/{name}", {"a.py": "1"})
        told = (await one.http.post("/repositories/validate-full", json={"url": made.url})).json()
        assert told["info"]["isPrivate"] is private


async def test_an_empty_repository_is_valid_and_an_absent_one_is_not(person: PersonFactory, shared: Shared) -> None:
    one = person()
    empty = shared.repository(f"{owner_name()}/limited", {})
    for url, valid in (
        (empty.url, True),
        (empty.url.replace("limited", "absent"), False),
        ("ftp://github.com/a/b", False),
    ):
        told = (await one.http.post("/repositories/validate-full", json={"url": url})).json()
        assert told["valid"] is valid
        assert (told["info"] is not None, told["error"] is None) == (valid, valid)


async def test_recent_repositories_are_ones_own_uses(person: PersonFactory, owner: Owner, shared: Shared) -> None:
    boss = person()
    hired = hire(owner, shared, boss, person())
    first, second = await make_project(boss), await make_project(boss)
    await add(boss, first)
    await add(boss, first, repositoryUrl="https://gitlab.com/g/s/p", provider="gitlab")
    await add(boss, second)
    for who in (boss, hired):
        owner.execute(
            "insert into ingestions (organization_id, project_id, user_id, status, completed_at) "
            "values (%s, %s, %s, 'completed', now())",
            (boss.organization_id, second["id"], who.id),
        )
    path = f"/users/{boss.id}/recent-repos"
    found = (await boss.http.get(path)).json()
    assert [RecentRepo.model_validate(one).model_dump(mode="json", by_alias=True) for one in found] == found
    assert [(one["repoUrl"], one["repoName"], one["usageCount"], one["provider"]) for one in found] == [
        (URL, "kijko/example", 3, "github"),
        ("https://gitlab.com/g/s/p", "g/s/p", 1, "gitlab"),
    ]
    assert (await hired.http.get(f"/users/{hired.id}/recent-repos")).json() == []  # the project is not theirs to see
    join(owner, second, hired, "viewer")
    assert [one["usageCount"] for one in (await hired.http.get(f"/users/{hired.id}/recent-repos")).json()] == [1]
    for unknown in (path, f"/users/{uuid.uuid4()}/recent-repos", "/users/me/recent-repos"):
        assert said(await hired.http.get(unknown)) == (404, "USER_NOT_FOUND")
