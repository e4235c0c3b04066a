"""The main job, from the outside: a stranger signs up, makes a skill, runs it and reads the result."""

import secrets
from collections.abc import Callable

import httpx

from tests.conftest import Person


async def test_from_a_signup_to_a_result(api: httpx.AsyncClient) -> None:
    person = {
        "email": f"{secrets.token_hex(6)}@people.test",
        "password": "dev-only-Journey-1",
        "first_name": "Ada",
        "last_name": "Lovelace",
    }
    signed_up = await api.post("/api/auth/signup", json=person)
    assert signed_up.status_code == 201, signed_up.text
    logged_in = await api.post("/api/auth/login", json={"email": person["email"], "password": person["password"]})
    assert logged_in.status_code == 200, logged_in.text
    api.headers["Authorization"] = "Bearer " + logged_in.json()["access_token"]

    me = (await api.get("/api/auth/me")).json()
    assert (me["email"], me["first_name"], me["plan"], me["roles"]) == (person["email"], "Ada", "free", ["owner"])

    made = await api.post("/api/skills", json={"name": "Greet", "promptTemplate": "Hello, {{name}}!"})
    assert made.status_code == 201, made.text
    done = await api.post(
        f"/api/v1/skills/{made.json()['id']}/execute", params={"wait": 60}, json={"input": {"name": "Ada"}}
    )
    assert (done.status_code, done.json()["output"]) == (200, "Hello, Ada!")
    read = (await api.get(f"/api/executions/{done.json()['executionId']}")).json()
    assert (read["status"], read["userId"]) == ("completed", me["id"])

    assert (await api.post("/api/auth/logout")).status_code == 204
    refused = await api.get("/api/auth/me")
    assert (refused.status_code, refused.json()["code"]) == (401, "UNAUTHENTICATED")


async def test_both_names_of_the_api_are_the_same_api(person: Callable[..., Person], api: httpx.AsyncClient) -> None:
    one = person()
    made = (await one.http.post("/skills", json={"name": "Twice", "promptTemplate": "x"})).json()
    headers = {"Authorization": f"Bearer {one.token}"}
    assert (await api.get(f"/api/v1/skills/{made['id']}", headers=headers)).json() == made
