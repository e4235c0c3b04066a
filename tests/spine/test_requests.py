"""What every request gets on its way: an id, a line in the log, headers."""

import asyncio
import json
import re
from collections.abc import Callable
from secrets import token_urlsafe
from uuid import uuid4

import httpx
import pytest

from tests.conftest import Person
from tests.spine.conftest import Served, get
from tests.spine.test_problems import problem

Serve = Callable[..., Served]


async def test_a_sane_request_id_is_taken_and_answered_with(api: httpx.AsyncClient) -> None:
    for given in ("abc-123", "A.b_c-9", "x" * 128):
        answer = await api.get("/health/live", headers={"X-Request-ID": given})
        assert answer.headers["x-request-id"] == given


@pytest.mark.parametrize(
    "given", ["", "two words", "x" * 129, "a;b", "ä".encode().decode("latin-1"), "a\tb", "<script>"]
)
async def test_any_other_is_replaced(api: httpx.AsyncClient, given: str) -> None:
    answer = await api.get("/health/live", headers={"X-Request-ID": given.encode("latin-1")})
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


async def test_ids_that_are_made_differ(api: httpx.AsyncClient) -> None:
    made = {(await api.get("/health/live")).headers["x-request-id"] for _ in range(5)}
    assert len(made) == 5


async def test_each_request_is_one_line_that_says_who_asked_what(serve: Serve, person: Callable[..., Person]) -> None:
    served, one, request_id = serve(), person(), uuid4().hex
    headers = {"Authorization": f"Bearer {one.token}", "X-Request-ID": request_id}
    async with httpx.AsyncClient(base_url=served.url, headers=headers) as http:
        answer = await http.get(f"/api/v1/skills/{uuid4()}?token=a-secret-value")
    lines = served.lines(request_id=request_id)
    assert len(lines) == 1
    assert (
        lines[0].items()
        >= {
            "level": "info",
            "event": "request",
            "method": "GET",
            "route": "/api/skills/{skillId}",
            "status": 404,
            "bytes": len(answer.content),
            "user": str(one.id),
            "organization": str(one.organization_id),
        }.items()
    )
    assert 0 < lines[0]["duration_ms"] < 5000
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", lines[0]["time"])
    log = served.log.read_text()
    assert "a-secret-value" not in log
    assert one.token not in log
    assert one.token.split(".")[2] not in log


async def test_an_address_that_leads_nowhere_is_logged_without_the_token_that_may_be_in_it(serve: Serve) -> None:
    served, token, project = serve(), token_urlsafe(32), str(uuid4())
    asked = {
        f"/api/invitations/{token}": "/api/invitations/…",
        f"/api/invitations/{token}/accept/": "/api/invitations/…/accept/",
        f"/api/invitations/{token}/accept?really=%00": "/api/invitations/…/accept",
        f"/api/projects/{project}/nothing": f"/api/projects/{project}/nothing",
    }
    async with httpx.AsyncClient(base_url=served.url) as client:
        for address, shown in asked.items():
            request_id = uuid4().hex
            await client.post(address, headers={"X-Request-ID": request_id})
            (line,) = served.lines(request_id=request_id)
            assert (line["route"], line["path"]) == (None, shown)
    assert token not in served.log.read_text()


async def test_a_client_that_hangs_up_in_the_middle_is_no_error(serve: Serve, person: Callable[..., Person]) -> None:
    served, one, request_id = serve(), person(), uuid4().hex
    url = httpx.URL(served.url)
    _, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(
        f"POST /api/skills HTTP/1.1\r\nHost: {url.host}\r\nAuthorization: Bearer {one.token}\r\n"
        f"X-Request-ID: {request_id}\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{{".encode()
    )
    await writer.drain()
    await asyncio.sleep(0.3)
    writer.close()
    await writer.wait_closed()
    assert len(served.lines(request_id=request_id)) == 1
    assert not [line for line in served.log.read_text().splitlines() if json.loads(line)["level"] == "error"]


async def test_every_answer_carries_the_security_headers(api: httpx.AsyncClient) -> None:
    for path in ("/health/live", "/api/nothing", "/api/skills", "/docs", "/openapi.json"):
        headers = (await api.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "cache-control" in headers
        assert "server" not in headers


async def test_answers_under_auth_are_never_stored(api: httpx.AsyncClient) -> None:
    for path in ("/api/auth/me", "/api/v1/auth/me"):
        assert (await api.get(path)).headers["cache-control"] == "no-store"
    assert (await api.get("/api/skills")).headers["cache-control"] == "private, no-cache"


async def test_only_production_asks_for_https_from_now_on(api: httpx.AsyncClient, serve: Serve) -> None:
    assert "strict-transport-security" not in (await api.get("/health/live")).headers
    served = serve(KIJKO_ENVIRONMENT="production")
    assert "max-age=" in (await get(served.url + "/health/live")).headers["strict-transport-security"]


@pytest.mark.parametrize("origin", ["https://app.kijko.nl", "http://localhost:3000"])
async def test_the_web_app_may_ask_with_credentials(api: httpx.AsyncClient, origin: str) -> None:
    answer = await api.get("/api/skills", headers={"Origin": origin})
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-allow-credentials"] == "true"
    exposed = {name.strip().lower() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert exposed >= {"x-request-id", "retry-after", "ratelimit-remaining", "etag", "idempotent-replayed"}
    wanted = "authorization, content-type, idempotency-key, if-match, x-organization-id, last-event-id, x-request-id"
    preflight = await api.options(
        "/api/skills",
        headers={"Origin": origin, "Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": wanted},
    )
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == origin


async def test_the_web_app_of_this_installation_may_ask_too_wherever_it_stands(serve: Serve) -> None:
    served = serve(KIJKO_WEB_URL="https://Kijko.example.test:8443/app/")
    async with httpx.AsyncClient(base_url=served.url) as http:
        for origin in ("https://kijko.example.test:8443", "https://app.kijko.nl", "http://localhost:3000"):
            answer = await http.get("/health/live", headers={"Origin": origin})
            assert answer.headers["access-control-allow-origin"] == origin
        answer = await http.get("/health/live", headers={"Origin": "https://kijko.example.test"})
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "https://app.kijko.nl.evil.example", "null", "http://localhost"]
)
async def test_no_other_site_may(api: httpx.AsyncClient, origin: str) -> None:
    answer = await api.get("/health", headers={"Origin": origin})
    assert "access-control-allow-origin" not in answer.headers
    preflight = await api.options("/api/skills", headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
    problem(preflight, 403, "FORBIDDEN")
    assert "access-control-allow-origin" not in preflight.headers


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"Access-Control-Request-Method": "FOO"}, "PATCH"),
        ({"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-evil"}, "Idempotency-Key"),
        ({"Access-Control-Request-Method": "POST", "Access-Control-Request-Private-Network": "true"}, "public"),
    ],
    ids=["method", "header", "private network"],
)
async def test_what_the_web_app_may_not_ask_is_refused_with_what_it_may(
    api: httpx.AsyncClient, asked: dict[str, str], told: str
) -> None:
    answer = await api.options("/api/skills", headers={"Origin": "https://app.kijko.nl"} | asked)
    assert told in str(problem(answer, 403, "FORBIDDEN")["detail"])
    assert "Origin" in answer.headers["vary"]
