"""What never becomes a request: answered by the server itself, as a problem, and bounded."""

import asyncio
import json
import time
from urllib.parse import urlsplit

import httpx
import pytest

from tests.spine.test_problems import problem


async def exchange(stack_env: dict[str, str], *parts: bytes, pause_s: float = 0) -> tuple[bytes, bytes]:
    """The head and the body of what the server answers before it closes the connection; empty when it cuts it."""
    address = urlsplit(stack_env["KIJKO_API_URL"])
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause_s)
        async with asyncio.timeout(20):
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    except ConnectionError:
        return b"", b""
    finally:
        writer.close()
    return head, body


def said(head: bytes, body: bytes) -> httpx.Response:
    status, *lines = head.decode().split("\r\n")
    headers = [tuple(line.split(": ", 1)) for line in lines]
    return httpx.Response(int(status.split()[1]), headers=headers, content=body)


@pytest.mark.parametrize(
    "sent",
    [
        b"FOO / HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\na: b\x7f\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: abc\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"no such protocol\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_told_so_in_a_problem(stack_env: dict[str, str], sent: bytes) -> None:
    answer = said(*await exchange(stack_env, sent))
    assert problem(answer, 400, "MALFORMED_REQUEST")["requestId"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("start", [b"GET /health/live HTTP/1.1\r\nX-A: ", b"GET /"])
async def test_a_head_without_end_is_refused_before_it_fills_the_memory(
    stack_env: dict[str, str], start: bytes
) -> None:
    began = time.monotonic()
    await exchange(stack_env, start, *[b"a" * 65_536] * 1000)  # it is cut off while the rest is under way
    assert time.monotonic() - began < 10
    head = body = b""
    for _ in range(5):  # what is sent while the server closes takes its answer away, as TCP has it
        head, body = await exchange(stack_env, start, b"a" * 60_000, b"a" * 60_000, pause_s=0.2)
        if head:
            break
    problem(said(head, body), 431, "HEADERS_TOO_LARGE")


async def test_a_browsers_headers_pass_and_a_body_is_not_counted(stack_env: dict[str, str]) -> None:
    head = b"POST /api/auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\n"
    body = json.dumps({"email": "a@b.test", "password": "x" * 200_000}).encode()
    sent = head + b"cookie: " + b"c" * 30_000 + b"\r\ncontent-length: " + str(len(body)).encode() + b"\r\n\r\n"
    answer, _ = await exchange(stack_env, sent[:10_000], sent[10_000:], body[:100_000], body[100_000:])
    assert answer.startswith((b"HTTP/1.1 422", b"HTTP/1.1 401", b"HTTP/1.1 429"))
