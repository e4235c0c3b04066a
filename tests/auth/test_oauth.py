"""Signing in with Google (a second realm plays it) and GitHub (a stand-in, behind Keycloak's real provider)."""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import jwt
import psycopg
import pytest

from tests.auth.conftest import (
    UPSTREAM_PASSWORD,
    Account,
    Browser,
    Fragile,
    Keycloak,
    Mailbox,
    Upstream,
    fresh_email,
    problem,
)
from tests.conftest import fresh_address
from tests.fakes.github import GitHub
from tests.spine.conftest import Served

Make = Callable[..., Any]


@pytest.fixture
def start(stack_env: dict[str, str]) -> str:
    return stack_env["KIJKO_PUBLIC_URL"] + "/api/auth/oauth"


def fragment(target: str | None, page: httpx.Response) -> dict[str, str]:
    """What the web app is told."""
    assert target is not None, page.text
    address = urlsplit(target)
    assert address.path == "/auth/callback"
    assert address.query == ""
    return {name: values[0] for name, values in parse_qs(address.fragment, strict_parsing=True).items()}


def google(browser: Browser, start: str, email: str) -> str | None:
    """Sign in at Google."""
    assert browser.open(f"{start}/google") is None
    return browser.submit(username=email, password=UPSTREAM_PASSWORD)


async def tokens(api: httpx.AsyncClient, target: str | None, browser: Browser) -> dict[str, Any]:
    said = fragment(target, browser.page)
    assert said.keys() == {"code"}, said
    answer = await api.post("/api/auth/oauth/token", json={"code": said["code"]})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def carrying(api: httpx.AsyncClient, given: dict[str, Any]) -> dict[str, Any]:
    return {"headers": {"Authorization": f"Bearer {given['access_token']}"}}


async def test_a_first_google_sign_in_makes_an_account_with_an_organization(
    api: httpx.AsyncClient, upstream: Upstream, browser: Browser, start: str
) -> None:
    email = fresh_email()
    upstream.person(email)
    given = await tokens(api, google(browser, start, email), browser)
    me = carrying(api, given)
    profile = (await api.get("/api/auth/me", **me)).json()
    assert (profile["email"], profile["first_name"], profile["last_name"]) == (email, "Grace", "Hopper")
    assert profile["roles"] == ["owner"]
    claims = jwt.decode(given["access_token"], options={"verify_signature": False})
    assert claims["org_id"] == profile["org_id"]
    assert (await api.get("/api/auth/identities", **me)).json() == [{"provider": "google", "username": email}]
    sessions = (await api.get("/api/auth/sessions", **me)).json()
    assert [each["current"] for each in sessions] == [True]
    renewed = await api.post("/api/auth/refresh", json={"refresh_token": given["refresh_token"]})
    assert renewed.status_code == 200


async def test_the_second_google_sign_in_is_the_same_person(
    api: httpx.AsyncClient, upstream: Upstream, browser: Browser, start: str
) -> None:
    email = fresh_email()
    upstream.person(email)
    first = await tokens(api, google(browser, start, email), browser)
    again = Browser()
    second = await tokens(api, google(again, start, email), again)
    profiles = [(await api.get("/api/auth/me", **carrying(api, each))).json() for each in (first, second)]
    assert profiles[0] == profiles[1]


async def test_github_signs_in_through_keycloaks_own_provider(
    api: httpx.AsyncClient, github: GitHub, browser: Browser, keycloak: Keycloak, mailbox: Mailbox
) -> None:
    email = fresh_email()
    start = str(api.base_url) + "/api/auth/oauth"
    github.be(int(email[:6], 16), "octo", email)
    given = await tokens(api, browser.open(f"{start}/github"), browser)
    me = carrying(api, given)
    assert (await api.get("/api/auth/me", **me)).json()["email"] == email
    assert (await api.get("/api/auth/identities", **me)).json() == [{"provider": "github", "username": "octo"}]
    assert "/api/user/emails" in github.asked
    user = keycloak.user(email)
    assert user is not None
    assert user["emailVerified"] is False  # GitHub gives unproven addresses too, and Keycloak does not look
    mailbox.wait(email, subject="Verify")


async def test_who_says_no_at_github_reads_so_and_may_try_another_way(
    github: GitHub, browser: Browser, start: str
) -> None:
    github.refuses = True
    assert browser.open(f"{start}/github") is None
    assert "Access denied when authenticating with GitHub" in browser.page.text


async def test_the_code_works_once(api: httpx.AsyncClient, upstream: Upstream, browser: Browser, start: str) -> None:
    email = fresh_email()
    upstream.person(email)
    code = fragment(google(browser, start, email), browser.page)["code"]
    assert (await api.post("/api/auth/oauth/token", json={"code": code})).status_code == 200
    assert problem(await api.post("/api/auth/oauth/token", json={"code": code})) == (401, "INVALID_CODE")


async def test_the_code_works_for_a_minute_and_not_after_its_session_ended(
    api: httpx.AsyncClient,
    upstream: Upstream,
    start: str,
    keycloak: Keycloak,
    owner: psycopg.Connection[Any],
) -> None:
    codes = []
    emails = [fresh_email(), fresh_email()]
    for email in emails:
        upstream.person(email)
        browser = Browser()
        codes.append(fragment(google(browser, start, email), browser.page)["code"])
    left = owner.execute("select max(expires_at) - now() < interval '61 seconds' from sign_in_codes").fetchone()
    assert left == (True,)
    late = "update sign_in_codes set expires_at = now() where session_id = %s"
    owner.execute(late, (next(iter(keycloak.sessions(emails[0]))),))
    keycloak.ask("DELETE", f"/kijko/sessions/{next(iter(keycloak.sessions(emails[1])))}").raise_for_status()
    for code in (*codes, "nothing", "ü"):
        assert problem(await api.post("/api/auth/oauth/token", json={"code": code})) == (401, "INVALID_CODE")


async def test_where_the_browser_is_sent(api: httpx.AsyncClient, stack_env: dict[str, str]) -> None:
    for prefix in ("/api", "/api/v1"):
        answer = await api.get(f"{prefix}/auth/oauth/google")
        assert answer.status_code == 302
        target = urlsplit(answer.headers["location"])
        query = {name: values[0] for name, values in parse_qs(target.query).items()}
        assert f"{target.scheme}://{target.netloc}" == stack_env["KIJKO_KEYCLOAK_URL"]
        assert target.path == "/realms/kijko/protocol/openid-connect/auth"
        assert query["kc_idp_hint"] == "google"
        assert query["response_type"] == "code"
        assert query["redirect_uri"] == stack_env["KIJKO_PUBLIC_URL"] + "/api/auth/oauth/callback"
        assert query["code_challenge_method"] == "S256"
        assert min(len(query[name]) for name in ("state", "nonce", "code_challenge")) >= 43
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=lax" in cookie.lower()
        assert query["state"] not in cookie


@pytest.mark.parametrize("provider", ["gitlab", "Google", "kijko", "..", "google%00"])
async def test_an_unknown_provider_is_a_404(api: httpx.AsyncClient, provider: str) -> None:
    answer = await api.get(f"/api/auth/oauth/{provider}")
    assert answer.status_code in {404, 422}
    if answer.status_code == 404 and provider != "..":
        assert problem(answer) == (404, "UNKNOWN_PROVIDER")


async def test_a_provider_that_is_not_set_up_here_is_said_in_the_web_app_before_the_browser_leaves(
    serve: Callable[..., Served],
) -> None:
    served = serve(KIJKO_GOOGLE_CLIENT_ID="")
    async with httpx.AsyncClient(base_url=served.url, headers={"X-Forwarded-For": fresh_address()}) as http:
        refused, other = await http.get("/api/auth/oauth/google"), await http.get("/api/auth/oauth/github")
    assert refused.status_code == 302
    said = fragment(refused.headers["location"], refused)
    assert said["error"] == "unknown_provider"
    assert said["error_description"] == "Signing in with Google is not set up here. Choose another way to sign in."
    assert "set-cookie" not in refused.headers
    assert "kc_idp_hint=github" in other.headers["location"]


async def test_another_browser_cannot_finish_what_this_one_began(
    api: httpx.AsyncClient, upstream: Upstream, browser: Browser, start: str, stack_env: dict[str, str]
) -> None:
    email = fresh_email()
    upstream.person(email)
    callback = f"{stack_env['KIJKO_PUBLIC_URL']}/api/auth/oauth/callback?"
    assert browser.open(f"{start}/google", until=callback) is None
    target = browser.submit(until=callback, username=email, password=UPSTREAM_PASSWORD)
    assert target is not None
    stranger = Browser()
    stranger.open(f"{start}/google", until="/login-actions/")  # one that has a sign-in of its own under way
    assert fragment(stranger.open(target), stranger.page)["error"] == "invalid_state"
    # The code was not spent on it: its own browser goes on.
    assert (await tokens(api, browser.open(target), browser))["token_type"] == "Bearer"
    assert fragment(browser.open(target), browser.page)["error"] == "invalid_state"


async def test_what_comes_back_wrong_ends_in_the_web_app_with_an_error(
    api: httpx.AsyncClient, stack_env: dict[str, str]
) -> None:
    begun = await api.get("/api/auth/oauth/google")
    state = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]
    issuer = stack_env["KIJKO_KEYCLOAK_URL"] + "/realms/kijko"
    for query, error in (
        ({}, "invalid_request"),
        ({"state": state}, "invalid_request"),
        ({"state": state, "error": "access_denied"}, "access_denied"),
        ({"state": "another", "code": "x"}, "invalid_state"),
        ({"state": state, "code": "x", "iss": issuer + "x"}, "invalid_state"),
        ({"state": state, "code": "x", "iss": issuer}, "invalid_state"),
    ):
        api.cookies.update(begun.cookies)
        answer = await api.get("/api/auth/oauth/callback", params=query)
        assert answer.status_code == 302
        assert answer.headers["location"].startswith(stack_env.get("KIJKO_WEB_URL", "http://localhost:3000") + "/")
        said = fragment(answer.headers["location"], answer)
        assert said["error"] == error
        assert said["error_description"].endswith(".")


@pytest.mark.parametrize("verified", [(True, True), (True, False), (False, True), (False, False)], ids=str)
async def test_google_never_enters_an_existing_account_by_its_address_alone(
    account: Make, upstream: Upstream, browser: Browser, start: str, verified: tuple[bool, bool]
) -> None:
    one: Account = await account()
    here, there = verified
    keycloak = upstream.keycloak
    keycloak.update_user(one.email, emailVerified=here)
    upstream.person(one.email, verified=there)
    before = keycloak.sessions(one.email)
    assert google(browser, start, one.email) is None  # a question instead: is it the same person?
    assert browser.submit(press="linkAccount") is None  # … who then must show the account's own password
    assert "password" in browser.page.text
    assert browser.submit(username=one.email, password=UPSTREAM_PASSWORD) is None
    assert keycloak.sessions(one.email) == before
    assert (await one.http.get("/auth/identities")).json() == []


async def test_with_the_accounts_own_password_google_is_connected_to_it(
    api: httpx.AsyncClient, account: Make, upstream: Upstream, browser: Browser, start: str
) -> None:
    one = await account()
    upstream.person(one.email)
    google(browser, start, one.email)
    browser.submit(press="linkAccount")
    given = await tokens(api, browser.submit(username=one.email, password=one.password), browser)
    mine, theirs = (
        (await one.http.get("/auth/me")).json(),
        (await api.get("/api/auth/me", **carrying(api, given))).json(),
    )
    assert mine == theirs
    assert [each["provider"] for each in (await one.http.get("/auth/identities")).json()] == ["google"]
    assert (await one.http.delete("/auth/identities/google")).status_code == 204
    assert (await one.http.get("/auth/identities")).json() == []
    assert problem(await one.http.delete("/auth/identities/google")) == (404, "IDENTITY_NOT_FOUND")
    assert problem(await one.http.delete("/auth/identities/github")) == (404, "IDENTITY_NOT_FOUND")


async def test_the_only_way_in_stays_until_there_is_a_password(
    api: httpx.AsyncClient, upstream: Upstream, browser: Browser, start: str, keycloak: Keycloak
) -> None:
    email = fresh_email()
    upstream.person(email)
    me = carrying(api, await tokens(api, google(browser, start, email), browser))
    assert problem(await api.delete("/api/auth/identities/google", **me)) == (409, "LAST_CREDENTIAL")
    body = {"current_password": "", "new_password": "dev-only-password-2"}
    answer = await api.post("/api/auth/password/change", json=body, **me)
    assert problem(answer) == (401, "INVALID_CREDENTIALS")
    user = keycloak.user(email)
    assert user is not None
    password = {"type": "password", "value": "dev-only-password-2", "temporary": False}
    keycloak.ask("PUT", f"/kijko/users/{UUID(user['id'])}/reset-password", json=password).raise_for_status()
    assert (await api.delete("/api/auth/identities/google", **me)).status_code == 204


async def test_behind_https_the_cookie_is_for_https_alone(serve: Callable[..., Served]) -> None:
    served = serve(KIJKO_PUBLIC_URL="https://api.kijko.test")
    async with httpx.AsyncClient(base_url=served.url, headers={"X-Forwarded-For": fresh_address()}) as http:
        answer = await http.get("/api/auth/oauth/github")
    assert "; Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize("part", ["database", "keycloak"])
async def test_a_sign_in_that_cannot_be_finished_ends_in_the_web_app_and_leaves_no_session(
    upstream: Upstream, browser: Browser, start: str, fragile: Callable[..., Fragile], part: str
) -> None:
    email = fresh_email()
    upstream.person(email)
    other = fragile()  # another process, which has the browser's cookie decrypted like the one that made it
    callback = f"{start}/callback?"
    assert browser.open(f"{start}/google", until=callback) is None
    target = browser.submit(until=callback, username=email, password=UPSTREAM_PASSWORD)
    assert target is not None
    getattr(other, part).cut()
    answer = browser.http.get(target.replace(start, f"{other.served.url}/api/auth/oauth"))
    said = fragment(answer.headers["location"], answer)
    assert said["error"] == "temporarily_unavailable"
    if part == "database":
        for _ in range(50):
            if not upstream.keycloak.sessions(email):
                break
            await asyncio.sleep(0.1)
        assert upstream.keycloak.sessions(email) == set()


async def test_disconnecting_the_last_two_at_once_leaves_a_way_in(
    api: httpx.AsyncClient, upstream: Upstream, browser: Browser, start: str
) -> None:
    email = fresh_email()
    upstream.person(email)
    me = carrying(api, await tokens(api, google(browser, start, email), browser))
    user = upstream.keycloak.user(email)
    assert user is not None
    github = {"identityProvider": "github", "userId": email, "userName": "octo"}
    upstream.keycloak.ask(
        "POST", f"/kijko/users/{user['id']}/federated-identity/github", json=github
    ).raise_for_status()
    answers = await asyncio.gather(*(api.delete(f"/api/auth/identities/{each}", **me) for each in ("google", "github")))
    assert {answer.status_code for answer in answers} <= {204, 409}
    assert len((await api.get("/api/auth/identities", **me)).json()) >= 1
