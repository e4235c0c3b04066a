"""Every door of the API, tried as a stranger: without a token, with a bad one, at another organization's row, and with
a body that is none. The routes are walked, so a new one is tried without being named here.
"""

import re
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from kijko.main import create_app
from kijko.routers.public import PUBLIC
from kijko.routers.scopes import SCOPES
from kijko.settings import Settings
from tests.api_keys.making import ALL, make_key, using
from tests.conftest import Person
from tests.executions.test_http import execute
from tests.projects.making import make_project
from tests.skills.test_http import make_skill

_ALL = [
    (method, route.path, route)
    for route in create_app(Settings()).routes
    if isinstance(route, APIRoute)
    for method in sorted(route.methods)
]
_PROTECTED = [(method, path) for method, path, _ in _ALL if (method, path) not in PUBLIC]
_WITH_BODY = [(method, path) for method, path, route in _ALL if route.body_field is not None]
_ROUTES = {(method, path): route for method, path, route in _ALL}
# A closed set of words, not somebody's row.
_NO_ROW = frozenset({"provider", "asset"})
_WITH_ROW = [(method, path) for method, path in _PROTECTED if set(re.findall(r"\{(\w+)\}", path)) - _NO_ROW]
_SOMEWHERE = str(uuid.UUID(int=7))


Rows = dict[str, str]
"""The ids that were made for a path so far, by their names in it."""


async def _skill(one: Person, _: Rows) -> str:
    return str((await make_skill(one))["id"])


async def _execution(one: Person, _: Rows) -> str:
    return str((await execute(one, await make_skill(one), input={"text": "x"}))["executionId"])


async def _project(one: Person, _: Rows) -> str:
    return str((await make_project(one))["id"])


async def _repository(one: Person, rows: Rows) -> str:
    body = {"provider": "github", "repositoryUrl": "https://github.com/kijko/example", "branch": "main"}
    made = await one.http.post(f"/projects/{rows['projectId']}/repositories", json=body)
    return str(made.json()["id"])


async def _file(one: Person, rows: Rows) -> str:
    made = await one.http.post("/files/upload", data=rows, files={"files": ("a.txt", b"a")})
    return str(made.json()["uploaded"][0]["id"])


async def _person(one: Person, _: Rows) -> str:
    return str(one.id)


async def _member(one: Person, rows: Rows) -> str:
    made = await one.http.get(f"/projects/{rows['projectId']}/members")
    return str(made.json()[0]["id"])


async def _invitation(one: Person, _: Rows) -> str:
    body = {"email": f"{uuid.uuid4().hex}@people.test", "role": "member"}
    return str((await one.http.post("/organization/invitations", json=body)).json()["id"])


async def _token(one: Person, _: Rows) -> str:
    return "no-token-of-anybodys"


async def _key(one: Person, _: Rows) -> str:
    return str((await make_key(one))["id"])


async def _session(one: Person, _: Rows) -> str:
    return _SOMEWHERE


async def _version(one: Person, _: Rows) -> str:
    return "1"


_ROWS: dict[str, Callable[[Person, Rows], Awaitable[str]]] = {
    "skillId": _skill,
    "executionId": _execution,
    "projectId": _project,
    "repositoryId": _repository,
    "fileId": _file,
    "userId": _person,
    "memberId": _member,
    "invitationId": _invitation,
    "token": _token,
    "session_id": _session,
    "keyId": _key,
    "version": _version,
}


async def _made(one: Person, path: str) -> Rows:
    """Rows of that person's for each id in the path, from the left."""
    rows: Rows = {}
    for name in re.findall(r"\{(\w+)\}", path):
        if name not in _NO_ROW:
            rows[name] = await _ROWS[name](one, rows)
    return rows


def _example(method: str, path: str) -> Any:
    """A body that is in order: the first example of the documentation."""
    field = _ROUTES[method, path].body_field
    kind = field.field_info.annotation if field is not None else None
    shown = kind.model_json_schema() if hasattr(kind, "model_json_schema") else {}
    return shown.get("examples", [{}])[0]


def _at(path: str, value: str = _SOMEWHERE) -> str:
    return re.sub(r"\{\w+\}", value, path)


def _ids(cases: list[tuple[str, str]]) -> list[str]:
    return [f"{method} {path}" for method, path in cases]


@pytest.mark.parametrize(("method", "path"), _PROTECTED, ids=_ids(_PROTECTED))
async def test_nobody_enters_without_a_token_or_with_a_bad_one(api: httpx.AsyncClient, method: str, path: str) -> None:
    for header in ({}, {"Authorization": "Bearer no.such.token"}, {"Authorization": "Basic eDp5"}):
        answer = await api.request(method, _at(path), headers=header)
        assert answer.status_code == 401, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize(("method", "path"), _PROTECTED, ids=_ids(_PROTECTED))
async def test_a_key_without_the_scope_opens_no_door(
    person: Callable[..., Person], stack_env: dict[str, str], method: str, path: str
) -> None:
    needed = SCOPES[method, path]
    key = await make_key(person(), scopes=[scope for scope in ALL if scope != needed])
    async with using(stack_env, key["key"]) as client:
        answer = await client.request(method, _at(path).removeprefix("/api"))
    assert (answer.status_code, answer.json()["code"]) == (403, "MISSING_SCOPE" if needed else "PEOPLE_ONLY")
    assert not needed or needed in answer.json()["detail"]


@pytest.mark.parametrize(("method", "path"), _WITH_ROW, ids=_ids(_WITH_ROW))
async def test_a_strangers_row_is_a_404(person: Callable[..., Person], method: str, path: str) -> None:
    owner, stranger = person(), person()
    rows = await _made(owner, path)
    body = {"json": _example(method, path)} if (method, path) in _WITH_BODY else {}
    query = {each.alias: "x" for each in _ROUTES[method, path].dependant.query_params if each.field_info.is_required()}
    theirs = re.sub(r"\{(\w+)\}", lambda found: rows.get(found[1], _SOMEWHERE), path)
    for address in (theirs, _at(path), _at(path, "no-id")):
        answer = await stranger.http.request(method, address.removeprefix("/api"), params=query, **body)
        assert answer.status_code == 404, answer.text
        assert answer.json()["code"].endswith("NOT_FOUND")


@pytest.mark.parametrize(("method", "path"), _WITH_BODY, ids=_ids(_WITH_BODY))
async def test_a_body_that_is_none_is_refused_with_a_reason(
    person: Callable[..., Person], method: str, path: str
) -> None:
    one = person()
    address = _at(path).removeprefix("/api")
    json_type = {"Content-Type": "application/json"}
    broken = await one.http.request(method, address, content=b'{"a": ', headers=json_type)
    assert (broken.status_code, broken.json()["code"]) in ((400, "MALFORMED_JSON"), (404, "SKILL_NOT_FOUND"))
    text = await one.http.request(method, address, content=b"a=1", headers={"Content-Type": "text/plain"})
    assert (text.status_code, text.json()["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    listed = await one.http.request(method, address, json=[1])
    assert (listed.status_code, listed.json()["code"]) == (422, "VALIDATION_ERROR")
