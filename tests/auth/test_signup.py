"""Signing up: all of it, or nothing."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import httpx
import jwt
import psycopg
import pytest

from tests.auth.conftest import Account, Browser, Keycloak, Mailbox, fresh_email, link_in, problem, signup_body
from tests.conftest import fresh_address

Owner = psycopg.Connection[Any]


async def test_a_new_person_is_signed_in_to_an_organization_of_their_own(account: Callable[..., Any]) -> None:
    one = await account()
    assert one.tokens.keys() == {"access_token", "refresh_token", "token_type", "expires_in", "refresh_expires_in"}
    assert one.tokens["token_type"] == "Bearer"
    profile = (await one.http.get("/auth/me")).json()
    assert UUID(profile.pop("id"))
    claims = jwt.decode(one.tokens["access_token"], options={"verify_signature": False})
    # The token lives for exactly 300 s; expires_in is what is left of them when Keycloak has written its answer.
    assert claims["exp"] - claims["iat"] == 300
    assert 295 <= one.tokens["expires_in"] <= 300
    assert claims["org_id"] == profile.pop("org_id")
    assert profile == {
        "email": one.email,
        "first_name": "Ada",
        "last_name": "Lovelace",
        "roles": ["owner"],
        "plan": "free",
    }


async def test_both_names_of_the_api_sign_up_and_in(api: httpx.AsyncClient) -> None:
    email = fresh_email()
    assert (await api.post("/api/v1/auth/signup", json=signup_body(email))).status_code == 201
    answer = await api.post("/api/auth/login", json={"email": email, "password": signup_body(email)["password"]})
    assert answer.status_code == 200


async def test_addresses_are_told_apart_by_neither_case_nor_surrounding_blanks(account: Callable[..., Any]) -> None:
    one = await account()
    answer = await one.http.post("/auth/signup", json=signup_body(f"  {one.email.upper()} "))
    assert problem(answer) == (409, "EMAIL_EXISTS")
    answer = await one.http.post("/auth/login", json={"email": f" {one.email.upper()}", "password": one.password})
    assert answer.status_code == 200
    assert (await one.http.get("/auth/me")).json()["email"] == one.email.lower()


async def test_of_two_sign_ups_with_one_address_at_once_one_wins(api: httpx.AsyncClient, owner: Owner) -> None:
    email = fresh_email()
    answers = await asyncio.gather(*(api.post("/api/auth/signup", json=signup_body(email)) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    count = owner.execute("select count(*) from users where email = %s", (email,)).fetchone()
    assert count == (1,)


@pytest.mark.parametrize("password", ["", "short12", "x" * 129])
async def test_a_password_that_the_policy_refuses_makes_nobody(
    api: httpx.AsyncClient, keycloak: Keycloak, owner: Owner, password: str
) -> None:
    email = fresh_email()
    answer = await api.post("/api/auth/signup", json=signup_body(email, password=password))
    assert problem(answer) == (422, "WEAK_PASSWORD")
    assert answer.json()["field"] == "password"
    assert "128" in answer.json()["detail"] or "8 characters" in answer.json()["detail"]
    assert keycloak.user(email) is None
    assert owner.execute("select count(*) from pending_signups where email = %s", (email,)).fetchone() == (0,)


async def test_the_address_itself_is_no_password(api: httpx.AsyncClient) -> None:
    email = fresh_email()
    assert problem(await api.post("/api/auth/signup", json=signup_body(email, password=email))) == (
        422,
        "WEAK_PASSWORD",
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "nobody"),
        ("email", "no one@people.test"),
        ("email", "a@b"),
        ("email", "a@b..test"),
        ("email", "@people.test"),
        ("email", "a" * 65 + "@people.test"),
        ("email", "a@" + ".".join(["b" * 60] * 5) + ".test"),
        ("email", "a..b@people.test"),
        ("first_name", "  "),
        ("first_name", "x" * 256),
        ("last_name", "a\nb"),
        ("last_name", "<script>"),
        ("last_name", "\x00"),
    ],
)
async def test_what_cannot_be_an_address_or_a_name_is_named(api: httpx.AsyncClient, field: str, value: str) -> None:
    answer = await api.post("/api/auth/signup", json=signup_body(fresh_email()) | {field: value})
    assert problem(answer) == (422, "VALIDATION_ERROR")
    assert answer.json()["field"] == field


async def test_a_mail_to_prove_the_address_goes_out_and_its_link_proves_it(
    account: Callable[..., Any], mailbox: Mailbox, keycloak: Keycloak, browser: Browser
) -> None:
    one = await account()
    mail = mailbox.wait(one.email, subject="Verify")
    user = keycloak.user(one.email)
    assert user is not None
    assert user["emailVerified"] is False
    browser.open(link_in(mail))
    browser.follow("action-token")
    user = keycloak.user(one.email)
    assert user is not None
    assert user["emailVerified"] is True


async def test_asking_again_sends_the_mail_again_until_it_is_proven(
    account: Callable[..., Any], mailbox: Mailbox, keycloak: Keycloak
) -> None:
    one = await account()
    mailbox.wait(one.email, subject="Verify")
    answer = await one.http.post("/auth/verify-email/resend")
    assert (answer.status_code, answer.json()) == (202, {"success": True})
    mailbox.wait(one.email, subject="Verify", count=2)
    keycloak.update_user(one.email, emailVerified=True)
    assert (await one.http.post("/auth/verify-email/resend")).status_code == 202
    await asyncio.sleep(1)
    assert len(mailbox.to(one.email)) == 2


async def test_the_mail_is_sent_five_times_a_minute_to_a_person_wherever_they_ask_from(
    account: Callable[..., Any], keycloak: Keycloak
) -> None:
    one = await account()
    keycloak.update_user(one.email, emailVerified=True)  # so that no mail goes out
    for left in (4, 3, 2, 1, 0):
        answer = await resend(one, fresh_address())
        assert answer.status_code == 202
        assert answer.headers["ratelimit-policy"] == '"resend";q=5;w=60'
        assert answer.headers["ratelimit-remaining"] == str(left)
    refused = await resend(one, fresh_address())
    assert problem(refused) == (429, "RATE_LIMITED")
    assert {"metric": "auth_attempts", "limit": 5, "used": 5}.items() <= refused.json()["details"].items()
    assert 0 < int(refused.headers["retry-after"]) <= 60


async def test_the_mail_is_sent_five_times_a_minute_from_an_address_whoever_asks(
    account: Callable[..., Any], keycloak: Keycloak
) -> None:
    address, people = fresh_address(), [await account(), await account()]
    for one in people:
        keycloak.update_user(one.email, emailVerified=True)
    found = [(await resend(people[turn % 2], address)).status_code for turn in range(6)]
    assert found == [202] * 5 + [429]


async def resend(one: Account, address: str) -> httpx.Response:
    return await one.http.post("/auth/verify-email/resend", headers={"X-Forwarded-For": address})
