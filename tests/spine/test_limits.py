"""Guessing passwords is slow: five attempts a minute for an address and for an account, counted in Redis."""

import asyncio
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest

from tests.conftest import fresh_address
from tests.spine.conftest import Served
from tests.spine.test_problems import problem

Serve = Callable[..., Served]


def wrong() -> dict[str, str]:
    """Credentials of nobody."""
    return {"email": f"{uuid4()}@people.test", "password": "not the password"}


async def login(api: httpx.AsyncClient, body: dict[str, str], **headers: str) -> httpx.Response:
    return await api.post("/api/auth/login", json=body, headers=headers)


async def test_the_sixth_login_of_an_address_in_a_minute_is_refused(api: httpx.AsyncClient) -> None:
    for left in (4, 3, 2, 1, 0):
        answer = await login(api, wrong())
        assert answer.status_code == 401
        assert answer.headers["ratelimit-limit"] == "5"
        assert answer.headers["ratelimit-remaining"] == str(left)
        assert 0 < int(answer.headers["ratelimit-reset"]) <= 60
        assert answer.headers["ratelimit-policy"] == '"login";q=5;w=60'
        assert answer.headers["ratelimit"].startswith(f'"login";r={left};t=')
    answer = await login(api, wrong())
    details = problem(answer, 429, "RATE_LIMITED")["details"]
    assert isinstance(details, dict)
    assert {"metric": "auth_attempts", "limit": 5, "used": 5}.items() <= details.items()
    assert 0 < int(answer.headers["retry-after"]) <= 60
    wait = (datetime.fromisoformat(details["resetsAt"]) - datetime.now(UTC)).total_seconds()
    assert 0 < wait <= 60
    assert answer.headers["ratelimit-remaining"] == "0"


async def test_the_sixth_login_of_an_account_is_refused_wherever_it_comes_from(api: httpx.AsyncClient) -> None:
    body = wrong()
    spellings = [body["email"], body["email"].upper(), f" {body['email']} ", body["email"].title(), body["email"]]
    for email in spellings:
        assert (await login(api, body | {"email": email}, **{"X-Forwarded-For": fresh_address()})).status_code == 401
    problem(await login(api, body, **{"X-Forwarded-For": fresh_address()}), 429, "RATE_LIMITED")


async def test_both_names_of_the_api_count_together(api: httpx.AsyncClient) -> None:
    for path in ("/api/auth/login", "/api/v1/auth/login") * 2 + ("/api/auth/login",):
        assert (await api.post(path, json=wrong())).status_code == 401
    for path in ("/api/auth/login", "/api/v1/auth/login"):
        problem(await api.post(path, json=wrong()), 429, "RATE_LIMITED")


async def test_each_endpoint_counts_apart(api: httpx.AsyncClient) -> None:
    for _ in range(6):
        answer = await login(api, wrong())
    assert answer.status_code == 429
    refreshed = await api.post("/api/auth/refresh", json={"refresh_token": "nonsense"})
    assert refreshed.status_code == 401
    assert refreshed.headers["ratelimit-remaining"] == "29"


async def test_of_many_at_once_five_are_tried(api: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(login(api, wrong()) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 15


@pytest.mark.parametrize("path", ["login", "signup"])
async def test_an_attempt_with_a_blank_password_counts_like_any_other(api: httpx.AsyncClient, path: str) -> None:
    body = {"email": f"{secrets.token_hex(6)}@people.test", "password": " " * 12, "first_name": "A", "last_name": "B"}
    answers = [await api.post(f"/api/auth/{path}", json=body) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401 if path == "login" else 422] * 5 + [429]


async def test_a_request_that_tries_nothing_is_not_counted(api: httpx.AsyncClient) -> None:
    for body in ({}, [], {"email": "a@b.test"}, {"email": 7, "password": "x"}):
        answer = await api.post("/api/auth/login", json=body)
        problem(answer, 422, "VALIDATION_ERROR")
        assert "ratelimit-remaining" not in answer.headers
    problem(await api.post("/api/auth/login"), 422, "VALIDATION_ERROR")
    problem(await api.post("/api/auth/login", content=b"{"), 400, "MALFORMED_JSON")
    assert (await login(api, wrong())).headers["ratelimit-remaining"] == "4"


async def test_an_address_cannot_be_invented(serve: Serve) -> None:
    served = serve(KIJKO_HTTP_TRUSTED_PROXIES='["192.0.2.0/24"]')
    async with httpx.AsyncClient(base_url=served.url, timeout=30) as http:
        found = [(await login(http, wrong(), **{"X-Forwarded-For": fresh_address()})).status_code for _ in range(6)]
    assert 429 in found


@pytest.mark.parametrize("host", ["127.0.0.1", "10.255.255.1"], ids=["refuses", "does not answer"])
async def test_without_redis_nobody_signs_in_and_nobody_waits(serve: Serve, nobody_listens: int, host: str) -> None:
    served = serve(KIJKO_REDIS_URL=f"redis://{host}:{nobody_listens}/0", KIJKO_REDIS_TIMEOUT_S="1")
    async with httpx.AsyncClient(base_url=served.url, timeout=30) as http:
        began = asyncio.get_running_loop().time()
        answer = await login(http, wrong())
        assert asyncio.get_running_loop().time() - began < 3
        problem(answer, 503, "UNAVAILABLE")
        assert int(answer.headers["retry-after"]) > 0
        assert (await http.get("/api/skills")).status_code == 401, "what needs no limit goes on"
