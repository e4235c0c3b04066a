"""Passwords that were forgotten or are changed, and the sessions that end with them."""

import asyncio
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import httpx
import psycopg

from tests.auth.conftest import Account, Browser, Keycloak, Mailbox, fresh_email, link_in, problem
from tests.conftest import fresh_address

Make = Callable[..., Any]
NEW = "dev-only-password-2"


async def change(one: Account, current: str, new: str) -> httpx.Response:
    return await one.http.post("/auth/password/change", json={"current_password": current, "new_password": new})


async def test_a_change_gives_a_new_session_and_ends_every_older_one(account: Make, keycloak: Keycloak) -> None:
    one = await account()
    other = (await one.log_in()).json()
    mine = one.tokens
    answer = await change(one, one.password, NEW)
    assert answer.status_code == 200
    one.use(answer.json())
    assert await one.status_of() == 200
    assert (await one.refresh()).status_code == 200
    for old in (mine, other):
        assert await one.status_of(old["access_token"]) == 401
        assert problem(await one.refresh(old["refresh_token"])) == (401, "INVALID_REFRESH_TOKEN")
    assert len(keycloak.sessions(one.email)) == 1
    assert problem(await one.log_in()) == (401, "INVALID_CREDENTIALS")
    again = await one.log_in(NEW)
    assert again.status_code == 200
    assert await one.status_of(again.json()["access_token"]) == 200


async def test_a_change_needs_the_present_password_and_leaves_no_session_behind(
    account: Make, keycloak: Keycloak
) -> None:
    one = await account()
    before = keycloak.sessions(one.email)
    assert problem(await change(one, "not it", NEW)) == (401, "INVALID_CREDENTIALS")
    assert problem(await change(one, "", NEW)) == (401, "INVALID_CREDENTIALS")
    for weak in ("short", one.email, ""):
        answer = await change(one, one.password, weak)
        assert problem(answer) == (422, "WEAK_PASSWORD")
        assert answer.json()["field"] == "new_password"
        assert answer.json()["details"] == [{"field": "new_password", "message": answer.json()["detail"]}]
    assert await one.status_of() == 200
    assert keycloak.sessions(one.email) == before
    assert (await one.log_in()).status_code == 200


async def test_of_several_changes_at_once_each_200_has_tokens_that_work(account: Make) -> None:
    one = await account()
    wanted = [f"dev-only-password-{turn}" for turn in range(3)]

    async def attempt(new: str) -> tuple[str, httpx.Response, int]:
        answer = await change(one, one.password, new)
        worked = await one.status_of(answer.json()["access_token"]) if answer.status_code == 200 else 0
        return new, answer, worked

    results = await asyncio.gather(*map(attempt, wanted))
    won = [(new, worked) for new, answer, worked in results if answer.status_code == 200]
    assert [worked for _, worked in won] == [200]
    lost = {problem(answer) for _, answer, _ in results if answer.status_code != 200}
    assert lost <= {(409, "CONFLICT"), (401, "INVALID_CREDENTIALS"), (401, "UNAUTHENTICATED")}
    (new, _), *_ = won
    assert (await one.log_in(new)).status_code == 200
    for _, answer, worked in results:
        if worked:  # and still, when all the others have been answered
            assert await one.status_of(answer.json()["access_token"]) == 200


async def test_a_change_that_failed_stands_in_nobodys_way(
    account: Make, owner: psycopg.Connection[Any], keycloak: Keycloak
) -> None:
    one = await account()
    assert problem(await change(one, "not it", NEW)) == (401, "INVALID_CREDENTIALS")
    user = keycloak.user(one.email)
    assert user is not None
    claim = (
        "insert into password_claims (user_id, id, claimed_until) values (%s, gen_random_uuid(), now() + %s::interval)"
    )
    owner.execute(claim, (user["id"], "1 minute"))
    assert problem(await change(one, one.password, NEW)) == (409, "CONFLICT")
    owner.execute("update password_claims set claimed_until = now() where user_id = %s", (user["id"],))
    assert (await change(one, one.password, NEW)).status_code == 200  # its process had died
    assert owner.execute("select from password_claims where user_id = %s", (user["id"],)).fetchall() == []


async def test_a_stolen_session_guesses_the_password_five_times_a_minute_from_wherever_it_comes(account: Make) -> None:
    one = await account()
    for left in range(4, -1, -1):
        one.http.headers["X-Forwarded-For"] = fresh_address()
        answer = await change(one, f"guess {left}", NEW)
        assert problem(answer) == (401, "INVALID_CREDENTIALS")
        assert answer.headers["ratelimit-remaining"] == str(left)
        assert (await one.http.post("/auth/password/change", json={})).status_code == 422  # guesses nothing
    one.http.headers["X-Forwarded-For"] = fresh_address()
    refused = await change(one, one.password, NEW)
    assert problem(refused) == (429, "RATE_LIMITED")
    assert refused.headers["ratelimit-limit"] == "5"
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert (await one.log_in()).status_code == 200, "the person is not locked out of signing in"


async def test_an_ended_session_changes_no_password(account: Make) -> None:
    one = await account()
    await one.http.post("/auth/logout")
    assert problem(await change(one, one.password, NEW)) == (401, "UNAUTHENTICATED")
    assert (await one.log_in()).status_code == 200


async def test_a_forgotten_password_is_chosen_anew_by_a_link_that_works_once(
    account: Make, mailbox: Mailbox, browser: Browser
) -> None:
    one = await account()
    other = (await one.log_in()).json()
    answer = await one.http.post("/auth/password/forgot", json={"email": f" {one.email.upper()}"})
    assert (answer.status_code, answer.json()) == (202, {"success": True})
    link = link_in(mailbox.wait(one.email, subject="new password"))
    browser.open(link)
    browser.follow("action-token")
    browser.submit(**{"password-new": NEW, "password-confirm": NEW})
    assert browser.page.status_code == 200
    for old in (one.tokens, other):
        assert await one.status_of(old["access_token"]) == 401
        assert problem(await one.refresh(old["refresh_token"])) == (401, "INVALID_REFRESH_TOKEN")
    assert problem(await one.log_in()) == (401, "INVALID_CREDENTIALS")
    assert (await one.log_in(NEW)).status_code == 200
    second = Browser()
    second.open(link)
    assert second.page.status_code == 400


async def test_nobody_can_tell_by_the_answer_whether_an_address_has_an_account(
    account: Make, api: httpx.AsyncClient, mailbox: Mailbox
) -> None:
    one = await account()
    times: dict[str, list[float]] = {"known": [], "unknown": []}
    answers = set()
    for turn in range(20):
        for kind, email in (("known", one.email), ("unknown", fresh_email())):
            started = time.perf_counter()
            answer = await api.post(
                "/api/auth/password/forgot", json={"email": email}, headers={"X-Forwarded-For": fresh_address()}
            )
            times[kind].append(time.perf_counter() - started)
            answers.add((answer.status_code, answer.text))
            await asyncio.sleep(0.02 if turn else 0.5)
    assert answers == {(202, '{"success":true}')}
    # A mail is sent to the known address alone: were that waited for, it would take several times as long.
    assert median(times["known"]) < 2 * median(times["unknown"]) + 0.01
    mailbox.wait(one.email, subject="new password")


async def test_what_cannot_be_an_address_is_named(api: httpx.AsyncClient) -> None:
    answer = await api.post("/api/auth/password/forgot", json={"email": "nobody"})
    assert problem(answer) == (422, "VALIDATION_ERROR")


async def test_an_unknown_or_disabled_account_gets_no_mail_and_leaves_no_row(
    account: Make, keycloak: Keycloak, mailbox: Mailbox, owner: psycopg.Connection[Any]
) -> None:
    one = await account()
    mailbox.wait(one.email, subject="Verify")
    keycloak.update_user(one.email, enabled=False)
    nobody = fresh_email()
    for email in (one.email, nobody):
        assert (await one.http.post("/auth/password/forgot", json={"email": email})).status_code == 202
    for _ in range(100):
        left = owner.execute("select count(*) from pending_mails where email = any(%s)", ([one.email, nobody],))
        if left.fetchone() == (0,):
            break
        await asyncio.sleep(0.1)
    else:
        raise AssertionError("the mails stayed in the queue")
    assert [mail["subject"] for mail in mailbox.to(one.email)] == ["Verify email"]
    assert mailbox.to(nobody) == []
