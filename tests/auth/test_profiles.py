"""Who the caller is, and their names."""

from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest

from tests.auth.conftest import Keycloak, problem

Make = Callable[..., Any]


async def test_new_names_are_kept_here_and_at_the_sign_in_server(account: Make, keycloak: Keycloak) -> None:
    one = await account()
    before = (await one.http.get("/auth/me")).json()
    answer = await one.http.patch("/auth/me", json={"first_name": "  Augusta ", "last_name": "Kingé"})
    assert answer.status_code == 200
    assert answer.json() == before | {"first_name": "Augusta", "last_name": "Kingé"}
    assert (await one.http.get("/auth/me")).json() == answer.json()
    user = keycloak.user(one.email)
    assert user is not None
    assert (user["firstName"], user["lastName"]) == ("Augusta", "Kingé")
    claims = jwt.decode((await one.log_in()).json()["access_token"], options={"verify_signature": False})
    assert claims["name"] == "Augusta Kingé"
    assert claims["org_id"] == before["org_id"]


@pytest.mark.parametrize("body", [{}, {"first_name": None}, {"first_name": "Ada"}, {"email": "eve@people.test"}])
async def test_what_is_absent_or_the_same_stays(account: Make, body: dict[str, Any]) -> None:
    one = await account()
    before = (await one.http.get("/auth/me")).json()
    answer = await one.http.patch("/auth/me", json=body)
    assert (answer.status_code, answer.json()) == (200, before)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"first_name": ""}, "first_name"),
        ({"last_name": "x" * 256}, "last_name"),
        ({"last_name": "a\u202eb"}, "last_name"),
        ({"first_name": "<b>"}, "first_name"),
        ({"first_name": 7}, "first_name"),
    ],
)
async def test_a_name_that_is_none_changes_nothing(account: Make, body: dict[str, Any], field: str) -> None:
    one = await account()
    answer = await one.http.patch("/auth/me", json={"last_name": "King"} | body)
    assert problem(answer) == (422, "VALIDATION_ERROR")
    assert answer.json()["field"] == field
    assert (await one.http.get("/auth/me")).json()["last_name"] == "Lovelace"


async def test_answers_about_people_are_kept_by_no_cache(account: Make, api: httpx.AsyncClient) -> None:
    one = await account()
    for answer in (await one.http.get("/auth/me"), await one.log_in(), await api.get("/api/auth/me")):
        assert "no-store" in answer.headers["cache-control"]
