"""Seats count exactly: members and open invitations, an address once, and free again when they go."""

import asyncio
from collections.abc import Callable

from tests.auth.conftest import Mailbox
from tests.conftest import Person, Shared
from tests.people.making import (
    Owner,
    accept,
    ask_in,
    expire,
    fresh_email,
    invite,
    invited,
    ledger,
    mailed,
    seats,
    until,
)
from tests.projects.making import hire, make_project, said

Make = Callable[..., Person]


async def test_the_only_seat_of_the_free_plan_is_its_owners(person: Make, owner: Owner) -> None:
    one = person(plan="free")
    project = await make_project(one)
    assert seats(owner, one) == ledger(owner, one) == 1
    for answer in (await invite(one, project, fresh_email()), await ask_in(one, fresh_email())):
        assert said(answer) == (402, "SEAT_LIMIT")
        assert answer.json()["details"] == {"metric": "seats", "limit": 1, "used": 1, "resetsAt": None}
        assert "retry-after" not in answer.headers
    assert (await one.http.get("/organization/invitations")).json() == []
    assert (await one.http.get(f"/projects/{project['id']}/invitations/pending")).json() == []


async def test_of_twenty_invitations_at_once_as_many_pass_as_seats_are_left(person: Make, owner: Owner) -> None:
    boss = person(plan="pro")
    project = await make_project(boss)
    calls = [
        ask_in(boss, fresh_email()) if number % 2 else invite(boss, project, fresh_email()) for number in range(20)
    ]
    answers = await asyncio.gather(*calls)
    assert sorted(answer.status_code for answer in answers) == [201] * 2 + [402] * 18
    assert seats(owner, boss) == ledger(owner, boss) == 3
    row = owner.execute(
        "select count(*) from invitations where organization_id = %s", (boss.organization_id,)
    ).fetchone()
    assert row == (2,)


async def test_one_address_at_once_in_many_projects_holds_one_seat(person: Make, owner: Owner) -> None:
    for plan in ("pro", "enterprise"):
        boss = person(plan=plan)
        projects = [await make_project(boss) for _ in range(5)]
        email = fresh_email()
        answers = await asyncio.gather(*(invite(boss, project, email) for project in projects))
        assert {answer.status_code for answer in answers} == {201}
        assert seats(owner, boss) == ledger(owner, boss) == 2


async def test_a_seat_is_free_when_the_last_invitation_of_its_address_goes(person: Make, owner: Owner) -> None:
    boss = person()
    first, second = await make_project(boss), await make_project(boss)
    email = fresh_email()
    member = await invited(boss, first, email)
    await invited(boss, second, email)
    third = (await ask_in(boss, email)).json()
    assert seats(owner, boss) == 2
    await boss.http.delete(f"/projects/{first['id']}/members/{member['id']}")
    assert seats(owner, boss) == 2
    await boss.http.delete(f"/projects/{second['id']}")
    assert seats(owner, boss) == 2
    await boss.http.delete(f"/organization/invitations/{third['id']}")
    assert seats(owner, boss) == ledger(owner, boss) == 1


async def test_an_invitation_that_expired_holds_no_seat(person: Make, owner: Owner) -> None:
    boss = person(plan="pro")
    emails = [fresh_email(), fresh_email()]
    for email in emails:
        assert (await ask_in(boss, email)).status_code == 201
    assert said(await ask_in(boss, fresh_email())) == (402, "SEAT_LIMIT")
    expire(owner, emails[0])
    assert (await ask_in(boss, fresh_email())).status_code == 201
    expire(owner, emails[1])
    until(lambda: seats(owner, boss) == 2)  # the scheduler does it where nobody asks
    assert ledger(owner, boss) == 2
    assert (await ask_in(boss, emails[0])).status_code == 201  # anew, its old one being void
    assert seats(owner, boss) == 3


async def test_one_that_expired_takes_its_seat_again_when_it_is_sent_again(person: Make, owner: Owner) -> None:
    boss = person(plan="pro")
    project = await make_project(boss)
    member = await invited(boss, project, email := fresh_email())
    expire(owner, email)
    others = [(await ask_in(boss, fresh_email())).json() for _ in range(2)]
    again = f"/projects/{project['id']}/invitations/{member['id']}/resend"
    assert said(await boss.http.post(again)) == (402, "SEAT_LIMIT")
    await boss.http.delete(f"/organization/invitations/{others[0]['id']}")
    assert (await boss.http.post(again)).json()["status"] == "pending"
    assert seats(owner, boss) == 3


async def test_accepting_keeps_the_seat_and_removal_frees_it(person: Make, owner: Owner, mailbox: Mailbox) -> None:
    boss, guest = person(plan="pro"), person()
    project, other = await make_project(boss), await make_project(boss)
    await invited(boss, project, guest.email)
    token = mailed(mailbox, guest.email)
    await invited(boss, other, guest.email)
    assert seats(owner, boss) == 2
    assert (await accept(guest, token)).status_code == 200
    assert seats(owner, boss) == ledger(owner, boss) == 2
    assert (await accept(guest, mailed(mailbox, guest.email, count=2))).json()["projectId"] == other["id"]
    assert seats(owner, boss) == 2
    await boss.http.delete(f"/organization/members/{guest.id}")
    assert seats(owner, boss) == ledger(owner, boss) == 1


async def test_nobody_joins_while_more_seats_are_held_than_the_plan_has(
    person: Make, owner: Owner, shared: Shared, mailbox: Mailbox
) -> None:
    boss, guest = person(), person()
    for _ in range(3):
        hire(owner, shared, boss, person())
    assert (await ask_in(boss, guest.email)).status_code == 201
    token = mailed(mailbox, guest.email)
    owner.execute("select kijko.grant_plan(%s, 'pro', 'a test')", (boss.organization_id,))
    refused = await accept(guest, token)
    assert said(refused) == (402, "SEAT_LIMIT")
    assert refused.json()["details"] == {"metric": "seats", "limit": 3, "used": 5, "resetsAt": None}
    owner.execute("select kijko.grant_plan(%s, 'teams', 'a test')", (boss.organization_id,))
    assert (await accept(guest, token)).status_code == 200
    assert seats(owner, boss) == ledger(owner, boss) == 5


async def test_invitations_and_the_end_of_their_project_at_once_leave_no_seat_behind(
    person: Make, owner: Owner
) -> None:
    boss = person(plan="enterprise")
    for _ in range(3):
        project = await make_project(boss)
        answers = await asyncio.gather(
            *(invite(boss, project, fresh_email()) for _ in range(6)), boss.http.delete(f"/projects/{project['id']}")
        )
        assert {answer.status_code for answer in answers[:-1]} <= {201, 403, 404}
        assert answers[-1].status_code == 200
        assert seats(owner, boss) == ledger(owner, boss) == 1
