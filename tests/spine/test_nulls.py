"""Where the document says that a field may be null, null is taken; where it says nothing of it, null is refused."""

import secrets
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Person
from tests.guards.test_openapi import OPERATIONS, Json, resolved
from tests.projects.making import make_project
from tests.skills.test_http import make_skill

_JSON = "application/json"
_NULL = {"type": "null"}
# Limited, or of no person: tests/auth has them.
_APART = ("/api/auth/signup", "/api/auth/login", "/api/auth/refresh", "/api/auth/password/", "/api/auth/oauth/")
_TAKING = [
    (method, path, operation["requestBody"]["content"][_JSON]["schema"])
    for method, path, operation in OPERATIONS
    if _JSON in operation.get("requestBody", {}).get("content", {})
    and path.startswith("/api/")
    and not path.startswith(_APART)
]


def shape_of(schema: Json) -> Json:
    """The shape of a body, which may be left out."""
    (only,) = [each for each in schema.get("anyOf", [schema]) if each != _NULL]
    return resolved(only)


def may_be_null(schema: Json) -> bool:
    return _NULL in schema.get("anyOf", ())


async def place(one: Person, path: str) -> str:
    """The path, without /api, with ids of things that are there and that person's."""
    ids: dict[str, Any] = {"userId": one.id, "provider": "openai", "executionId": uuid.uuid4()}
    if "{projectId}" in path:
        ids["projectId"] = (await make_project(one))["id"]
        of_project = f"/projects/{ids['projectId']}"
        ids["memberId"] = (await one.http.get(f"{of_project}/members")).json()[0]["id"]
        if "{repositoryId}" in path:
            body = {"provider": "github", "repositoryUrl": f"https://github.com/acme/{uuid.uuid4().hex}", "branch": "a"}
            ids["repositoryId"] = (await one.http.post(f"{of_project}/repositories", json=body)).json()["id"]
    if "{skillId}" in path:
        ids["skillId"] = (await make_skill(one))["id"]
    if "{keyId}" in path:
        ids["keyId"] = (await one.http.post("/api-keys", json={"name": "One"})).json()["id"]
    return path.removeprefix("/api").format_map(ids)


@pytest.mark.parametrize(("method", "path", "schema"), _TAKING, ids=[f"{method} {path}" for method, path, _ in _TAKING])
async def test_null_is_taken_where_the_document_says_so_and_nowhere_else(
    method: str, path: str, schema: Json, person: Callable[..., Person]
) -> None:
    one, shape = person(), shape_of(schema)
    address = await place(one, path)
    said: dict[str, bool] = {}
    for name in shape["properties"]:
        body = shape.get("examples", [{}])[0] | {name: None}
        if "name" in body and name != "name":
            body["name"] = f"Thing {secrets.token_hex(4)}"
        answer = await one.http.request(method, address, json=body)
        assert answer.status_code < 500
        refused = answer.status_code == 422 and answer.json()["field"] == name
        said[name] = not refused
    assert said == {name: may_be_null(field) for name, field in shape["properties"].items()}


def test_there_are_bodies_to_try() -> None:
    assert len(_TAKING) > 25
