"""An invitation stands as long as whoever sent it might send it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.auth.conftest import Mailbox
from tests.conftest import Person, Shared
from tests.people.making import Made, Owner, accept, ask_in, fresh_email, invited, mailed, seats, token_in
from tests.projects.making import hire, join, make_project, said

Make = Callable[..., Person]
GONE = (404, "INVITATION_NOT_FOUND")


async def member_of(boss: Person, project: Made, who: Person) -> str:
    """A person's address in a project."""
    listed = (await boss.http.get(f"/projects/{project['id']}/members")).json()
    return next(f"/projects/{project['id']}/members/{each['id']}" for each in listed if each["email"] == who.email)


async def demote(boss: Person, project: Made, inviter: Person) -> Any:
    return await boss.http.patch(await member_of(boss, project, inviter), json={"role": "developer"})


async def put_out(boss: Person, project: Made, inviter: Person) -> Any:
    return await boss.http.delete(await member_of(boss, project, inviter))


async def dismiss(boss: Person, project: Made, inviter: Person) -> Any:
    return await boss.http.delete(f"/organization/members/{inviter.id}")


async def leave(boss: Person, project: Made, inviter: Person) -> Any:
    return await inviter.http.post("/organization/leave")


LOSES: dict[str, Callable[[Person, Made, Person], Awaitable[Any]]] = {
    "is no manager any more": demote,
    "is out of the project": put_out,
    "is out of the organization": dismiss,
    "left": leave,
}


@pytest.mark.parametrize("how", LOSES)
async def test_an_invitation_into_a_project_is_void_once_its_sender(
    person: Make, mailbox: Mailbox, owner: Owner, shared: Shared, how: str
) -> None:
    boss, guest = person(), person()
    project = await make_project(boss)
    inviter = hire(owner, shared, boss, person())
    join(owner, project, inviter, "manager")
    await invited(inviter, project, guest.email)
    token = mailed(mailbox, guest.email)
    kept = fresh_email()
    await invited(boss, project, kept)
    assert seats(owner, boss) == 4
    assert (await LOSES[how](boss, project, inviter)).is_success
    assert said(await accept(guest, token)) == GONE
    waiting = (await boss.http.get(f"/projects/{project['id']}/invitations/pending")).json()
    assert [each["email"] for each in waiting] == [kept]
    assert seats(owner, boss) == (3 if "organization" not in how and how != "left" else 2)
    # Whoever may invites them anew.
    await invited(boss, project, guest.email)
    assert (await accept(guest, mailed(mailbox, guest.email, count=2))).status_code == 200


async def test_a_managers_invitation_into_the_organization_is_void_with_their_role(
    person: Make, mailbox: Mailbox, owner: Owner, shared: Shared
) -> None:
    boss, guest = person(), person()
    inviter = hire(owner, shared, boss, person(), "admin")
    assert (await ask_in(inviter, guest.email, "admin")).status_code == 201
    token = mailed(mailbox, guest.email)
    answer = await boss.http.patch(f"/organization/members/{inviter.id}", json={"role": "member"})
    assert answer.status_code == 200
    assert said(await accept(guest, token)) == GONE
    assert (await boss.http.get("/organization/invitations")).json() == []
    assert seats(owner, boss) == 2


async def test_what_the_sender_may_still_give_stands(
    person: Make, mailbox: Mailbox, owner: Owner, shared: Shared
) -> None:
    boss, heir, guest, clerk = person(), person(), person(), person()
    inviter = hire(owner, shared, boss, person(), "owner")
    assert (await ask_in(inviter, heir.email, "owner")).status_code == 201
    assert (await ask_in(inviter, guest.email, "admin")).status_code == 201
    project = await make_project(boss)
    await invited(inviter, project, clerk.email, "admin")
    tokens = [mailed(mailbox, each.email) for each in (heir, guest, clerk)]
    # An admin invites admins, and may all in every project, but names no owner.
    answer = await boss.http.patch(f"/organization/members/{inviter.id}", json={"role": "admin"})
    assert answer.status_code == 200
    got = [said(await accept(heir, tokens[0]))]
    got += [((await accept(one, token)).status_code, "") for one, token in zip((guest, clerk), tokens[1:], strict=True)]
    assert got == [GONE, (200, ""), (200, "")]


async def test_who_sends_an_invitation_again_answers_for_it(
    person: Make, mailbox: Mailbox, owner: Owner, shared: Shared
) -> None:
    boss, guest = person(), person()
    project = await make_project(boss)
    inviter = hire(owner, shared, boss, person())
    join(owner, project, inviter, "manager")
    made = await invited(inviter, project, guest.email)
    mailed(mailbox, guest.email)
    again = await boss.http.post(f"/projects/{project['id']}/invitations/{made['id']}/resend")
    assert again.status_code == 200
    token = mailed(mailbox, guest.email, count=2)
    await dismiss(boss, project, inviter)
    assert (await accept(guest, token)).status_code == 200


async def test_who_raises_an_invited_ones_role_answers_for_it(
    person: Make, mailbox: Mailbox, owner: Owner, shared: Shared
) -> None:
    boss, guest = person(), person()
    project = await make_project(boss)
    inviter = hire(owner, shared, boss, person())
    join(owner, project, inviter, "manager")
    made = await invited(inviter, project, guest.email)
    token = mailed(mailbox, guest.email)
    raised = await boss.http.patch(f"/projects/{project['id']}/members/{made['id']}", json={"role": "admin"})
    assert raised.status_code == 200
    # A manager could not name an admin; the owner did.
    assert (await demote(boss, project, inviter)).status_code == 200
    joined = await accept(guest, token)
    assert (joined.status_code, joined.json()["role"]) == (200, "admin")


async def test_nobody_gets_in_by_a_role_that_its_giver_just_loses(
    person: Make, mailbox: Mailbox, owner: Owner, shared: Shared
) -> None:
    boss = person()
    for _ in range(4):
        guest = person()
        inviter = hire(owner, shared, boss, person(), "admin")
        await ask_in(inviter, guest.email, "admin")
        token = token_in(mailbox.wait(guest.email, subject="invites you to"))
        taken, entered = await asyncio.gather(
            boss.http.patch(f"/organization/members/{inviter.id}", json={"role": "member"}), accept(guest, token)
        )
        assert taken.status_code == 200
        # Whichever came first: either they were in before, or they are not.
        assert entered.status_code == 200 or said(entered) == GONE
