"""Which access tokens are believed. Forged ones differ from a good one in a single point each."""

import base64
import hmac
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.auth.conftest import Keycloak
from tests.conftest import Person, Shared
from tests.fakes.issuer import KID

Make = Callable[..., Any]


async def refused(api: httpx.AsyncClient, token: str) -> None:
    answer = await api.get("/api/auth/me", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401, answer.text
    assert answer.json()["code"] == "UNAUTHENTICATED"
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'


def payload_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def signed(payload: dict[str, Any], key: Any, *, algorithm: str = "RS256", **headers: Any) -> str:
    """By hand: the library refuses to make most of these."""

    def part(document: dict[str, Any]) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=")

    head = part({"alg": algorithm, "typ": "JWT", "kid": KID} | headers) + b"." + part(payload)
    signature = _SIGN[algorithm](key, head)
    return (head + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


_SIGN: dict[str, Callable[[Any, bytes], bytes]] = {
    "RS256": lambda key, head: key.sign(head, padding.PKCS1v15(), hashes.SHA256()),
    "RS512": lambda key, head: key.sign(head, padding.PKCS1v15(), hashes.SHA512()),
    "PS256": lambda key, head: key.sign(head, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()),
    "HS256": lambda key, head: hmac.new(key, head, "sha256").digest(),
    "none": lambda _, __: b"",
}


def from_now(changed: dict[str, Any]) -> dict[str, Any]:
    """Times given as seconds from now."""
    times = {name: int(time.time()) + changed[name] for name in ("exp", "iat", "nbf") if changed.get(name) is not None}
    return changed | times


async def test_a_token_of_each_trusted_issuer_is_believed(
    account: Make, person: Callable[..., Person], api: httpx.AsyncClient
) -> None:
    for token in ((await account()).tokens["access_token"], person().token):
        answer = await api.get("/api/auth/me", headers={"Authorization": f"bearer {token}"})
        assert answer.status_code == 200


async def test_without_a_token_the_answer_names_the_scheme_alone(api: httpx.AsyncClient) -> None:
    for headers in ({}, {"Authorization": ""}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer"}):
        answer = await api.get("/api/auth/me", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("token", ["x", "a.b.c", "....", "ä", "x" * 20_000, "e30.e30.", "null.null.null"])
async def test_what_is_no_token_is_refused(api: httpx.AsyncClient, token: str) -> None:
    answer = await api.get("/api/auth/me", headers={"Authorization": b"Bearer " + token.encode("latin-1")})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": -60},
        {"exp": None},
        {"iat": None},
        {"iat": 600},
        {"nbf": 600},
        {"aud": "account"},
        {"aud": None},
        {"iss": "http://127.0.0.1:1/realms/kijko"},
        {"iss": None},
        {"iss": ["http://127.0.0.1:1"]},
        {"sub": None},
        {"sub": "somebody"},
        {"sub": 7},
        {"sid": None},
        {"sid": ""},
        {"sid": 7},
        {"typ": "ID"},
        {"typ": "Refresh"},
        {"typ": None},
    ],
    ids=str,
)
async def test_one_wrong_claim_is_enough(
    api: httpx.AsyncClient, person: Callable[..., Person], shared: Shared, changed: dict[str, Any]
) -> None:
    claims = payload_of(person().token) | from_now(changed)
    token = signed({name: value for name, value in claims.items() if value is not None}, shared.issuer.private_key)
    await refused(api, token)


async def test_a_signature_of_another_key_is_refused(api: httpx.AsyncClient, person: Callable[..., Person]) -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    token = person().token
    await refused(api, signed(payload_of(token), other))
    await refused(api, signed(payload_of(token), other, kid="another"))
    await refused(api, signed(payload_of(token), other, kid=7))
    await refused(api, signed(payload_of(token), other, jwk={"kty": "oct", "k": "AAAA"}))
    await refused(api, token[:-4] + "AAAA")


async def test_a_hand_made_token_with_the_right_key_is_believed(
    api: httpx.AsyncClient, person: Callable[..., Person], shared: Shared
) -> None:
    """Else the refusals here would prove nothing."""
    token = signed(payload_of(person().token), shared.issuer.private_key)
    answer = await api.get("/api/auth/me", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200


async def test_a_changed_payload_is_refused(api: httpx.AsyncClient, person: Callable[..., Person]) -> None:
    mine, theirs = person().token.split("."), person().token.split(".")
    await refused(api, ".".join((mine[0], theirs[1], mine[2])))


async def test_the_token_does_not_choose_its_algorithm(
    api: httpx.AsyncClient, person: Callable[..., Person], shared: Shared
) -> None:
    claims = payload_of(person().token)
    public = shared.issuer.private_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    await refused(api, signed(claims, None, algorithm="none"))
    await refused(api, signed(claims, public, algorithm="HS256"))
    await refused(api, signed(claims, shared.issuer.private_key, algorithm="RS512"))
    await refused(api, signed(claims, shared.issuer.private_key, algorithm="PS256"))


async def test_a_refresh_token_an_id_token_or_a_service_account_opens_nothing(
    account: Make, api: httpx.AsyncClient, keycloak: Keycloak, stack_env: dict[str, str]
) -> None:
    one = await account()
    await refused(api, one.tokens["refresh_token"])
    client = {"client_id": "kijko-api", "client_secret": stack_env["KIJKO_KEYCLOAK_CLIENT_SECRET"]}
    await refused(api, keycloak.grant("kijko", grant_type="client_credentials", **client)["access_token"])
    login = {"grant_type": "password", "username": one.email, "password": one.password, "scope": "openid"}
    await refused(api, keycloak.grant("kijko", **login, **client)["id_token"])


async def test_another_realms_token_is_refused(api: httpx.AsyncClient, keycloak: Keycloak) -> None:
    await refused(api, keycloak.token())


async def test_the_header_picks_an_organization_of_the_person_and_no_other(
    person: Callable[..., Person], api: httpx.AsyncClient
) -> None:
    one, stranger = person(), person()
    for wanted in (str(one.organization_id), str(one.organization_id).upper()):
        answer = await one.http.get("/auth/me", headers={"X-Organization-Id": wanted})
        assert answer.json()["org_id"] == str(one.organization_id)
    for wanted in (str(stranger.organization_id), str(uuid.uuid4()), "mine", ""):
        answer = await one.http.get("/auth/me", headers={"X-Organization-Id": wanted})
        assert (answer.status_code, answer.json()["code"]) == (404, "ORGANIZATION_NOT_FOUND")


async def test_a_token_whose_default_organization_is_a_strangers_falls_back(
    person: Callable[..., Person], shared: Shared
) -> None:
    one, stranger = person(), person()
    for default in (stranger.organization_id, None):
        token = shared.issuer.token(one.id, default, email=one.email)
        answer = await one.http.get("/auth/me", headers={"Authorization": f"Bearer {token}"})
        assert answer.json()["org_id"] == str(one.organization_id)
    odd = shared.issuer.token(one.id, None, org_id="odd", email=one.email)
    answer = await one.http.get("/auth/me", headers={"Authorization": f"Bearer {odd}"})
    assert answer.json()["org_id"] == str(one.organization_id)
