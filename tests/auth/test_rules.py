"""What needs no server: addresses, names, devices, refresh tokens that say their session, and keys that are fetched."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from kijko.core.errors import Invalid
from kijko.core.jwks import KeySet, KeysUnavailable
from kijko.services.identity import rules
from kijko.services.identity.login import named_session


@pytest.mark.parametrize(
    "address",
    ["ada@example.org", "a.b+c_d@sub.example.co", "o'brien@x-y.test", "ü@exämple.test", "a@b.cd", "1@2.34"],
)
def test_addresses_of_every_kind_are_taken(address: str) -> None:
    assert rules.email(f" {address.upper()}\n") == address.upper().lower()


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("", "no @"),
        ("ada", "no @"),
        ("@example.org", "before the @"),
        ("a b@example.org", "before the @"),
        (".a@example.org", "a dot"),
        ("=?utf-8?q?=61da?=@example.org", "another address"),
        ("a@example", "with a dot"),
        ("a@-example.org", "mail server"),
        ("a@example..org", "mail server"),
        ("a@exa mple.org", "mail server"),
        ("a@b@example.org", "before the @"),
        ("a@" + "b" * 250 + ".org", "longer than 255"),
    ],
)
def test_a_bad_address_is_told_why(address: str, reason: str) -> None:
    with pytest.raises(Invalid, match=reason) as caught:
        rules.email(address)
    assert caught.value.field == "email"


def test_an_organizations_first_name_fits_whatever_the_person_is_called() -> None:
    assert rules.organization_name("Ada", "ada@example.org") == "Ada's organization"
    assert rules.organization_name("", "ada@example.org") == "ada's organization"
    assert rules.organization_name("", "") == "My's organization"
    assert len(rules.organization_name("x" * 255, "")) == 100


def test_a_device_that_says_nothing_says_nothing() -> None:
    assert rules.Device.of("10.0.0.1", None).user_agent is None
    assert rules.Device.of("10.0.0.1", "\x00\x01").user_agent is None


@pytest.mark.parametrize(
    ("payload", "session"),
    [({"sid": "abc"}, "abc"), ({"sid": 7}, None), ({}, None), ({"sid": "a\x00b"}, None), ([], None), ("x", None)],
)
def test_a_refresh_token_says_its_session_or_nothing(payload: Any, session: str | None) -> None:
    token = jwt.api_jws.encode(json.dumps(payload).encode(), "dev-only-secret" * 5, algorithm="HS512")
    assert named_session(token) == session


class Jwks:
    """An issuer's keys over HTTP, and how often they were asked for."""

    def __init__(self) -> None:
        self.document: Any = {"keys": []}
        self.status = 200
        self.asked = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        jwks = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                jwks.asked += 1
                body = json.dumps(jwks.document).encode()
                self.send_response(jwks.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                return

        return Handler


@pytest.fixture
def jwks() -> Iterator[Jwks]:
    made = Jwks()
    yield made
    made.close()


def public(kid: str, **more: Any) -> dict[str, Any]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    return jwt.algorithms.RSAAlgorithm.to_jwk(key, as_dict=True) | {"kid": kid, "use": "sig", "alg": "RS256"} | more


async def test_people_who_come_at_once_share_one_fetch(jwks: Jwks) -> None:
    jwks.document = {"keys": [public("one")]}
    async with httpx.AsyncClient() as http:
        keys = KeySet(jwks.url, "RS256", http, refetch_s=60)
        found = await asyncio.gather(*(keys.get("one") for _ in range(20)))
    assert all(each is not None for each in found)
    assert jwks.asked == 1


async def test_a_made_up_key_id_fetches_no_oftener_than_allowed(jwks: Jwks) -> None:
    jwks.document = {"keys": [public("one")]}
    async with httpx.AsyncClient() as http:
        keys = KeySet(jwks.url, "RS256", http, refetch_s=0.5)
        for turn in range(50):
            assert await keys.get(f"made up {turn}") is None
        assert jwks.asked == 1
        jwks.document = {"keys": [public("one"), public("two")]}
        await asyncio.sleep(0.6)
        assert await keys.get("two") is not None
        assert jwks.asked == 2


async def test_only_keys_that_sign_with_the_pinned_algorithm_count(jwks: Jwks) -> None:
    elliptic = jwt.algorithms.ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key(), as_dict=True)
    jwks.document = {
        "keys": [
            public("sig"),
            public("enc", use="enc"),
            public("other", alg="RS512"),
            elliptic | {"kid": "ec", "use": "sig", "alg": "ES256"},
            {"kty": "odd", "kid": "odd", "alg": "RS256"},
            {"kid": "odd"},
            7,
        ]
    }
    async with httpx.AsyncClient() as http:
        keys = KeySet(jwks.url, "RS256", http, refetch_s=60)
        assert [kid for kid in ("sig", "enc", "other", "ec", "odd") if await keys.get(kid)] == ["sig"]


async def test_with_the_issuer_down_known_keys_go_on_and_unknown_ones_wait(jwks: Jwks) -> None:
    async with httpx.AsyncClient() as http:
        jwks.status = 503
        keys = KeySet(jwks.url, "RS256", http, refetch_s=0.1)
        with pytest.raises(KeysUnavailable):
            await keys.get("one")
        jwks.status, jwks.document = 200, {"keys": [public("one")]}
        assert await keys.get("one") is not None
        for broken in ({"keys": []}, {}, [], {"keys": "x"}, {"keys": [7]}, None):
            jwks.document = broken
            await asyncio.sleep(0.12)
            assert await keys.get("two") is None
            assert await keys.get("one") is not None
        jwks.close()
        await asyncio.sleep(0.12)
        assert await keys.get("two") is None
        assert await keys.get("one") is not None
