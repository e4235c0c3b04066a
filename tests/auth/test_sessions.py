"""The caller's own sessions: seen, ended here, and ended at the sign-in server itself."""

import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest

from tests.auth.conftest import Account, Browser, Keycloak, problem
from tests.auth.test_tokens import from_now
from tests.conftest import Person, Shared, fresh_address
from tests.fakes.issuer import Issuer
from tests.spine.conftest import Served

Make = Callable[..., Any]


def session_of(tokens: dict[str, Any]) -> str:
    sid: str = jwt.decode(tokens["access_token"], options={"verify_signature": False})["sid"]
    return sid


async def listed(one: Account) -> list[dict[str, Any]]:
    answer = await one.http.get("/auth/sessions")
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()
    return found


async def test_the_list_tells_from_where_each_session_was_begun(account: Make, stack_env: dict[str, str]) -> None:
    one = await account()
    address = fresh_address()
    headers = {"X-Forwarded-For": address, "User-Agent": b"A browser\x85 of the tests " + b"x" * 1000}
    async with httpx.AsyncClient(base_url=stack_env["KIJKO_API_URL"], headers=headers) as elsewhere:
        answer = await elsewhere.post("/api/auth/login", json={"email": one.email, "password": one.password})
    found = {each["id"]: each for each in await listed(one)}
    assert found.keys() == {session_of(one.tokens), session_of(answer.json())}
    mine, other = found[session_of(one.tokens)], found[session_of(answer.json())]
    assert (mine["current"], other["current"]) == (True, False)
    assert mine["ipAddress"] == one.http.headers["x-forwarded-for"]
    assert mine["userAgent"] == one.http.headers["user-agent"]
    assert other["ipAddress"] == address
    assert other["userAgent"] == ("A browser of the tests " + "x" * 1000)[:400]
    for each in found.values():
        assert set(each) == {"id", "ipAddress", "userAgent", "startedAt", "lastAccessAt", "current"}
        started = datetime.fromisoformat(each["startedAt"])
        assert abs(started.timestamp() - time.time()) < 60
        assert datetime.fromisoformat(each["lastAccessAt"]) - started < timedelta(seconds=60)


async def test_a_session_that_is_ended_is_refused_at_once_and_no_longer_listed(
    account: Make, keycloak: Keycloak
) -> None:
    one = await account()
    other = (await one.log_in()).json()
    assert (await one.http.delete(f"/auth/sessions/{session_of(other)}")).status_code == 204
    assert await one.status_of(other["access_token"]) == 401
    assert problem(await one.refresh(other["refresh_token"])) == (401, "INVALID_REFRESH_TOKEN")
    assert [each["id"] for each in await listed(one)] == [session_of(one.tokens)]
    assert keycloak.sessions(one.email) == {session_of(one.tokens)}
    answer = await one.http.delete(f"/auth/sessions/{session_of(other)}")
    assert problem(answer) == (404, "SESSION_NOT_FOUND")


async def test_the_session_that_asks_may_be_ended_too(account: Make) -> None:
    one = await account()
    assert (await one.http.delete(f"/auth/sessions/{session_of(one.tokens)}")).status_code == 204
    assert await one.status_of() == 401


async def test_ending_all_spares_the_one_that_asks(account: Make) -> None:
    one = await account()
    others = [(await one.log_in()).json() for _ in range(2)]
    assert (await one.http.delete("/auth/sessions")).status_code == 204
    for other in others:
        assert await one.status_of(other["access_token"]) == 401
    assert await one.status_of() == 200
    assert (await one.http.delete("/auth/sessions")).status_code == 204


async def test_a_strangers_session_is_not_there(account: Make) -> None:
    one, stranger = await account(), await account()
    for wanted in (session_of(stranger.tokens), "nothing", str(uuid.uuid4()), "..%2Fusers"):
        answer = await one.http.delete(f"/auth/sessions/{wanted}")
        assert answer.status_code == 404
    assert await stranger.status_of() == 200


async def test_an_ended_session_lists_and_ends_nothing(account: Make) -> None:
    one = await account()
    other = (await one.log_in()).json()
    await one.http.post("/auth/logout")
    for answer in (
        await one.http.get("/auth/sessions"),
        await one.http.delete("/auth/sessions"),
        await one.http.delete(f"/auth/sessions/{session_of(other)}"),
        await one.http.get("/auth/identities"),
        await one.http.delete("/auth/identities/google"),
        await one.http.patch("/auth/me", json={"first_name": "Eve"}),
        await one.http.post("/auth/verify-email/resend"),
    ):
        assert problem(answer) == (401, "UNAUTHENTICATED")
    assert await one.status_of(other["access_token"]) == 200


async def test_a_logout_at_the_sign_in_server_counts_at_once(account: Make, keycloak: Keycloak) -> None:
    one = await account()
    other = (await one.log_in()).json()
    keycloak.ask("DELETE", f"/kijko/sessions/{session_of(other)}").raise_for_status()
    assert await one.status_of(other["access_token"]) == 401
    assert await one.status_of() == 200
    user = keycloak.user(one.email)
    assert user is not None
    keycloak.ask("POST", f"/kijko/users/{user['id']}/logout").raise_for_status()
    assert await one.status_of() == 401


async def test_a_logout_on_the_sign_in_servers_own_page_counts_at_once(
    account: Make, keycloak: Keycloak, browser: Browser, stack_env: dict[str, str]
) -> None:
    one = await account()
    query = "client_id=kijko-api&response_type=code&scope=openid&code_challenge_method=S256&code_challenge=" + "x" * 43
    back = f"{stack_env['KIJKO_PUBLIC_URL']}/api/auth/oauth/callback"
    realm = f"{keycloak.url}/realms/kijko/protocol/openid-connect"
    assert browser.open(f"{realm}/auth?{query}&redirect_uri={back}", until=back) is None
    assert browser.submit(until=back, username=one.email, password=one.password) is not None
    sessions = keycloak.sessions(one.email) - {session_of(one.tokens)}
    assert len(sessions) == 1
    browser.open(f"{realm}/logout")
    browser.submit()
    assert keycloak.sessions(one.email) == {session_of(one.tokens)}
    ended = [each for each in await listed(one) if each["id"] in sessions]
    assert ended == []
    assert await one.status_of() == 200


@dataclass
class Realm:
    """An API whose sign-in server is the tests' issuer, so that the tests can sign in its name."""

    issuer: Issuer
    url: str
    http: httpx.AsyncClient

    def access_token(self, person: Person, session_id: str, **changed: Any) -> str:
        claims = {"iss": f"{self.issuer.url}/realms/kijko", "sid": session_id} | changed
        return self.issuer.token(person.id, person.organization_id, **claims)

    def logout_token(self, person: Person, session_id: str | None, **changed: Any) -> str:
        claims = {"typ": "Logout", "org_id": None, "events": {EVENT: {}}, "iat": int(time.time())}
        return self.access_token(person, session_id or "", sid=session_id, **(claims | changed))

    async def status_of(self, token: str) -> int:
        answer = await self.http.get("/api/auth/me", headers={"Authorization": f"Bearer {token}"})
        return answer.status_code

    async def end(self, token: str) -> httpx.Response:
        return await self.http.post("/api/auth/backchannel-logout", data={"logout_token": token})


EVENT = "http://schemas.openid.net/event/backchannel-logout"


@pytest.fixture
async def realm(serve: Callable[..., Served], shared: Shared) -> AsyncIterator[Realm]:
    served = serve(KIJKO_KEYCLOAK_URL=shared.issuer.url, KIJKO_KEYCLOAK_PUBLIC_URL=shared.issuer.url)
    async with httpx.AsyncClient(base_url=served.url) as http:
        yield Realm(shared.issuer, served.url, http)


async def test_a_logout_token_ends_the_session_it_names_and_may_come_twice(
    realm: Realm, person: Callable[..., Person]
) -> None:
    one, sessions = person(), [str(uuid.uuid4()), str(uuid.uuid4())]
    tokens = [realm.access_token(one, each) for each in sessions]
    logout = realm.logout_token(one, sessions[0])
    for _ in range(2):
        answer = await realm.end(logout)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        assert [await realm.status_of(token) for token in tokens] == [401, 200]


async def test_a_logout_token_without_a_session_ends_all_that_came_before_it(
    realm: Realm, person: Callable[..., Person]
) -> None:
    one, stranger = person(), person()
    now = int(time.time())
    older = realm.access_token(one, "a" * 20 + one.email, iat=now - 20)
    newer = realm.access_token(one, "b" * 20 + one.email, iat=now)
    strangers = realm.access_token(stranger, "c" * 20 + one.email, iat=now - 20)
    for _ in range(2):
        assert (await realm.end(realm.logout_token(one, None, iat=now - 10))).status_code == 200
        assert [await realm.status_of(token) for token in (older, newer, strangers)] == [401, 200, 200]
    # An earlier one that comes late takes nothing back.
    assert (await realm.end(realm.logout_token(one, None, iat=now - 30))).status_code == 200
    assert await realm.status_of(older) == 401


@pytest.mark.parametrize(
    "changed",
    [
        {"events": None},
        {"events": {}},
        {"events": EVENT},
        {"nonce": "x"},
        {"iat": -3600},
        {"exp": -60},
        {"aud": "somebody"},
        {"typ": "Bearer"},
        {"sub": "nobody"},
    ],
    ids=str,
)
async def test_a_logout_token_with_one_wrong_claim_ends_nothing(
    realm: Realm, person: Callable[..., Person], changed: dict[str, Any]
) -> None:
    one, session = person(), str(uuid.uuid4())
    token = realm.access_token(one, session)
    answer = await realm.end(realm.logout_token(one, session, **from_now(changed)))
    assert problem(answer) == (401, "INVALID_LOGOUT_TOKEN")
    assert await realm.status_of(token) == 200


async def test_an_issuer_that_may_vouch_for_people_may_not_end_the_realms_sessions(
    account: Make, api: httpx.AsyncClient, shared: Shared
) -> None:
    one = await account()
    claims = jwt.decode(one.tokens["access_token"], options={"verify_signature": False})
    token = shared.issuer.token(uuid.UUID(claims["sub"]), None, sid=claims["sid"], typ="Logout", events={EVENT: {}})
    answer = await api.post("/api/auth/backchannel-logout", data={"logout_token": token})
    assert problem(answer) == (401, "INVALID_LOGOUT_TOKEN")
    assert await one.status_of() == 200


async def test_a_logout_call_without_a_token_is_refused(api: httpx.AsyncClient) -> None:
    for body in (b"", b"logout_token=", b"\xff\xfe", b'{"logout_token": "x"}'):
        answer = await api.post("/api/auth/backchannel-logout", content=body)
        assert problem(answer) == (401, "INVALID_LOGOUT_TOKEN")
