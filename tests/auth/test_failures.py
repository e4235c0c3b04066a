"""What a crash, or a part that is down, leaves behind, and how it is made good."""

import asyncio
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import jwt
import psycopg
import pytest

from tests.auth.conftest import (
    PASSWORD,
    Account,
    Browser,
    Fragile,
    Keycloak,
    Mailbox,
    Sweeping,
    fresh_email,
    link_in,
    problem,
    signup_body,
)
from tests.conftest import Person, Shared, fresh_address
from tests.spine.conftest import Served

Make = Callable[..., Any]
Owner = psycopg.Connection[Any]


def outlive(owner: Owner, email: str) -> None:
    """Let the time pass after which an unfinished sign-up's process is taken for dead."""
    owner.execute("update pending_signups set lease_until = now() - interval '1 second' where email = %s", (email,))


def people(owner: Owner, email: str) -> int:
    found = owner.execute("select count(*) from users where email = %s", (email,)).fetchone()
    assert found is not None
    count: int = found[0]
    return count


async def test_what_a_crash_amid_a_sign_up_leaves_is_taken_back_by_the_sweep(
    fragile: Callable[..., Fragile], keycloak: Keycloak, owner: Owner, sweeping: Sweeping, api: httpx.AsyncClient
) -> None:
    email, one = fresh_email(), fragile()
    await one.crash(await one.signup_until(email, b"grant_type=password"))
    assert keycloak.user(email) is not None
    await sweeping.repair()
    assert keycloak.user(email) is not None  # its process might still be alive
    outlive(owner, email)
    await sweeping.repair()
    assert keycloak.user(email) is None
    assert people(owner, email) == 0
    assert owner.execute("select count(*) from pending_signups where email = %s", (email,)).fetchone() == (0,)
    assert (await api.post("/api/auth/signup", json=signup_body(email))).status_code == 201


async def test_or_by_the_next_sign_up_with_that_address(
    fragile: Callable[..., Fragile], owner: Owner, api: httpx.AsyncClient
) -> None:
    email, one = fresh_email(), fragile()
    await one.crash(await one.signup_until(email, b"grant_type=password"))
    assert problem(await api.post("/api/auth/signup", json=signup_body(email))) == (409, "EMAIL_EXISTS")
    outlive(owner, email)
    answer = await api.post("/api/auth/signup", json=signup_body(email))
    assert answer.status_code == 201
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert (await api.get("/api/auth/me", headers=headers)).json()["email"] == email


async def test_an_account_that_its_owner_logs_in_to_is_completed_instead(
    fragile: Callable[..., Fragile], owner: Owner, sweeping: Sweeping, keycloak: Keycloak, api: httpx.AsyncClient
) -> None:
    email, one = fresh_email(), fragile()
    await one.crash(await one.signup_until(email, b"grant_type=password"))
    answer = await api.post("/api/auth/login", json={"email": email, "password": PASSWORD})
    assert answer.status_code == 200
    outlive(owner, email)
    await sweeping.repair()
    assert keycloak.user(email) is not None
    profile = await api.get("/api/auth/me", headers={"Authorization": f"Bearer {answer.json()['access_token']}"})
    assert profile.json()["roles"] == ["owner"]
    assert profile.json()["first_name"] == "Ada"


async def test_a_crash_before_anything_was_made_leaves_nothing(
    fragile: Callable[..., Fragile], owner: Owner, sweeping: Sweeping, keycloak: Keycloak
) -> None:
    email, one = fresh_email(), fragile()
    await one.crash(await one.signup_until(email, b'"username"'))
    outlive(owner, email)
    await sweeping.repair()
    assert keycloak.user(email) is None
    assert owner.execute("select count(*) from pending_signups where email = %s", (email,)).fetchone() == (0,)


async def test_a_sign_up_whose_database_goes_away_makes_nobody(
    fragile: Callable[..., Fragile], keycloak: Keycloak, owner: Owner
) -> None:
    email, one = fresh_email(), fragile()
    task = await one.signup_until(email, b"grant_type=password")
    one.database.cut()
    one.keycloak.release()
    assert problem(await task) == (503, "UNAVAILABLE")
    assert keycloak.user(email) is None
    one.database.mend()
    assert (await one.post("/auth/signup", signup_body(email))).status_code == 201
    assert people(owner, email) == 1


@pytest.mark.parametrize("swept", [True, False])
async def test_a_sign_up_whose_keycloak_goes_away_makes_nobody(
    fragile: Callable[..., Fragile], keycloak: Keycloak, sweeping: Sweeping, api: httpx.AsyncClient, swept: bool
) -> None:
    email, one = fresh_email(), fragile()
    task = await one.signup_until(email, b"grant_type=password")
    one.keycloak.cut()
    one.keycloak.release()
    assert problem(await task) == (503, "UNAVAILABLE")
    # Its account is condemned: it is as good as gone, whoever tries it before the sweep comes.
    answer = await api.post("/api/auth/login", json={"email": email, "password": PASSWORD})
    assert problem(answer) == (401, "INVALID_CREDENTIALS")
    if swept:
        await sweeping.repair()
        assert keycloak.user(email) is None
    assert (await api.post("/api/auth/signup", json=signup_body(email))).status_code == 201


async def test_without_keycloak_signing_in_waits_and_signed_in_people_go_on(
    fragile: Callable[..., Fragile], account: Make
) -> None:
    one = fragile()
    person: Account = await account(url=one.served.url)
    assert await person.status_of() == 200
    one.keycloak.cut()
    assert await person.status_of() == 200
    for path, body in (
        ("/auth/login", {"email": person.email, "password": person.password}),
        ("/auth/signup", signup_body(fresh_email())),
        ("/auth/refresh", {"refresh_token": person.tokens["refresh_token"]}),
        ("/auth/password/change", {"current_password": person.password, "new_password": "dev-only-password-2"}),
    ):
        answer = await person.http.post(path, json=body)
        assert problem(answer) == (503, "UNAVAILABLE")
        assert answer.json()["detail"].endswith(".")
        assert int(answer.headers["retry-after"]) > 0
    assert problem(await person.http.get("/auth/sessions")) == (503, "UNAVAILABLE")
    assert problem(await person.http.patch("/auth/me", json={"first_name": "Eve"})) == (503, "UNAVAILABLE")
    assert (await person.http.get("/auth/me")).json()["first_name"] == "Ada"
    one.keycloak.mend()
    assert (await person.refresh()).status_code == 200


async def test_without_keycloak_a_log_out_counts_and_keycloak_hears_of_it_later(
    fragile: Callable[..., Fragile], account: Make, keycloak: Keycloak, owner: Owner, sweeping: Sweeping
) -> None:
    one = fragile()
    person: Account = await account(url=one.served.url)
    before = keycloak.sessions(person.email)
    one.keycloak.cut()
    assert (await person.http.post("/auth/logout")).status_code == 204
    assert await person.status_of() == 401
    assert problem(await person.refresh()) == (401, "INVALID_REFRESH_TOKEN")
    assert keycloak.sessions(person.email) == before
    owner.execute(
        "update pending_logouts set asked_at = now() - interval '1 minute' where session_id = any(%s)", (list(before),)
    )
    await sweeping.repair()
    assert keycloak.sessions(person.email) == set()
    pending = "select count(*) from pending_logouts where session_id = any(%s)"
    assert owner.execute(pending, (list(before),)).fetchone() == (0,)


async def test_a_keycloak_that_hangs_costs_its_deadline_and_no_more(fragile: Callable[..., Fragile]) -> None:
    one = fragile(KIJKO_KEYCLOAK_TIMEOUT_S="1")
    one.keycloak.hold(lambda chunk: b"grant_type=password" in chunk)
    started = time.monotonic()
    answer = await one.post("/auth/login", {"email": fresh_email(), "password": "x"})
    assert problem(answer) == (503, "UNAVAILABLE")
    assert 0.9 < time.monotonic() - started < 4


async def test_a_refresh_that_a_crash_cut_off_can_be_done_again(fragile: Callable[..., Fragile], account: Make) -> None:
    first, second = fragile(KIJKO_KEYCLOAK_TIMEOUT_S="1"), fragile(KIJKO_KEYCLOAK_TIMEOUT_S="1")
    person: Account = await account(url=second.served.url)
    first.keycloak.hold(lambda chunk: b"grant_type=refresh_token" in chunk)
    body = {"refresh_token": person.tokens["refresh_token"]}
    task = asyncio.create_task(first.post("/auth/refresh", body))
    assert await asyncio.to_thread(first.keycloak.reached.wait, 20)
    await first.crash(task)
    assert problem(await person.refresh()) == (503, "UNAVAILABLE")  # perhaps that one is only slow
    for _ in range(20):  # each waits for its deadline
        answer = await person.refresh()
        if answer.status_code != 503:
            break
    assert answer.status_code == 200


async def test_a_mail_that_a_crash_cut_off_is_sent_by_the_sweep(
    fragile: Callable[..., Fragile], account: Make, owner: Owner, sweeping: Sweeping, mailbox: Mailbox
) -> None:
    one = fragile()
    person: Account = await account()
    one.keycloak.hold(lambda chunk: b"execute-actions-email" in chunk)
    assert (await one.post("/auth/password/forgot", {"email": person.email})).status_code == 202
    assert await asyncio.to_thread(one.keycloak.reached.wait, 20)
    await one.crash()
    await sweeping.repair()
    assert [mail for mail in mailbox.to(person.email) if "new password" in mail["subject"]] == []
    owner.execute("update pending_mails set due_at = now() - interval '1 second' where email = %s", (person.email,))
    await sweeping.repair()
    mailbox.wait(person.email, subject="new password")
    assert owner.execute("select count(*) from pending_mails where email = %s", (person.email,)).fetchone() == (0,)


async def test_a_reset_ends_older_sessions_even_when_its_page_was_told_not_to(
    account: Make, mailbox: Mailbox, browser: Browser, sweeping: Sweeping, keycloak: Keycloak
) -> None:
    one: Account = await account()
    await one.http.post("/auth/password/forgot", json={"email": one.email})
    browser.open(link_in(mailbox.wait(one.email, subject="new password")))
    browser.follow("action-token")
    new = {"password-new": "dev-only-password-2", "password-confirm": "dev-only-password-2"}
    browser.submit(**new, **{"logout-sessions": None})
    newer = (await one.log_in("dev-only-password-2")).json()
    for _ in range(10):
        await sweeping.watch_resets()
        if await one.status_of() == 401:
            break
        await asyncio.sleep(0.5)
    assert await one.status_of() == 401
    assert problem(await one.refresh()) == (401, "INVALID_REFRESH_TOKEN")
    assert await one.status_of(newer["access_token"]) == 200
    assert len(keycloak.sessions(one.email)) == 1


async def test_an_unused_link_ends_nothing(account: Make, mailbox: Mailbox, sweeping: Sweeping) -> None:
    one: Account = await account()
    await one.http.post("/auth/password/forgot", json={"email": one.email})
    mailbox.wait(one.email, subject="new password")
    await sweeping.watch_resets()
    await sweeping.repair()
    assert await one.status_of() == 200


async def test_an_account_that_only_keycloak_knows_gets_its_organization_at_the_first_log_in(
    keycloak: Keycloak, api: httpx.AsyncClient, owner: Owner
) -> None:
    email = fresh_email()
    password = {"type": "password", "value": PASSWORD, "temporary": False}
    user = {"username": email, "email": email, "enabled": True, "emailVerified": True, "credentials": [password]}
    keycloak.ask("POST", "/kijko/users", json=user).raise_for_status()
    body = {"email": email, "password": PASSWORD}
    answers = await asyncio.gather(*(api.post("/api/auth/login", json=body) for _ in range(3)))
    organizations = set()
    for answer in answers:
        assert answer.status_code == 200, answer.text
        claims = jwt.decode(answer.json()["access_token"], options={"verify_signature": False})
        organizations.add(claims["org_id"])
    assert len(organizations) == 1
    assert owner.execute("select email_verified from users where email = %s", (email,)).fetchone() == (True,)
    mine = "select count(*) from memberships m join users u on u.id = m.user_id where u.email = %s"
    assert owner.execute(mine, (email,)).fetchone() == (1,)


async def test_whoever_lost_their_last_organization_gets_one_by_asking_who_they_are(
    account: Make, owner: Owner, shared: Shared
) -> None:
    one: Account = await account()
    before = (await one.http.get("/auth/me")).json()
    owner.execute("delete from organizations where id = %s", (before["org_id"],))
    after = (await one.http.get("/auth/me")).json()
    assert after["org_id"] != before["org_id"]
    assert after["roles"] == ["owner"]
    assert (after["first_name"], after["last_name"]) == ("Ada", "Lovelace")


async def test_the_sweep_forgets_what_had_its_time_and_nothing_else(owner: Owner, sweeping: Sweeping) -> None:
    old, new = fresh_email(), fresh_email()
    for name, expires in ((old, "now() - interval '1 minute'"), (new, "now() + interval '1 minute'")):
        owner.execute(f"insert into ended_sessions (session_id, expires_at) values (%s, {expires})", (name,))
        owner.execute(
            f"insert into sign_in_codes (code_hash, session_id, answer, expires_at) values (%s, 's', 'a', {expires})",
            (name.encode(),),
        )
        owner.execute(
            f"insert into refresh_answers (token_hash, claimed_until, expires_at) values (%s, now(), {expires})",
            (name.encode(),),
        )
    waiting = fresh_email()
    owner.execute(
        "insert into ended_sessions (session_id, expires_at) values (%s, now() - interval '1 minute')", (waiting,)
    )
    owner.execute("insert into pending_logouts (session_id, user_id) values (%s, gen_random_uuid())", (waiting,))
    await sweeping.repair()
    kept = owner.execute(
        "select session_id from ended_sessions where session_id = any(%s)", ([old, new, waiting],)
    ).fetchall()
    assert sorted(kept) == sorted([(new,), (waiting,)])
    for table, column in (("sign_in_codes", "code_hash"), ("refresh_answers", "token_hash")):
        found = owner.execute(
            f"select {column} from {table} where {column} = any(%s)", ([old.encode(), new.encode()],)
        ).fetchall()
        assert found == [(new.encode(),)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"KIJKO_KEYCLOAK_CLIENT_SECRET": "dev-only-wrong"},
        {"KIJKO_KEYCLOAK_REALM": "nowhere"},
        {"KIJKO_KEYCLOAK_PUBLIC_URL": "http://127.0.0.1:1"},
        {"KIJKO_AUTH_AUDIENCE": "somebody"},
    ],
    ids=str,
)
async def test_a_sign_in_that_is_set_up_wrongly_is_a_503_and_a_line_in_the_log(
    serve: Callable[..., Served], account: Make, keycloak: Keycloak, wrong: dict[str, str]
) -> None:
    one: Account = await account()
    before = keycloak.sessions(one.email)
    served = serve(**wrong)
    async with httpx.AsyncClient(base_url=served.url, headers={"X-Forwarded-For": fresh_address()}) as http:
        answer = await http.post("/api/auth/login", json={"email": one.email, "password": one.password})
    assert problem(answer) == (503, "UNAVAILABLE")
    assert len(served.lines(level="error")) == 1
    assert len(keycloak.sessions(one.email) - before) <= 1


async def test_who_is_not_in_the_realm_has_no_sessions_or_identities_there_but_has_names(
    person: Callable[..., Person],
) -> None:
    one = person()
    assert (await one.http.get("/auth/sessions")).json() == []
    assert (await one.http.get("/auth/identities")).json() == []
    assert (await one.http.patch("/auth/me", json={"first_name": "Eve"})).json()["first_name"] == "Eve"
    assert (await one.http.get("/auth/me")).json()["first_name"] == "Eve"
    body = {"current_password": "x", "new_password": "dev-only-password-2"}
    assert problem(await one.http.post("/auth/password/change", json=body)) == (401, "INVALID_CREDENTIALS")
    assert (await one.http.post("/auth/logout")).status_code == 204
    assert (await one.http.get("/auth/me")).status_code == 401


async def test_whoever_is_new_here_gets_an_organization_by_asking_who_they_are(
    api: httpx.AsyncClient, shared: Shared
) -> None:
    email = fresh_email()
    token = shared.issuer.token(uuid4(), None, email=email, name="Grace Brewster Hopper")
    profile = (await api.get("/api/auth/me", headers={"Authorization": f"Bearer {token}"})).json()
    assert (profile["first_name"], profile["last_name"], profile["email"]) == ("Grace", "Brewster Hopper", email)
    assert profile["roles"] == ["owner"]
