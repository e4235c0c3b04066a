"""Several invitations at once, sending again, taking back."""

from collections.abc import Callable

import pytest

from kijko.models.members import BulkInvitationResponse
from tests.auth.conftest import Mailbox
from tests.conftest import Person, Shared
from tests.people.making import Owner, accept, expire, fresh_email, invited, mailed, seats
from tests.projects.making import hire, make_project, said

Make = Callable[..., Person]


def listed(*emails: str, role: str = "viewer") -> dict[str, object]:
    return {"invitations": [{"email": each, "role": role, "notificationLevel": "daily"} for each in emails]}


async def test_each_address_succeeds_or_fails_on_its_own(person: Make, owner: Owner, shared: Shared) -> None:
    boss = person(plan="pro")  # three seats
    colleague = hire(owner, shared, boss, person())
    project = await make_project(boss)
    fine, none_left = fresh_email(), fresh_email()
    answer = await boss.http.post(
        f"/projects/{project['id']}/invitations",
        json=listed(colleague.email, fine, "nobody", fine.upper(), none_left, boss.email),
    )
    assert answer.status_code == 200
    told = answer.json()
    assert BulkInvitationResponse.model_validate(told).model_dump(mode="json", by_alias=True) == told
    assert (told["success"], told["totalSent"], told["totalFailed"]) == (False, 2, 4)
    assert [each["status"] for each in told["results"]] == ["sent", "pending", "failed", "failed", "failed", "failed"]
    assert [each["email"] for each in told["results"]][:3] == [colleague.email, fine, "nobody"]
    assert [bool(each["memberId"]) for each in told["results"]] == [True, True, False, False, False, False]
    errors = [each["error"] for each in told["results"]][2:]
    assert [word in error for word, error in zip(("no @", "already", "seats", "already"), errors, strict=True)] == [
        True
    ] * 4
    members = (await boss.http.get(f"/projects/{project['id']}/members")).json()
    assert {each["email"]: each["notificationLevel"] for each in members}[fine] == "daily"
    assert seats(owner, boss) == 3


async def test_all_that_succeed_are_a_success(person: Make) -> None:
    boss = person()
    project = await make_project(boss)
    told = (
        await boss.http.post(f"/projects/{project['id']}/invitations", json=listed(fresh_email(), fresh_email()))
    ).json()
    assert (told["success"], told["totalSent"], told["totalFailed"]) == (True, 2, 0)


@pytest.mark.parametrize("many", [0, 101])
async def test_there_are_one_to_a_hundred(person: Make, many: int) -> None:
    boss = person()
    project = await make_project(boss)
    body = listed(*(fresh_email() for _ in range(many)))
    assert said(await boss.http.post(f"/projects/{project['id']}/invitations", json=body)) == (422, "VALIDATION_ERROR")


async def test_a_hundred_at_once_are_invited(person: Make, owner: Owner) -> None:
    boss = person(plan="enterprise")
    project = await make_project(boss)
    answer = await boss.http.post(
        f"/projects/{project['id']}/invitations", json=listed(*(fresh_email() for _ in range(100)))
    )
    assert answer.json()["totalSent"] == 100
    assert seats(owner, boss) == 101


async def test_an_invitation_that_is_sent_again_has_a_new_link_and_the_old_one_is_void(
    person: Make, mailbox: Mailbox, owner: Owner
) -> None:
    boss, guest = person(), person()
    project = await make_project(boss)
    member = await invited(boss, project, guest.email)
    old = mailed(mailbox, guest.email)
    expire(owner, guest.email)
    assert said(await accept(guest, old)) == (410, "INVITATION_EXPIRED")
    answer = await boss.http.post(f"/projects/{project['id']}/invitations/{member['id']}/resend")
    assert answer.json() == {"email": guest.email, "status": "pending", "memberId": member["id"], "error": None}
    new = mailed(mailbox, guest.email, count=2)
    assert new != old
    assert said(await accept(guest, old)) == (404, "INVITATION_NOT_FOUND")
    assert (await accept(guest, new)).status_code == 200
    assert seats(owner, boss) == 2


async def test_one_that_is_taken_back_leads_nowhere_and_frees_its_seat(
    person: Make, mailbox: Mailbox, owner: Owner
) -> None:
    boss, guest = person(), person()
    project = await make_project(boss)
    member = await invited(boss, project, guest.email)
    token = mailed(mailbox, guest.email)
    assert seats(owner, boss) == 2
    assert (await boss.http.delete(f"/projects/{project['id']}/invitations/{member['id']}")).json() == {"success": True}
    assert said(await accept(guest, token)) == (404, "INVITATION_NOT_FOUND")
    assert seats(owner, boss) == 1
    assert (await boss.http.get(f"/projects/{project['id']}/invitations/pending")).json() == []


async def test_nobody_is_mailed_more_than_a_few_times_an_hour_whoever_invites_them(person: Make) -> None:
    stranger = fresh_email()
    bosses = [person() for _ in range(2)]
    answers = []
    for boss in bosses:
        project = await make_project(boss)
        member = await boss.http.post(f"/projects/{project['id']}/members", json={"email": stranger, "role": "viewer"})
        answers.append(member)
        again = f"/projects/{project['id']}/invitations/{member.json()['id']}/resend" if member.is_success else ""
        answers += [await boss.http.post(again) for _ in range(2) if again]
    assert [answer.is_success for answer in answers] == [True] * 5 + [False]
    refused = answers[-1]
    assert said(refused) == (429, "RATE_LIMITED")
    assert refused.json()["details"]["metric"] == "invitation_mails"
    assert 0 < int(refused.headers["retry-after"]) <= 3600
    # Taking it back and asking anew is no way around.
    last = bosses[-1]
    project = await make_project(last)
    body = {"email": stranger, "role": "viewer"}
    assert said(await last.http.post(f"/projects/{project['id']}/members", json=body)) == (429, "RATE_LIMITED")
    told = (await last.http.post(f"/projects/{project['id']}/invitations", json=listed(stranger, fresh_email()))).json()
    assert [each["status"] for each in told["results"]] == ["failed", "pending"]


async def test_how_often_one_may_invite_is_limited_and_told(person: Make) -> None:
    boss = person()
    project = await make_project(boss)
    member = await invited(boss, project, boss.email.replace("@", "x@"))
    answers = [
        await boss.http.post(f"/projects/{project['id']}/members", json={"email": "nobody", "role": "viewer"})
        for _ in range(30)
    ]
    assert member["id"]
    assert said(answers[0]) == (422, "VALIDATION_ERROR")
    assert answers[0].headers["ratelimit-limit"] == "30"
    assert said(answers[-1]) == (429, "RATE_LIMITED")
    assert answers[-1].json()["details"]["metric"] == "invitations"
