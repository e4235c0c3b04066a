"""/health tells what is well and what is not, quickly, whatever is down; and the API starts all the same."""

import asyncio
import time
from collections.abc import Callable

import httpx

from tests.conftest import Person
from tests.spine.conftest import Served, get
from tests.spine.test_problems import problem

Serve = Callable[..., Served]
CHECKS = {"database", "redis", "storage", "stripe", "keycloak", "mail", "workers"}


async def test_when_all_is_well_it_says_so(api: httpx.AsyncClient) -> None:
    answer = await api.get("/health")
    body = answer.json()
    assert answer.status_code == 200
    assert body["status"] == "healthy"
    assert body["version"]
    assert set(body["checks"]) == CHECKS
    for check in body["checks"].values():
        assert check["status"] == "healthy"
        assert 0 <= check["latencyMs"] < 2000
        assert "error" not in check


async def test_live_and_ready_say_so_too(api: httpx.AsyncClient) -> None:
    for path in ("/health/live", "/health/ready"):
        answer = await api.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "healthy"})


async def test_without_redis_it_is_degraded_and_reads_go_on(
    serve: Serve, person: Callable[..., Person], nobody_listens: int
) -> None:
    served = serve(KIJKO_REDIS_URL=f"redis://:dev-only-password@127.0.0.1:{nobody_listens}/0")
    one = person()
    async with httpx.AsyncClient(base_url=served.url, headers={"Authorization": f"Bearer {one.token}"}) as http:
        answer = await http.get("/health")
        assert answer.status_code == 200
        assert answer.json()["status"] == "degraded"
        assert answer.json()["checks"]["redis"]["status"] == "degraded"
        assert answer.json()["checks"]["database"]["status"] == "healthy"
        assert "dev-only-password" not in answer.text
        assert str(nobody_listens) not in answer.text
        assert (await http.get("/api/skills")).status_code == 200
        assert (await http.get("/health/ready")).status_code == 200


async def test_without_keycloak_or_stripe_it_is_degraded(serve: Serve, nobody_listens: int) -> None:
    gone = f"http://127.0.0.1:{nobody_listens}"
    served = serve(KIJKO_KEYCLOAK_URL=gone, KIJKO_STRIPE_API_BASE=gone)
    answer = await get(served.url + "/health")
    assert answer.json()["status"] == "degraded"
    sick = {name for name, check in answer.json()["checks"].items() if check["status"] != "healthy"}
    assert sick == {"keycloak", "stripe"}
    assert {answer.json()["checks"][name]["error"] for name in sick} == {"does not answer"}
    assert str(nobody_listens) not in answer.text


async def test_keycloak_is_degraded_while_it_says_itself_that_it_is_not_ready(serve: Serve) -> None:
    """As it does without its database, while it still answers for its realm from memory."""
    told = b'{"status":"DOWN"}'

    async def not_ready(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        status = b"503 Service Unavailable" if asked.startswith(b"GET /health/ready ") else b"200 OK"
        writer.write(b"HTTP/1.1 %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s" % (status, len(told), told))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(not_ready, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        served = serve(KIJKO_KEYCLOAK_MANAGEMENT_URL=f"http://127.0.0.1:{port}")
        answer = await get(served.url + "/health")
    assert answer.json()["status"] == "degraded"
    assert {name for name, each in answer.json()["checks"].items() if each["status"] != "healthy"} == {"keycloak"}


async def test_without_a_management_port_keycloak_is_judged_by_its_realm(serve: Serve) -> None:
    served = serve(KIJKO_KEYCLOAK_MANAGEMENT_URL="")
    assert (await get(served.url + "/health")).json()["checks"]["keycloak"]["status"] == "healthy"


async def test_a_wrong_stripe_key_is_noticed_and_not_told(serve: Serve) -> None:
    served = serve(KIJKO_STRIPE_SECRET_KEY="sk_test_devonlywrong")
    answer = await get(served.url + "/health")
    assert answer.json()["checks"]["stripe"]["status"] == "degraded"
    assert "devonlywrong" not in answer.text
    assert "devonlywrong" not in served.log.read_text()


async def test_without_the_database_it_is_unhealthy_and_says_what_to_do(
    serve: Serve, person: Callable[..., Person], nobody_listens: int
) -> None:
    served = serve(KIJKO_DATABASE_API_URL=f"postgresql://kijko_api:dev-only-password@127.0.0.1:{nobody_listens}/kijko")
    one = person()
    async with httpx.AsyncClient(base_url=served.url, headers={"Authorization": f"Bearer {one.token}"}) as http:
        answer = await http.get("/health")
        assert answer.status_code == 503
        assert answer.json()["status"] == "unhealthy"
        assert answer.json()["checks"]["database"]["status"] == "unhealthy"
        assert answer.json()["checks"]["redis"]["status"] == "healthy"
        assert "dev-only-password" not in answer.text
        assert (await http.get("/health/live")).status_code == 200
        assert (await http.get("/health/ready")).status_code == 503
        refused = await http.get("/api/skills")
        problem(refused, 503, "UNAVAILABLE")
        assert int(refused.headers["retry-after"]) > 0
    assert "dev-only-password" not in served.log.read_text()


async def test_what_never_answers_is_given_up_on_and_holds_up_nothing_else(serve: Serve) -> None:
    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        served = serve(
            KIJKO_REDIS_URL=f"redis://127.0.0.1:{port}/0",
            KIJKO_KEYCLOAK_URL=f"http://127.0.0.1:{port}",
            KIJKO_STRIPE_API_BASE=f"http://127.0.0.1:{port}",
        )
        async with httpx.AsyncClient(base_url=served.url, timeout=20) as http:
            began = time.monotonic()
            answer = await http.get("/health")
            took = time.monotonic() - began
        assert took < 4, "five checks of 2 s each, side by side"
        assert answer.json()["checks"]["database"]["status"] == "healthy"
        assert answer.json()["checks"]["keycloak"]["error"] == "did not answer within 2 s"


async def test_asking_often_asks_the_dependencies_once_a_second(serve: Serve, stack_env: dict[str, str]) -> None:
    asked = 0

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(counted, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        served = serve(KIJKO_KEYCLOAK_URL=f"http://127.0.0.1:{port}")
        async with httpx.AsyncClient(base_url=served.url) as http:
            began = time.monotonic()
            await asyncio.gather(*(http.get("/health") for _ in range(50)))
            assert asked <= 1 + (time.monotonic() - began)
