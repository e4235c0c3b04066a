"""A refresh token that turns up again ends its session, access tokens included; a forged one ends nothing."""

import asyncio
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import psycopg
import pytest

from tests.auth.conftest import Account, Fragile, Keycloak, problem
from tests.auth.test_sessions import session_of
from tests.spine.conftest import Served

Make = Callable[..., Any]


def forged(refresh_token: str, **changed: Any) -> str:
    """A refresh token with other claims and the signature it had."""
    head, payload, signature = refresh_token.split(".")
    claims = orjson.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4))) | changed
    return ".".join((head, urlsafe_b64encode(orjson.dumps(claims)).decode().rstrip("="), signature))


async def replayed(one: Account) -> tuple[str, dict[str, Any]]:
    """The token that was used up a while ago, and the tokens that it was exchanged for."""
    used = one.tokens["refresh_token"]
    fresh = await one.refresh()
    assert fresh.status_code == 200
    one.use(fresh.json())
    await asyncio.sleep(1.5)
    return used, fresh.json()


async def test_a_replayed_refresh_token_ends_the_sessions_access_tokens_in_every_process(
    account: Make, serve: Callable[..., Served], keycloak: Keycloak, stack_env: dict[str, str]
) -> None:
    quick = serve(KIJKO_AUTH_REFRESH_REUSE_S="1")
    one = await account(url=quick.url)
    other = (await one.log_in()).json()
    used, fresh = await replayed(one)
    assert await one.status_of() == 200
    assert problem(await one.refresh(used)) == (401, "INVALID_REFRESH_TOKEN")
    assert await one.status_of() == 401
    elsewhere = {"Authorization": f"Bearer {fresh['access_token']}"}
    async with httpx.AsyncClient(base_url=stack_env["KIJKO_API_URL"], headers=elsewhere) as http:
        assert problem(await http.get("/api/auth/me")) == (401, "UNAUTHENTICATED")
    assert problem(await one.refresh()) == (401, "INVALID_REFRESH_TOKEN")
    assert await one.status_of(other["access_token"]) == 200
    for _ in range(50):
        if keycloak.sessions(one.email) == {session_of(other)}:
            break
        await asyncio.sleep(0.1)
    assert keycloak.sessions(one.email) == {session_of(other)}


async def test_a_forged_refresh_token_ends_no_living_session(account: Make, owner: psycopg.Connection[Any]) -> None:
    one, stranger = await account(), await account()
    mine, theirs = one.tokens["refresh_token"], stranger.tokens["refresh_token"]
    me = (await one.http.get("/auth/me")).json()["id"]
    for token in (
        forged(mine, jti=str(uuid4())),  # my session, as it is
        forged(theirs, sid=session_of(one.tokens)),  # my session, said to be a stranger's
        forged(mine, sub=str(uuid4())),
        forged(mine, sub=None),
        forged(mine, sid=str(uuid4())),  # a session that nobody has
        forged(mine, sid="x" * 5000),
    ):
        assert problem(await one.refresh(token)) == (401, "INVALID_REFRESH_TOKEN")
    assert await one.status_of() == 200
    assert await stranger.status_of() == 200
    assert (await one.refresh()).status_code == 200
    assert owner.execute("select from ended_sessions where user_id = %s", (UUID(me),)).fetchall() == []


async def test_a_session_that_nobody_here_began_is_not_asked_about(fragile: Callable[..., Fragile]) -> None:
    one = fragile()
    token = forged("e30.e30.x", sid=str(uuid4()), sub=str(uuid4()))
    before = len(one.keycloak.seen)
    answer = await one.post("/auth/refresh", {"refresh_token": token})
    assert problem(answer) == (401, "INVALID_REFRESH_TOKEN")
    asked = b"".join(one.keycloak.seen[before:])
    assert b"/token" in asked
    assert b"/admin/" not in asked


@pytest.mark.parametrize("how", ["silent", "gone"])
async def test_while_keycloak_cannot_be_asked_about_the_session_the_answer_stays(
    fragile: Callable[..., Fragile], account: Make, how: str
) -> None:
    one = fragile(KIJKO_KEYCLOAK_TIMEOUT_S="2")
    somebody = await account(url=one.served.url)
    token = forged(somebody.tokens["refresh_token"], jti=str(uuid4()))
    one.keycloak.hold(lambda chunk: b"/sessions" in chunk)
    asking = asyncio.create_task(somebody.refresh(token))
    assert await asyncio.to_thread(one.keycloak.reached.wait, 20)
    if how == "gone":
        one.keycloak.cut()
    started = asyncio.get_running_loop().time()
    assert problem(await asking) == (401, "INVALID_REFRESH_TOKEN")
    assert asyncio.get_running_loop().time() - started < 3
    assert await somebody.status_of() == 200
