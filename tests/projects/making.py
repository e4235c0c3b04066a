"""Projects and colleagues for tests."""

import uuid
from typing import Any

import httpx
import psycopg

from tests.conftest import Person, Shared

Owner = psycopg.Connection[Any]


async def make_project(one: Person, **fields: object) -> dict[str, Any]:
    """A project of that person's."""
    body = {"name": f"Project {uuid.uuid4().hex[:12]}", "type": "repository"} | fields
    answer = await one.http.post("/projects", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()["project"]
    return made


def hire(owner: Owner, shared: Shared, boss: Person, worker: Person, role: str = "member") -> Person:
    """The same person, asking in the boss's organization, which they have joined."""
    owner.execute(
        "insert into memberships (organization_id, user_id, role) values (%s, %s, %s)",
        (boss.organization_id, worker.id, role),
    )
    token = shared.issuer.token(worker.id, boss.organization_id, email=worker.email)
    http = worker.http
    http.headers["Authorization"] = f"Bearer {token}"
    return Person(worker.id, boss.organization_id, worker.email, token, http)


def join(owner: Owner, project: dict[str, Any], who: Person, role: str, *, accepted: bool = True) -> None:
    """Make somebody a member of a project."""
    owner.execute(
        "insert into project_members (organization_id, project_id, user_id, email, role, accepted_at) "
        "values (%s, %s, %s, %s, %s, case when %s then now() end)",
        (project["organizationId"], project["id"], who.id, who.email, role, accepted),
    )


def said(answer: httpx.Response) -> tuple[int, str]:
    """A problem's status and code."""
    return answer.status_code, answer.json()["code"]


async def connect(one: Person, provider: str, login: str, **query: object) -> httpx.Response:
    """Connect that login's account at a forge's stand-in, by the whole way there and back."""
    begun = await one.http.post(f"/oauth/connect/{provider}")
    assert begun.status_code == 200, begun.text
    code, state = await agree(begun.json()["authUrl"], login, **query)
    return await one.http.post("/oauth/callback", json={"provider": provider, "code": code, "state": state})


async def agree(url: str, login: str, **query: object) -> tuple[str, str]:
    """Open the forge's page as that login and say yes; answers the code and the state that come back."""
    async with httpx.AsyncClient() as browser:
        back = await browser.get(httpx.URL(url).copy_merge_params({"login": login, **query}))
    assert back.status_code == 302, back.text
    told = httpx.URL(back.headers["location"]).params
    return told["code"], told["state"]
