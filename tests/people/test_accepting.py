"""From the mail to being in: the real mail, its link, a second person over HTTP."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.auth.conftest import Account, Keycloak, Mailbox, signup_body
from tests.conftest import Person, Shared
from tests.people.making import (
    Owner,
    accept,
    ask_in,
    expire,
    fresh_email,
    in_organization,
    invite,
    invited,
    mailed,
    seats,
    token_in,
)
from tests.projects.making import hire, make_project, said

Make = Callable[..., Person]


async def test_whoever_opens_the_mails_link_is_in_the_project_and_its_organization(
    person: Make, mailbox: Mailbox, stack_env: dict[str, str]
) -> None:
    boss, guest = person(), person()
    project = await make_project(boss, name="Payments engine")
    member = await invited(boss, project, guest.email, "developer", inviteMessage="Shall we?\nDo <b>come</b>.")
    mail = mailbox.wait(guest.email, subject="Test Person invites you to Payments engine")
    web = stack_env.get("KIJKO_WEB_URL", "http://localhost:3000")
    assert f"{web}/invitations/{token_in(mail)}" in mail["text"]
    for part in (mail["text"], mail["html"]):
        assert "Payments engine" in part
        assert "Test organization" in part
        assert "UTC" in part
    assert "> Shall we?\n> Do <b>come</b>." in mail["text"].replace("\r\n", "\n")
    assert "Do &lt;b&gt;come&lt;/b&gt;." in mail["html"]
    answer = await accept(guest, token_in(mail))
    assert answer.status_code == 200, answer.text
    joined = answer.json()
    assert joined == member | {
        "userId": str(guest.id),
        "name": "Test Person",
        "acceptedAt": joined["acceptedAt"],
    }
    there = in_organization(guest, boss.organization_id)
    assert (await guest.http.get(f"/projects/{project['id']}", headers=there)).status_code == 200
    assert (await guest.http.get("/organization", headers=there)).json()["role"] == "member"
    # The request itself went on where it began, and so does the next one.
    assert (await guest.http.get("/organization")).json()["id"] == str(guest.organization_id)


async def test_an_invitation_into_the_organization_gives_its_role(person: Make, mailbox: Mailbox) -> None:
    boss, guest = person(), person()
    assert (await ask_in(boss, guest.email, "admin")).status_code == 201
    joined = (await accept(guest, mailed(mailbox, guest.email))).json()
    assert (joined["userId"], joined["email"], joined["role"]) == (str(guest.id), guest.email, "admin")
    assert joined in (await boss.http.get("/organization/members")).json()


async def joined_with_an_open_mail(boss: Person, guest: Person, mailbox: Mailbox) -> str:
    """The guest is in by way of a project; the answer is the token of a mail that invites them as an admin."""
    await invited(boss, await make_project(boss), guest.email)
    into_project = mailed(mailbox, guest.email)
    assert (await ask_in(boss, guest.email, "admin")).status_code == 201
    into_organization = mailed(mailbox, guest.email, count=2)
    assert (await accept(guest, into_project)).status_code == 200
    return into_organization


async def test_whoever_joined_through_a_project_first_still_gets_the_organizations_role(
    person: Make, mailbox: Mailbox
) -> None:
    boss, guest = person(), person()
    into_organization = await joined_with_an_open_mail(boss, guest, mailbox)
    assert (await accept(guest, into_organization)).status_code == 200
    there = in_organization(guest, boss.organization_id)
    assert (await guest.http.get("/organization", headers=there)).json()["role"] == "admin"


@pytest.mark.parametrize("change", ["role", "removal"])
async def test_an_older_mail_gives_nothing_back_that_was_taken(person: Make, mailbox: Mailbox, change: str) -> None:
    boss, guest = person(), person()
    into_organization = await joined_with_an_open_mail(boss, guest, mailbox)
    member = f"/organization/members/{guest.id}"
    if change == "role":
        answer = await boss.http.patch(member, json={"role": "member"})
    else:
        answer = await boss.http.delete(member)
    assert answer.is_success, answer.text
    assert said(await accept(guest, into_organization)) == (404, "INVITATION_NOT_FOUND")


async def test_a_dutch_browser_invites_in_dutch(person: Make, mailbox: Mailbox) -> None:
    boss = person()
    email = fresh_email()
    assert (await ask_in(boss, email, **{"Accept-Language": "nl-NL,nl;q=0.9,en;q=0.8"})).status_code == 201
    mail = mailbox.wait(email, subject="nodigt je uit voor Test organization")
    assert "Uitnodiging aannemen" in mail["html"]
    assert "De link werkt tot" in mail["text"]


async def test_accepting_again_changes_nothing(person: Make, mailbox: Mailbox, owner: Owner) -> None:
    boss, guest = person(), person()
    project = await make_project(boss)
    await invited(boss, project, guest.email)
    token = mailed(mailbox, guest.email)
    answers = await asyncio.gather(*(accept(guest, token) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert seats(owner, boss) == 2
    # Once they were removed, the old link is none.
    await boss.http.delete(f"/organization/members/{guest.id}")
    assert said(await accept(guest, token)) == (404, "INVITATION_NOT_FOUND")


async def test_the_link_is_for_the_invited_address_alone_also_when_two_race(
    person: Make, mailbox: Mailbox, owner: Owner
) -> None:
    boss, guest, thief = person(), person(), person()
    project = await make_project(boss)
    await invited(boss, project, guest.email.upper())
    token = mailed(mailbox, guest.email)
    answers = await asyncio.gather(accept(thief, token), accept(guest, token), accept(thief, token))
    assert [answer.status_code for answer in answers] == [403, 200, 403]
    assert said(answers[0]) == (403, "WRONG_RECIPIENT")
    assert guest.email not in answers[0].text
    members = (await boss.http.get("/organization/members")).json()
    assert {each["userId"] for each in members} == {str(boss.id), str(guest.id)}


async def test_unknown_expired_and_withdrawn_links_lead_nowhere(person: Make, mailbox: Mailbox, owner: Owner) -> None:
    boss, guest = person(), person()
    assert said(await accept(guest, "x" * 43)) == (404, "INVITATION_NOT_FOUND")
    assert said(await accept(guest, "é%00%ff")) == (404, "INVITATION_NOT_FOUND")
    assert said(await accept(guest, "x" * 1000)) == (404, "INVITATION_NOT_FOUND")
    made = (await ask_in(boss, guest.email)).json()
    token = mailed(mailbox, guest.email)
    expire(owner, guest.email)
    assert said(await accept(guest, token)) == (410, "INVITATION_EXPIRED")
    assert (await boss.http.delete(f"/organization/invitations/{made['id']}")).status_code == 200
    assert said(await accept(guest, token)) == (404, "INVITATION_NOT_FOUND")


async def test_of_a_token_only_a_digest_is_kept(person: Make, mailbox: Mailbox, owner: Owner) -> None:
    boss = person()
    email = fresh_email()
    await ask_in(boss, email)
    token = mailed(mailbox, email)
    for table in ("invitations", "invitation_links", "mails", "invited_seats", "project_members"):
        row = owner.execute(f"select count(*) from {table} t where t::text like %s", (f"%{token}%",)).fetchone()
        assert row == (0,), table


async def test_somebody_without_an_account_signs_up_at_the_link_and_is_in(
    person: Make, mailbox: Mailbox, api: httpx.AsyncClient, keycloak: Keycloak, owner: Owner
) -> None:
    boss = person()
    email = fresh_email()
    project = await make_project(boss)
    await invited(boss, project, email, "manager")
    token = mailed(mailbox, email)
    body = signup_body(email.upper()) | {"invitation_token": token}
    answer = await api.post("/api/auth/signup", json=body)
    assert answer.status_code == 201, answer.text
    bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    profile = (await api.get("/api/auth/me", headers=bearer)).json()
    assert (profile["org_id"], profile["roles"]) == (str(boss.organization_id), ["member"])
    (mine,) = (await api.get("/api/organizations", headers=bearer)).json()
    assert mine["id"] == str(boss.organization_id)
    assert (await api.get(f"/api/projects/{project['id']}", headers=bearer)).status_code == 200
    user = keycloak.user(email)
    assert user is not None
    assert user["emailVerified"] is True
    assert seats(owner, boss) == 2
    assert [each["subject"] for each in mailbox.to(email)] == [f"Test Person invites you to {project['name']}"]
    # The link, opened again with the account, leads where it led.
    again = await api.post(f"/api/invitations/{token}/accept", headers=bearer)
    assert again.json()["role"] == "manager"


@pytest.mark.parametrize("what", ["wrong address", "no such", "expired", "too small a plan"])
async def test_a_signup_whose_invitation_leads_nowhere_makes_nobody(
    person: Make, mailbox: Mailbox, api: httpx.AsyncClient, keycloak: Keycloak, owner: Owner, shared: Shared, what: str
) -> None:
    boss = person()
    email, wanted = fresh_email(), fresh_email()
    for _ in range(3):
        hire(owner, shared, boss, person())
    await ask_in(boss, email)
    token = mailed(mailbox, email)
    if what == "expired":
        expire(owner, email)
    if what == "too small a plan":
        owner.execute("select kijko.grant_plan(%s, 'pro', 'a test')", (boss.organization_id,))
    address = wanted if what == "wrong address" else email
    body = signup_body(address) | {"invitation_token": "x" * 43 if what == "no such" else token}
    answer = await api.post("/api/auth/signup", json=body)
    assert (
        said(answer)
        == {
            "wrong address": (403, "WRONG_RECIPIENT"),
            "no such": (404, "INVITATION_NOT_FOUND"),
            "expired": (410, "INVITATION_EXPIRED"),
            "too small a plan": (402, "SEAT_LIMIT"),
        }[what]
    )
    assert keycloak.user(address) is None
    assert owner.execute("select count(*) from users where email = %s", (address,)).fetchone() == (0,)
    assert owner.execute("select count(*) from pending_signups where email = %s", (address,)).fetchone() == (0,)


async def test_somebody_with_a_real_account_accepts_before_their_address_was_proven_otherwise(
    person: Make, mailbox: Mailbox, account: Callable[..., Any]
) -> None:
    boss = person()
    one: Account = await account()
    await ask_in(boss, one.email)
    answer = await one.http.post(f"/invitations/{mailed(mailbox, one.email)}/accept")
    assert answer.status_code == 200
    assert len((await one.http.get("/organizations")).json()) == 2


async def test_a_person_who_is_removed_does_not_come_back_by_an_older_mail(
    person: Make, mailbox: Mailbox, owner: Owner
) -> None:
    boss, guest = person(), person()
    first, second = await make_project(boss), await make_project(boss)
    await invited(boss, first, guest.email)
    token = mailed(mailbox, guest.email)
    assert (await invite(boss, second, guest.email)).status_code == 201
    older = mailed(mailbox, guest.email, count=2)
    await accept(guest, token)
    await boss.http.delete(f"/organization/members/{guest.id}")
    assert said(await accept(guest, older)) == (404, "INVITATION_NOT_FOUND")
    assert seats(owner, boss) == 1
