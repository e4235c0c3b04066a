"""Projects through the API."""

import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from kijko.models.projects import (
    CreateProjectResponse,
    ProjectDetails,
    ProjectPage,
    ProjectStats,
    ProjectWithRelations,
)
from tests.conftest import Person, Shared
from tests.projects.making import hire, join, make_project, said

PersonFactory = Callable[..., Person]
Owner = psycopg.Connection[Any]
BODY: dict[str, object] = {"name": "A project", "type": "repository"}


def aliases(model: Any) -> set[str]:
    return {field.alias for field in model.model_fields.values()}


async def test_a_new_project_has_the_contracts_defaults_and_reads_back_the_same(person: PersonFactory) -> None:
    one = person()
    answer = await one.http.post("/projects", json={"name": "  Payments ", "type": "repository"})
    assert answer.status_code == 201
    made = answer.json()
    assert CreateProjectResponse.model_validate(made).model_dump(mode="json", by_alias=True) == made
    assert made["nextSteps"] == ["source_config", "team_setup", "settings", "review"]
    project = made["project"]
    assert project == (await one.http.get(f"/projects/{project['id']}")).json()
    assert set(project) == aliases(ProjectDetails)
    expected = {
        "userId": str(one.id),
        "organizationId": str(one.organization_id),
        "name": "Payments",
        "description": None,
        "type": "repository",
        "status": "draft",
        "privacy": "private",
        "chunkingStrategy": "semantic",
        "includeMetadata": True,
        "anonymizeSecrets": True,
        "totalRepos": 0,
        "totalFiles": 0,
        "originalTokens": None,
        "optimizedTokens": None,
        "ingestionTimeSeconds": None,
    }
    assert {name: project[name] for name in expected} == expected
    assert project["createdAt"].endswith("Z")


async def test_settings_are_read_back_as_they_hold(person: PersonFactory) -> None:
    one = person()
    given = {
        "metadataOptions": {"gitHistory": True},
        "outputFormat": "markdown",
        "patternFilters": {"excludePatterns": ["**/fixtures/**"]},
        "processingOptions": {"realTimeIncremental": True},
    }
    made = await make_project(one, settings=given, anonymizeSecrets=False)
    path = f"/projects/{made['id']}"
    holds = {
        "webhookUrl": None,
        "metadataOptions": {
            "functionSignatures": True,
            "importDependencies": True,
            "gitHistory": True,
            "fileStructure": True,
            "customAnnotations": False,
        },
        "outputFormat": "markdown",
        "embeddingModel": None,
        "patternFilters": {"languagePatterns": [], "excludePatterns": ["**/fixtures/**"]},
        "processingOptions": {"anonymizeSecrets": False, "parallelProcessing": True, "realTimeIncremental": True},
    }
    assert made["settings"] == holds
    assert (await one.http.get(path)).json()["settings"] == holds
    assert (await one.http.get(f"{path}/full")).json()["settings"] == holds
    # What was read may be sent again as it is.
    again = await one.http.put(path, json={"settings": holds | {"outputFormat": "json"}})
    assert (again.status_code, again.json()["settings"]) == (200, holds | {"outputFormat": "json"})
    whole = (await one.http.get(path)).json()
    returned = await one.http.put(path, json=whole)
    assert returned.status_code == 200, returned.text
    assert returned.json() == whole | {"updatedAt": returned.json()["updatedAt"]}
    bare = (await make_project(one))["settings"]
    assert bare["processingOptions"] == {
        "anonymizeSecrets": True,
        "parallelProcessing": True,
        "realTimeIncremental": False,
    }
    assert (bare["outputFormat"], bare["metadataOptions"]["gitHistory"]) == ("json", False)


async def test_only_who_may_change_settings_sees_the_address_that_cuts_the_files(
    person: PersonFactory, owner: Owner, shared: Shared
) -> None:
    boss = person(plan="teams")
    address = "https://chunks.example.com/cut?key=not-for-everybody"
    project = await make_project(boss, chunkingStrategy="custom", settings={"webhookUrl": address})
    path = f"/projects/{project['id']}"
    for role, seen in (("viewer", None), ("developer", None), ("manager", address)):
        colleague = hire(owner, shared, boss, person())
        join(owner, project, colleague, role)
        for each in (path, f"{path}/full"):
            assert (await colleague.http.get(each)).json()["settings"]["webhookUrl"] == seen
    assert (await boss.http.get(path)).json()["settings"]["webhookUrl"] == address


@pytest.mark.parametrize(
    ("fields", "steps"),
    [
        ({"type": "manual"}, ["team_setup", "settings", "review"]),
        ({"type": "files", "settings": {}}, ["source_config", "team_setup", "review"]),
    ],
)
async def test_what_comes_next_is_what_is_left_to_do(person: PersonFactory, fields: Any, steps: list[str]) -> None:
    answer = await person().http.post("/projects", json=BODY | fields)
    assert answer.json()["nextSteps"] == steps


async def test_whoever_makes_a_project_is_its_first_admin(person: PersonFactory) -> None:
    one = person()
    project = await make_project(one)
    full = (await one.http.get(f"/projects/{project['id']}/full")).json()
    assert set(full) == aliases(ProjectWithRelations)
    assert ProjectWithRelations.model_validate(full).model_dump(mode="json", by_alias=True) == full
    (member,) = full["members"]
    assert (member["userId"], member["email"], member["role"]) == (str(one.id), one.email, "admin")
    assert member["acceptedAt"]
    assert member["name"] == "Test Person"
    assert (full["repositories"], full["currentIngestion"]) == ([], None)


async def test_an_ingestion_that_runs_is_told_and_one_that_ended_is_not(person: PersonFactory, owner: Owner) -> None:
    one = person()
    project = await make_project(one)
    made = owner.execute(
        "insert into ingestions (organization_id, project_id, user_id, progress, message, metrics) "
        "values (%s, %s, %s, 12.5, 'Reading', '{\"filesProcessed\": 3}') returning id",
        (one.organization_id, project["id"], one.id),
    ).fetchone()
    assert made is not None
    full = (await one.http.get(f"/projects/{project['id']}/full")).json()
    assert ProjectWithRelations.model_validate(full).model_dump(mode="json", by_alias=True) == full
    running = full["currentIngestion"]
    assert (running["id"], running["progressPercent"], running["phase"]) == (str(made[0]), 12.5, "repository_fetch")
    assert running["metrics"]["filesProcessed"] == 3
    assert running["metrics"]["chunksCreated"] == 0
    owner.execute("update ingestions set status = 'failed', completed_at = now() where id = %s", (made[0],))
    assert (await one.http.get(f"/projects/{project['id']}/full")).json()["currentIngestion"] is None


async def test_names_are_unique_in_an_organization_ignoring_case(person: PersonFactory) -> None:
    one, other = person(), person()
    await make_project(one, name="Same Name")
    again = await one.http.post("/projects", json={"name": "same NAME", "type": "manual"})
    assert (*said(again), again.json()["field"]) == (409, "PROJECT_NAME_EXISTS", "name")
    await make_project(other, name="same name")
    second = await make_project(one, name="Another")
    for call in (one.http.put, one.http.patch):
        renamed = await call(f"/projects/{second['id']}", json={"name": "SAME name"})
        assert said(renamed) == (409, "PROJECT_NAME_EXISTS")
    kept = await one.http.patch(f"/projects/{second['id']}", json={"name": "ANOTHER"})
    assert kept.json()["name"] == "ANOTHER"


async def test_names_that_look_the_same_are_the_same(person: PersonFactory) -> None:
    one = person()
    made = await make_project(one, name="Cafe\u0301 👩‍💻")
    assert made["name"] == "Café 👩‍💻"
    again = await one.http.post("/projects", json={"name": "CAFÉ 👩‍💻", "type": "manual"})
    assert said(again) == (409, "PROJECT_NAME_EXISTS")
    tried = await one.http.post("/projects/validate-name", json={"name": "cafe\u0301 👩‍💻"})
    assert tried.json()["valid"] is False
    # Two characters to the eye, three to the machine.
    assert said(await one.http.post("/projects", json={"name": "e\u0301a", "type": "manual"})) == (
        422,
        "VALIDATION_ERROR",
    )
    assert (await one.http.post("/projects/validate-name", json={"name": "a\nbc"})).json()["valid"] is False
    found = await one.http.get("/projects", params={"search": "fe\u0301"})
    assert [each["id"] for each in found.json()["data"]] == [made["id"]]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"type": "manual"}, "name"),
        ({"name": "A project"}, "type"),
        (BODY | {"name": " ab "}, "name"),
        (BODY | {"name": "x" * 51}, "name"),
        (BODY | {"name": "a\u0000bc"}, "name"),
        (BODY | {"name": "two\nlines"}, "name"),
        (BODY | {"name": "bell\u0007"}, "name"),
        (BODY | {"name": "gnp.\u202eexe"}, "name"),
        (BODY | {"name": "\u200b\u200b\u200b"}, "name"),
        (BODY | {"type": "svn"}, "type"),
        (BODY | {"privacy": "public"}, "privacy"),
        (BODY | {"includeMetadata": "yes"}, "includeMetadata"),
        (BODY | {"organizationId": "mine"}, "organizationId"),
        (BODY | {"settings": []}, "settings"),
        (BODY | {"settings": {"outputFormat": "xml"}}, "settings.outputFormat"),
        (BODY | {"settings": {"metadataOptions": {"gitHistory": 1}}}, "settings.metadataOptions.gitHistory"),
        (BODY | {"settings": {"embeddingModel": "small"}}, "settings.embeddingModel"),
        (BODY | {"settings": {"embeddingModel": " ", "outputFormat": "vector"}}, "settings.embeddingModel"),
        (
            BODY | {"settings": {"patternFilters": {"excludePatterns": [" "]}}},
            "settings.patternFilters.excludePatterns.0",
        ),
        (
            BODY | {"settings": {"embeddingModel": "small", "outputFormat": "json"}},
            "settings.embeddingModel",
        ),
        (BODY | {"chunkingStrategy": "custom"}, "settings.webhookUrl"),
        (BODY | {"settings": {"webhookUrl": "http://chunks.example.com/"}}, "settings.webhookUrl"),
        (BODY | {"settings": {"webhookUrl": "https://me:pw@chunks.example.com/"}}, "settings.webhookUrl"),
        (BODY | {"settings": {"webhookUrl": "https:///cut"}}, "settings.webhookUrl"),
        (BODY | {"settings": {"webhookUrl": "https://a b/"}}, "settings.webhookUrl"),
        (BODY | {"settings": {"webhookUrl": "https://0x7f.1/"}}, "settings.webhookUrl"),
        (BODY | {"settings": {"webhookUrl": "https://[::1"}}, "settings.webhookUrl"),
        (BODY | {"settings": {"webhookUrl": "https://[::1]/"}}, "settings.webhookUrl"),
        (BODY | {"settings": {"webhookUrl": "https://10.0.0.5/cut"}}, "settings.webhookUrl"),
        (BODY | {"settings": {"webhookUrl": "https://169.254.169.254/"}}, "settings.webhookUrl"),
    ],
)
async def test_a_bad_field_is_named(person: PersonFactory, body: dict[str, object], field: str) -> None:
    answer = await person().http.post("/projects", json=body)
    assert (*said(answer), answer.json()["field"]) == (422, "VALIDATION_ERROR", field)


async def test_a_chunker_that_the_operator_allows_can_be_named(person: PersonFactory, shared: Shared) -> None:
    one = person()
    project = await make_project(one, settings={"webhookUrl": f"{shared.github_url}/cut"})
    changed = await one.http.patch(
        f"/projects/{project['id']}", json={"settings": {"webhookUrl": f"{shared.gitlab_url}/cut"}}
    )
    assert changed.status_code == 200, changed.text


async def test_a_change_changes_what_is_present_and_nothing_else(person: PersonFactory) -> None:
    one = person()
    project = await make_project(one, description="Old", privacy="shared")
    for call in (one.http.put, one.http.patch):
        answer = await call(f"/projects/{project['id']}", json={"description": "New"})
        assert answer.status_code == 200, answer.text
        changed = answer.json()
        assert changed["updatedAt"] > project["updatedAt"]
        assert changed | {"updatedAt": ""} == project | {"description": "New", "updatedAt": ""}
    cleared = await one.http.patch(
        f"/projects/{project['id']}", json={"description": None, "chunkingStrategy": "fixed"}
    )
    assert (cleared.json()["description"], cleared.json()["chunkingStrategy"]) == (None, "fixed")
    refused = await one.http.patch(f"/projects/{project['id']}", json={"name": None})
    assert (*said(refused), refused.json()["field"]) == (422, "VALIDATION_ERROR", "name")


async def test_settings_are_merged_field_by_field_and_null_takes_one_away(person: PersonFactory, owner: Owner) -> None:
    one = person()
    project = await make_project(
        one,
        settings={"outputFormat": "vector", "embeddingModel": "small", "metadataOptions": {"gitHistory": True}},
    )

    async def change(**body: object) -> Any:
        answer = await one.http.patch(f"/projects/{project['id']}", json=body)
        row = owner.execute("select settings from projects where id = %s", (project["id"],)).fetchone()
        assert row is not None
        return row[0] if answer.status_code == 200 else answer.json()["field"]

    assert await change(settings={"metadataOptions": {"fileStructure": False}}) == {
        "outputFormat": "vector",
        "embeddingModel": "small",
        "metadataOptions": {"gitHistory": True, "fileStructure": False},
    }
    assert await change(settings={"outputFormat": "json"}) == "settings.embeddingModel"
    assert await change(settings={"outputFormat": None, "embeddingModel": None}) == {
        "metadataOptions": {"gitHistory": True, "fileStructure": False}
    }
    assert await change(chunkingStrategy="custom") == "settings.webhookUrl"
    assert await change(settings=None) == {}
    url = "https://chunks.example.com/cut"
    assert await change(chunkingStrategy="custom", settings={"webhookUrl": url}) == {"webhookUrl": url}
    assert await change(settings={"webhookUrl": None}) == "settings.webhookUrl"


async def test_both_names_of_anonymizing_secrets_say_the_same(person: PersonFactory, owner: Owner) -> None:
    one = person()

    def kept(project: dict[str, Any]) -> Any:
        row = owner.execute("select settings from projects where id = %s", (project["id"],)).fetchone()
        assert row is not None
        return row[0]["processingOptions"]["anonymizeSecrets"]

    options = {"settings": {"processingOptions": {"anonymizeSecrets": False}}}
    project = await make_project(one, **options)
    assert project["anonymizeSecrets"] is kept(project) is False
    wins = await make_project(one, anonymizeSecrets=True, **options)
    assert wins["anonymizeSecrets"] is kept(wins) is True
    changed = (await one.http.patch(f"/projects/{wins['id']}", json=options)).json()
    assert changed["anonymizeSecrets"] is kept(wins) is False
    back = (await one.http.patch(f"/projects/{wins['id']}", json={"anonymizeSecrets": True})).json()
    assert back["anonymizeSecrets"] is kept(wins) is True


async def test_a_project_is_made_in_another_organization_of_the_callers(
    person: PersonFactory, owner: Owner, shared: Shared
) -> None:
    boss, worker, stranger = person(), person(), person()
    own = worker.organization_id
    hired = hire(owner, shared, boss, worker)
    made = await make_project(hired, organizationId=str(own))
    assert made["organizationId"] == str(own)
    assert (await make_project(hired, organizationId=str(boss.organization_id)))["organizationId"] == str(
        boss.organization_id
    )
    for unknown in (stranger.organization_id, uuid.uuid4()):
        refused = await hired.http.post("/projects", json=BODY | {"organizationId": str(unknown)})
        assert said(refused) == (404, "ORGANIZATION_NOT_FOUND")


async def test_the_same_key_makes_one_project_in_another_organization_too(
    person: PersonFactory, owner: Owner, shared: Shared
) -> None:
    boss, worker = person(), person()
    own = worker.organization_id
    hired = hire(owner, shared, boss, worker)
    body, key = BODY | {"organizationId": str(own)}, {"Idempotency-Key": uuid.uuid4().hex}
    first = await hired.http.post("/projects", json=body, headers=key)
    again = await hired.http.post("/projects", json=body, headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"


async def test_a_deleted_project_is_gone_with_what_hung_on_it(person: PersonFactory, owner: Owner) -> None:
    one = person()
    project = await make_project(one)
    owner.execute(
        "insert into project_repositories (organization_id, project_id, provider, repository_url, repository_name) "
        "values (%s, %s, 'github', 'https://github.com/a/b', 'a/b')",
        (one.organization_id, project["id"]),
    )
    assert (await one.http.get(f"/projects/{project['id']}")).json()["totalRepos"] == 1
    answer = await one.http.delete(f"/projects/{project['id']}")
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert said(await one.http.get(f"/projects/{project['id']}")) == (404, "PROJECT_NOT_FOUND")
    assert said(await one.http.delete(f"/projects/{project['id']}")) == (404, "PROJECT_NOT_FOUND")
    for table in ("project_members", "project_repositories"):
        row = owner.execute(f"select count(*) from {table} where project_id = %s", (project["id"],)).fetchone()
        assert row == (0,)


async def test_the_list_is_filtered_searched_sorted_and_paged(person: PersonFactory, owner: Owner) -> None:
    one = person()
    for name, kind in (("beta_1", "manual"), ("Alpha", "files"), ("gamma", "manual")):
        await make_project(one, name=name, type=kind)
    owner.execute("update projects set status = 'active' where name = 'gamma' and user_id = %s", (one.id,))

    async def names(**query: object) -> list[str]:
        answer = await one.http.get("/projects", params=query)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert ProjectPage.model_validate(page).model_dump(mode="json", by_alias=True) == page
        return [project["name"] for project in page["data"]]

    assert await names() == ["gamma", "Alpha", "beta_1"]
    assert await names(sort="updatedAt") == ["beta_1", "Alpha", "gamma"]
    assert await names(sort="createdAt") == ["beta_1", "Alpha", "gamma"]
    assert await names(sort="-createdAt") == ["gamma", "Alpha", "beta_1"]
    assert await names(sort="name") == ["Alpha", "beta_1", "gamma"]
    assert await names(sort="-name") == ["gamma", "beta_1", "Alpha"]
    assert await names(type="manual", sort="name") == ["beta_1", "gamma"]
    assert await names(status="active") == ["gamma"]
    assert await names(search="LPH") == ["Alpha"]
    assert await names(search="a", sort="name") == ["Alpha", "beta_1", "gamma"]
    assert await names(search="a", sort="-name") == ["gamma", "beta_1", "Alpha"]
    assert await names(search="a") == ["gamma", "Alpha", "beta_1"]
    assert await names(search="a", sort="updatedAt") == ["beta_1", "Alpha", "gamma"]
    assert await names(search="a", sort="createdAt") == ["beta_1", "Alpha", "gamma"]
    assert await names(search="a", sort="-createdAt") == ["gamma", "Alpha", "beta_1"]
    assert await names(search="a", type="manual", sort="name") == ["beta_1", "gamma"]
    assert await names(search="a", status="active") == ["gamma"]
    assert await names(search="a", page=2, pageSize=2, sort="name") == ["gamma"]
    assert await names(search="_") == ["beta_1"]
    assert await names(search="%") == []
    assert await names(search="\\") == []
    assert await names(search="") == ["gamma", "Alpha", "beta_1"]
    second = (await one.http.get("/projects", params={"page": 2, "pageSize": 2, "sort": "name"})).json()
    assert [project["name"] for project in second["data"]] == ["gamma"]
    assert [second[name] for name in ("total", "page", "pageSize", "hasMore")] == [3, 2, 2, False]
    first = (await one.http.get("/projects", params={"pageSize": 2})).json()
    assert (len(first["data"]), first["total"], first["hasMore"]) == (2, 3, True)
    beyond = (await one.http.get("/projects", params={"page": 9})).json()
    assert (beyond["data"], beyond["total"], beyond["hasMore"]) == ([], 3, False)


@pytest.mark.parametrize(
    "query", [{"page": 0}, {"pageSize": 101}, {"status": "x"}, {"type": "x"}, {"sort": "size"}, {"search": "x" * 201}]
)
async def test_a_bad_query_is_a_422_that_names_it(person: PersonFactory, query: dict[str, object]) -> None:
    answer = await person().http.get("/projects", params=query)
    assert (answer.status_code, answer.json()["field"]) == (422, next(iter(query)))


async def test_stats_count_what_the_caller_may_read(person: PersonFactory, owner: Owner, shared: Shared) -> None:
    boss = person()
    hired = hire(owner, shared, boss, person())
    projects = [await make_project(boss, privacy=privacy) for privacy in ("private", "shared", "shared", "shared")]
    for project, state in zip(projects, ("active", "active", "processing", "error"), strict=True):
        owner.execute(
            "update projects set status = %s, total_files = 10, optimized_tokens = 100 where id = %s",
            (state, project["id"]),
        )
    counted = [(await one.http.get("/projects/stats")).json() for one in (boss, hired, person())]
    assert [ProjectStats.model_validate(one).model_dump(by_alias=True) for one in counted] == counted
    assert [list(one.values()) for one in counted] == [[4, 2, 1, 1, 400, 40], [3, 1, 1, 1, 300, 30], [0] * 6]


async def test_a_private_project_is_its_members_and_the_organizations_managers(
    person: PersonFactory, owner: Owner, shared: Shared
) -> None:
    boss = person()
    maker, other, member, invited = (hire(owner, shared, boss, person()) for _ in range(4))
    admin = hire(owner, shared, boss, person(), "admin")
    private = await make_project(maker, name="Private one")
    open_to_all = await make_project(maker, name="Shared one", privacy="shared")
    join(owner, private, member, "viewer")
    join(owner, private, invited, "admin", accepted=False)
    for one, sees in ((boss, 2), (admin, 2), (maker, 2), (member, 2), (other, 1), (invited, 1), (person(), 0)):
        for query in ({}, {"search": "ONE"}):
            assert (await one.http.get("/projects", params=query)).json()["total"] == sees
        for path in ("", "/full"):
            found = await one.http.get(f"/projects/{private['id']}{path}")
            assert found.status_code == (200 if sees == 2 else 404)
            assert (await one.http.get(f"/projects/{open_to_all['id']}{path}")).status_code == (200 if sees else 404)


async def test_a_maker_who_is_no_member_any_more_sees_nothing(
    person: PersonFactory, owner: Owner, shared: Shared
) -> None:
    boss = person()
    maker = hire(owner, shared, boss, person())
    project = await make_project(maker)
    owner.execute("delete from project_members where project_id = %s", (project["id"],))
    assert said(await maker.http.get(f"/projects/{project['id']}")) == (404, "PROJECT_NOT_FOUND")
    assert said(await maker.http.delete(f"/projects/{project['id']}")) == (404, "PROJECT_NOT_FOUND")


async def test_a_name_can_be_tried(person: PersonFactory, owner: Owner, shared: Shared) -> None:
    boss = person()
    hired = hire(owner, shared, boss, person())
    project = await make_project(boss, name="Taken name")

    async def tried(one: Person, **body: object) -> dict[str, Any]:
        answer = await one.http.post("/projects/validate-name", json=body)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    assert await tried(boss, name="Free name") == {"valid": True, "error": None}
    assert await tried(boss, name=" taken NAME ", excludeId=project["id"]) == {"valid": True, "error": None}
    for one in (boss, hired):  # one of them does not see the project
        refused = await tried(one, name=" taken NAME ")
        assert (refused["valid"], refused["error"].startswith("Your organization already has")) == (False, True)
    assert (await tried(boss, name=" ab "))["error"] == "The name must have at least 3 characters."
    assert (await tried(boss, name="x" * 51))["error"] == "The name must have at most 50 characters."
    assert (await tried(person(), name="Taken name"))["valid"] is True
