"""Every role × everything it may or may not, through the API. docs/roles.md is this table for people."""

import re
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import Person, Shared
from tests.projects.making import hire, join, make_project

PersonFactory = Callable[..., Person]
Owner = psycopg.Connection[Any]
Call = Callable[[Person, dict[str, Any]], Awaitable[Any]]
ROLES = (
    "owner",
    "admin of the organization",
    "admin",
    "manager",
    "developer",
    "viewer",
    "auditor",
    "member",
    "stranger",
)


async def _add(one: Person, project: dict[str, Any]) -> Any:
    url = f"https://github.com/a/r{uuid.uuid4().hex}"
    body = {"provider": "github", "repositoryUrl": url, "branch": "main"}
    return await one.http.post(f"/projects/{project['id']}/repositories", json=body)


def _repository(project: dict[str, Any]) -> str:
    return f"/projects/{project['id']}/repositories/{project['repository']}"


def _member(project: dict[str, Any]) -> str:
    return f"/projects/{project['id']}/members/{project['member']}"


def _invitation(project: dict[str, Any]) -> str:
    return f"/projects/{project['id']}/invitations/{project['member']}"


async def _invite(one: Person, project: dict[str, Any], role: str) -> Any:
    body = {"email": f"{uuid.uuid4().hex}@people.test", "role": role}
    return await one.http.post(f"/projects/{project['id']}/members", json=body)


async def _invite_many(one: Person, project: dict[str, Any], role: str) -> Any:
    invitations = [{"email": f"{uuid.uuid4().hex}@people.test", "role": role, "notificationLevel": "daily"}]
    return await one.http.post(f"/projects/{project['id']}/invitations", json={"invitations": invitations})


def _waiting(owner: Owner, project: dict[str, Any]) -> str:
    """Somebody who was invited as a viewer."""
    row = owner.execute(
        "insert into project_members (organization_id, project_id, email, role) values (%s, %s, %s, 'viewer') "
        "returning id",
        (project["organizationId"], project["id"], f"{uuid.uuid4().hex}@people.test"),
    ).fetchone()
    assert row is not None
    return str(row[0])


CALLS: dict[str, tuple[str, Call]] = {
    "read a project": ("read", lambda one, project: one.http.get(f"/projects/{project['id']}")),
    "read it with all": ("read", lambda one, project: one.http.get(f"/projects/{project['id']}/full")),
    "list its repositories": ("read", lambda one, project: one.http.get(f"/projects/{project['id']}/repositories")),
    "add a repository": ("source", _add),
    "change a repository": ("source", lambda one, project: one.http.patch(_repository(project), json={"branch": "x"})),
    "remove a repository": ("source", lambda one, project: one.http.delete(_repository(project))),
    "rename it": (
        "edit",
        lambda one, project: one.http.put(f"/projects/{project['id']}", json={"name": uuid.uuid4().hex}),
    ),
    "share it": (
        "edit",
        lambda one, project: one.http.patch(f"/projects/{project['id']}", json={"privacy": project["privacy"]}),
    ),
    "change its settings": (
        "edit",
        lambda one, project: one.http.patch(f"/projects/{project['id']}", json={"settings": {"outputFormat": "json"}}),
    ),
    "list its members": ("read", lambda one, project: one.http.get(f"/projects/{project['id']}/members")),
    "list its open invitations": (
        "read",
        lambda one, project: one.http.get(f"/projects/{project['id']}/invitations/pending"),
    ),
    "invite a viewer": ("invite", lambda one, project: _invite(one, project, "viewer")),
    "invite an admin": ("name_admin", lambda one, project: _invite(one, project, "admin")),
    "invite several": ("invite", lambda one, project: _invite_many(one, project, "manager")),
    "invite several admins": ("name_admin", lambda one, project: _invite_many(one, project, "admin")),
    "change a member": ("invite", lambda one, project: one.http.patch(_member(project), json={"role": "auditor"})),
    "make an admin": ("name_admin", lambda one, project: one.http.put(_member(project), json={"role": "admin"})),
    "remove a member": ("invite", lambda one, project: one.http.delete(_member(project))),
    "send an invitation again": ("invite", lambda one, project: one.http.post(_invitation(project) + "/resend")),
    "take an invitation back": ("invite", lambda one, project: one.http.delete(_invitation(project))),
    "delete it": ("delete", lambda one, project: one.http.delete(f"/projects/{project['id']}")),
}
ALL = {"read", "audit", "source", "edit", "invite", "name_admin", "delete"}
MATRIX: dict[str, set[str]] = {
    "owner": ALL,
    "admin of the organization": ALL,
    "admin": ALL,
    "manager": ALL - {"name_admin", "delete"},
    "developer": {"read", "source"},
    "viewer": {"read"},
    "auditor": {"read", "audit"},
}


@pytest.fixture
def cast(person: PersonFactory, owner: Owner, shared: Shared) -> Callable[[str, Person, dict[str, Any]], Person]:
    """Somebody of a role in a project; the project's organization is the first person's."""

    def make(role: str, boss: Person, project: dict[str, Any]) -> Person:
        match role:
            case "owner":
                return boss
            case "stranger":
                return person()
            case "admin of the organization":
                return hire(owner, shared, boss, person(), "admin")
            case _:
                hired = hire(owner, shared, boss, person())
                if role != "member":
                    join(owner, project, hired, role)
                return hired

    return make


@pytest.mark.parametrize("privacy", ["private", "shared"])
@pytest.mark.parametrize("role", ROLES)
async def test_a_role_may_what_the_matrix_says(
    person: PersonFactory, owner: Owner, cast: Callable[..., Person], role: str, privacy: str
) -> None:
    boss = person(plan="enterprise")
    allowed = MATRIX.get(role, set()) | ({"read"} if privacy == "shared" and role != "stranger" else set())
    for what, (action, call) in CALLS.items():
        project = await make_project(boss, privacy=privacy)
        project["repository"] = (await _add(boss, project)).json()["id"]
        project["member"] = _waiting(owner, project)
        answer = await call(cast(role, boss, project), project)
        if action in allowed:
            assert answer.status_code in (200, 201), f"{role} {what}: {answer.text}"
        elif "read" in allowed:
            assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN"), f"{role} {what}"
        else:
            assert (answer.status_code, answer.json()["code"]) == (404, "PROJECT_NOT_FOUND"), f"{role} {what}"


def test_the_matrix_in_the_database_is_this_one(owner: Owner) -> None:
    for role in ("admin", "manager", "developer", "viewer", "auditor", "nobody"):
        row = owner.execute("select kijko.project_actions(%s)", (role,)).fetchone()
        assert row is not None
        assert set(row[0]) == MATRIX.get(role, set()), role


def test_the_matrix_for_people_is_this_one() -> None:
    page = (Path(__file__).parents[2] / "docs" / "roles.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\|(.*)\|$", page, re.MULTILINE)
    assert {name for name, _ in rows} == ALL
    for name, cells in rows:
        told = [cell.strip() == "yes" for cell in cells.split("|")]
        assert told == [name in MATRIX[role] for role in ("admin", "manager", "developer", "viewer", "auditor")], name


async def test_what_a_person_may_in_another_name_is_asked_each_time(
    person: PersonFactory, owner: Owner, cast: Callable[..., Person]
) -> None:
    boss = person()
    for privacy in ("private", "shared"):
        project = await make_project(boss, privacy=privacy)
        for role in ROLES:
            one = cast(role, boss, project)
            row = owner.execute("select kijko.can_read_project(%s, %s)", (one.id, project["id"])).fetchone()
            reads = role in MATRIX or (privacy == "shared" and role != "stranger")
            assert row == (reads,), f"{role} {privacy}"
        assert owner.execute("select kijko.can_read_project(%s, gen_random_uuid())", (boss.id,)).fetchone() == (False,)
