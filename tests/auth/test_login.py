"""Logging in, renewing a session, and logging out."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.auth.conftest import Account, Keycloak, fresh_email, problem
from tests.conftest import fresh_address
from tests.spine.conftest import Served

Make = Callable[..., Any]
Serve = Callable[..., Served]


async def test_each_log_in_is_a_session_of_its_own(account: Make) -> None:
    one = await account()
    answer = await one.log_in()
    assert answer.status_code == 200
    assert answer.json()["refresh_token"] != one.tokens["refresh_token"]
    assert await one.status_of(answer.json()["access_token"]) == 200
    assert await one.status_of() == 200


async def test_every_failed_log_in_gets_the_same_answer(account: Make, keycloak: Keycloak) -> None:
    wrong, disabled, unfinished = await account(), await account(), await account()
    keycloak.update_user(disabled.email, enabled=False)
    keycloak.update_user(unfinished.email, requiredActions=["UPDATE_PASSWORD"])
    stranger = Account(fresh_email(), "x", {}, wrong.http)
    answers = [
        await wrong.log_in("not the password"),
        await wrong.log_in(" "),
        await stranger.log_in(),
        await disabled.log_in(),
        await unfinished.log_in(),
    ]
    bodies = []
    for answer in answers:
        assert problem(answer) == (401, "INVALID_CREDENTIALS")
        bodies.append({key: value for key, value in answer.json().items() if key != "requestId"})
    assert all(body == bodies[0] for body in bodies)


async def test_one_person_logging_in_from_several_places_at_once_is_let_in_everywhere(account: Make) -> None:
    one = await account()
    answers = await asyncio.gather(*(one.log_in() for _ in range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4


@pytest.mark.parametrize(
    "body",
    [{}, {"email": "a@b.test"}, {"email": "", "password": "x"}, {"email": ["a"], "password": "x"}, [], "x", 7,
     {"email": "a@b.test", "password": "x" * 2000}],
)  # fmt: skip
async def test_a_body_that_is_no_log_in_is_a_422(api: httpx.AsyncClient, body: object) -> None:
    answer = await api.post("/api/auth/login", json=body)
    assert problem(answer) == (422, "VALIDATION_ERROR")


async def test_no_body_at_all_is_a_422(api: httpx.AsyncClient) -> None:
    for path in ("login", "signup", "refresh", "password/forgot"):
        assert problem(await api.post(f"/api/auth/{path}")) == (422, "VALIDATION_ERROR")


async def test_the_same_refresh_token_again_gets_the_same_answer(account: Make) -> None:
    one = await account()
    first = await one.refresh()
    assert first.status_code == 200
    again = await one.refresh()
    assert again.json() == first.json()
    one.use(first.json())
    assert await one.status_of() == 200
    assert (await one.refresh()).status_code == 200


async def test_tabs_that_refresh_together_all_get_the_one_answer(account: Make) -> None:
    one = await account()
    answers = await asyncio.gather(*(one.refresh() for _ in range(6)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1
    one.use(answers[0].json())
    assert await one.status_of() == 200
    assert (await one.refresh()).status_code == 200


async def test_tabs_may_reach_different_processes(account: Make, serve: Serve) -> None:
    one = await account()
    other = serve()
    async with httpx.AsyncClient(base_url=other.url, timeout=30) as elsewhere:
        body = {"refresh_token": one.tokens["refresh_token"]}
        here, there = await asyncio.gather(one.refresh(), elsewhere.post("/api/auth/refresh", json=body))
    assert here.status_code == there.status_code == 200
    assert here.json() == there.json()


async def test_after_its_time_a_used_refresh_token_is_refused(account: Make, serve: Serve) -> None:
    quick = serve(KIJKO_AUTH_REFRESH_REUSE_S="1")
    one = await account(url=quick.url)
    first = await one.refresh()
    assert first.status_code == 200
    await asyncio.sleep(1.5)
    assert problem(await one.refresh()) == (401, "INVALID_REFRESH_TOKEN")


@pytest.mark.parametrize("token", ["garbage", "a.b.c", "e30.eyJzaWQiOiAxfQ.x", "..", "ü", "x" * 8000])
async def test_what_is_no_refresh_token_is_refused(api: httpx.AsyncClient, token: str) -> None:
    answer = await api.post("/api/auth/refresh", json={"refresh_token": token})
    assert problem(answer) == (401, "INVALID_REFRESH_TOKEN")


async def test_an_access_token_renews_nothing(account: Make) -> None:
    one = await account()
    assert problem(await one.refresh(one.tokens["access_token"])) == (401, "INVALID_REFRESH_TOKEN")


async def test_a_log_out_is_seen_at_once_in_every_process(account: Make, serve: Serve, keycloak: Keycloak) -> None:
    one, other = await account(), serve()
    headers = {"Authorization": f"Bearer {one.tokens['access_token']}"}
    async with httpx.AsyncClient(base_url=other.url, headers=headers) as elsewhere:
        assert (await elsewhere.get("/api/auth/me")).status_code == 200
        assert (await one.http.post("/auth/logout")).status_code == 204
        answer = await elsewhere.get("/api/auth/me")
    assert problem(answer) == (401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert keycloak.sessions(one.email) == set()


async def test_a_log_out_ends_its_refresh_token_too_and_the_kept_answer(account: Make) -> None:
    one = await account()
    renewed = (await one.refresh()).json()
    assert (await one.http.post("/auth/logout")).status_code == 204
    assert problem(await one.refresh()) == (401, "INVALID_REFRESH_TOKEN")
    assert problem(await one.refresh(renewed["refresh_token"])) == (401, "INVALID_REFRESH_TOKEN")
    assert await one.status_of(renewed["access_token"]) == 401


@pytest.mark.parametrize("body", [None, {}, {"refresh_token": None}, {"refresh_token": "garbage"}, {"more": 1}])
async def test_a_log_out_needs_no_body_and_ends_its_own_session(account: Make, body: Any) -> None:
    one = await account()
    other = (await one.log_in()).json()
    more = {} if body is None else {"json": body}
    assert (await one.http.post("/auth/logout", **more)).status_code == 204
    assert await one.status_of() == 401
    assert await one.status_of(other["access_token"]) == 200


async def test_a_log_out_with_another_sessions_refresh_token_ends_its_own(account: Make) -> None:
    one, stranger = await account(), await account()
    body = {"refresh_token": stranger.tokens["refresh_token"]}
    assert (await one.http.post("/auth/logout", json=body)).status_code == 204
    assert await one.status_of() == 401
    assert await stranger.status_of() == 200
    assert (await stranger.refresh()).status_code == 200


async def test_a_second_log_out_is_no_error(account: Make) -> None:
    one = await account()
    for _ in range(2):
        assert (await one.http.post("/auth/logout")).status_code == 204


async def test_the_sixth_log_in_within_a_minute_is_told_when_to_come_back(api: httpx.AsyncClient) -> None:
    body = {"email": fresh_email(), "password": "x"}
    for _ in range(5):
        assert problem(await api.post("/api/auth/login", json=body)) == (401, "INVALID_CREDENTIALS")
    answer = await api.post("/api/v1/auth/login", json=body, headers={"X-Forwarded-For": fresh_address()})
    assert problem(answer) == (429, "RATE_LIMITED")
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert answer.json()["details"]["metric"] == "auth_attempts"


async def test_a_session_lives_on_through_refreshes(account: Make, keycloak: Keycloak) -> None:
    one = await account()
    before = keycloak.sessions(one.email)
    started = time.monotonic()
    for _ in range(3):
        one.use((await one.refresh()).json())
    assert keycloak.sessions(one.email) == before
    assert await one.status_of() == 200
    assert time.monotonic() - started < 20
