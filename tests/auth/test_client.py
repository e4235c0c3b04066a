"""The client for the sign-in server, against a server that answers oddly; and the cache of verified tokens."""

import asyncio
import json
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from kijko.clients.keycloak import Keycloak, Refused, SignInUnavailable
from kijko.core.tokens import InvalidToken, Tokens
from kijko.settings import Auth
from kijko.settings import Keycloak as Settings

Answer = tuple[int, bytes] | None  # None: hang up


class Server(ThreadingHTTPServer):
    """With room for all who call at once: past five, the standard library's would let the sixth wait a second."""

    request_queue_size = 64


class Odd:
    """Answers each call by `answer(method, path, token)`."""

    def __init__(self) -> None:
        self.answer: Callable[[str, str, str], Answer] = lambda *_: (200, b"{}")
        self.asked: list[tuple[str, str]] = []
        self.tokens = 0
        self._server = Server(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        odd = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                odd.asked.append((self.command, self.path))
                answer: Answer
                if self.path.endswith("/token"):
                    odd.tokens += 1
                    answer = 200, json.dumps({"access_token": f"token-{odd.tokens}", "expires_in": 300}).encode()
                else:
                    answer = odd.answer(self.command, self.path, self.headers.get("Authorization", ""))
                if answer is None:
                    self.close_connection = True
                    return
                self.send_response(answer[0])
                self.send_header("Content-Length", str(len(answer[1])))
                self.end_headers()
                self.wfile.write(answer[1])

            do_GET = do_POST = do_PUT = do_DELETE = _any

            def log_message(self, *_: object) -> None:
                return

        return Handler


@pytest.fixture
def odd() -> Iterator[Odd]:
    made = Odd()
    yield made
    made.close()


@pytest.fixture
async def client(odd: Odd) -> AsyncIterator[Keycloak]:
    # Long, since none of these tests is about time: on a busy machine ten answers may take more than a second.
    made = Keycloak(Settings(url=odd.url, client_secret="dev-only", timeout_s=10))
    yield made
    await made.aclose()


SOMEBODY = uuid.uuid4()


async def test_one_service_token_serves_many_calls(odd: Odd, client: Keycloak) -> None:
    odd.answer = lambda *_: (404, b"")
    assert await asyncio.gather(*(client.user(SOMEBODY) for _ in range(10))) == [None] * 10
    assert odd.tokens == 1


async def test_a_service_token_that_died_early_is_replaced_once(odd: Odd, client: Keycloak) -> None:
    odd.answer = lambda _, __, token: (404, b"") if token == "Bearer token-2" else (401, b"{}")
    assert await client.user(SOMEBODY) is None
    assert odd.tokens == 2
    odd.answer = lambda *_: (401, b"{}")
    with pytest.raises(Refused):
        await client.user(SOMEBODY)
    assert odd.tokens == 3


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"text"', b'{"error": 7}', b"\xff"])
async def test_a_refusal_in_whatever_form_is_a_refusal(odd: Odd, client: Keycloak, body: bytes) -> None:
    odd.answer = lambda *_: (400, body)
    with pytest.raises(Refused) as caught:
        await client.user(SOMEBODY)
    assert caught.value.status == 400
    odd.answer = lambda *_: (503, body)
    with pytest.raises(SignInUnavailable):
        await client.user(SOMEBODY)


async def test_a_repeatable_call_survives_one_hang_up_and_no_other_is_repeated(odd: Odd, client: Keycloak) -> None:
    hung_up: list[str] = []

    def once(method: str, path: str, _: str) -> Answer:
        if method in hung_up:
            return 404, b""
        hung_up.append(method)
        return None

    odd.answer = once
    assert await client.user(SOMEBODY) is None
    await client.delete_user(SOMEBODY)
    with pytest.raises(SignInUnavailable):
        await client.create_user(
            email="a@b.test", password="x", first_name="A", last_name="B", organization_id=uuid.uuid4()
        )
    assert [method for method, path in odd.asked if path.startswith("/admin")] == [
        "GET",
        "GET",
        "DELETE",
        "DELETE",
        "POST",
    ]


async def test_a_server_that_says_nothing_costs_the_deadline(odd: Odd) -> None:
    hurried = Keycloak(Settings(url=odd.url, client_secret="dev-only", timeout_s=1))
    release = threading.Event()

    def hang(*_: str) -> Answer:
        release.wait(30)
        return 404, b""

    odd.answer = hang
    started = time.monotonic()
    with pytest.raises(SignInUnavailable):
        await hurried.user(SOMEBODY)
    release.set()
    assert 0.9 < time.monotonic() - started < 25  # and not until it answers
    await hurried.aclose()


async def test_verified_tokens_are_kept_until_they_expire_and_in_bounds(odd: Odd) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    public: dict[str, Any] = jwt.algorithms.OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    odd.answer = lambda *_: (200, json.dumps({"keys": [public | {"kid": "k", "alg": "EdDSA"}]}).encode())
    now = int(time.time())
    claims = {"iss": f"{odd.url}/realms/kijko", "aud": "kijko-api", "typ": "Bearer", "sid": "s", "iat": now}

    def token(expires: int) -> str:
        payload = claims | {"sub": str(uuid.uuid4()), "exp": expires}
        return jwt.encode(payload, key, algorithm="EdDSA", headers={"kid": "k"})

    async with httpx.AsyncClient() as http:
        tokens = Tokens(Settings(url=odd.url), Auth(algorithm="EdDSA", leeway_s=0), http)
        brief = token(now + 2)
        first = await tokens.verify(brief)
        assert await tokens.verify(brief) is first
        await asyncio.sleep(max(0.0, now + 2.1 - time.time()))
        with pytest.raises(InvalidToken):
            await tokens.verify(brief)
        for _ in range(4200):
            await tokens.verify(token(now + 600))
        assert len(tokens._known) == 4096
