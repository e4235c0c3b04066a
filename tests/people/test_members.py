"""Who is in a project, through the API."""

import asyncio
import uuid
from collections.abc import Callable

import pytest

from kijko.models.projects import ProjectMember
from tests.conftest import Person, Shared
from tests.people.making import Made, Owner, fresh_email, invite, invited
from tests.projects.making import hire, join, make_project, said

Make = Callable[..., Person]


def steady(members: list[Made]) -> list[Made]:
    """What does not change by looking at it: whoever looks is active, which is told some seconds later."""
    return [each | {"lastActiveAt": None} for each in members]


async def test_a_colleague_joins_at_once_and_another_address_is_invited(
    person: Make, owner: Owner, shared: Shared
) -> None:
    boss = person()
    colleague = hire(owner, shared, boss, person())
    project = await make_project(boss)
    joined = await invited(boss, project, f"  {colleague.email.upper()} ", "viewer", notifyOnError=False)
    assert ProjectMember.model_validate(joined).model_dump(mode="json", by_alias=True) == joined
    assert (joined["userId"], joined["email"]) == (str(colleague.id), colleague.email)
    assert joined["acceptedAt"] is not None
    assert (joined["notifyOnIngestion"], joined["notifyOnError"], joined["notifyOnTeamChanges"]) == (True, False, True)
    assert joined["notificationLevel"] == "real-time"
    assert (await colleague.http.get(f"/projects/{project['id']}")).status_code == 200
    email = fresh_email()
    asked = await invited(boss, project, email, "manager")
    assert (asked["userId"], asked["email"], asked["role"], asked["acceptedAt"]) == (None, email, "manager", None)
    listed = steady((await boss.http.get(f"/projects/{project['id']}/members")).json())
    assert [each["email"] for each in listed] == [boss.email, colleague.email, email]
    assert listed[1:] == [joined, asked]
    assert steady((await boss.http.get(f"/projects/{project['id']}/full")).json()["members"]) == listed
    pending = (await boss.http.get(f"/projects/{project['id']}/invitations/pending")).json()
    assert pending == [asked]


async def test_whoever_is_in_already_or_invited_is_not_added_again(person: Make, owner: Owner, shared: Shared) -> None:
    boss = person()
    colleague = hire(owner, shared, boss, person())
    project = await make_project(boss)
    email = fresh_email()
    for address in (colleague.email, email):
        assert (await invite(boss, project, address)).status_code == 201
        again = await invite(boss, project, address.upper(), "viewer")
        assert said(again) == (409, "MEMBER_EXISTS")
        assert again.json()["field"] == "email"


async def test_an_open_invitation_of_somebody_who_became_a_colleague_becomes_a_membership(
    person: Make, owner: Owner, shared: Shared
) -> None:
    boss, other = person(), person()
    project = await make_project(boss)
    assert (await invited(boss, project, other.email))["acceptedAt"] is None
    hire(owner, shared, boss, other)
    joined = await invited(boss, project, other.email, "viewer")
    assert (joined["userId"], joined["role"]) == (str(other.id), "viewer")
    assert len((await boss.http.get(f"/projects/{project['id']}/members")).json()) == 2


@pytest.mark.parametrize(
    "email", ["", "nobody", "a@b", "a\r\nBcc: x@y.test@people.test", "a b@people.test", "<a@b.test>"]
)
async def test_what_is_no_address_is_refused(person: Make, email: str) -> None:
    boss = person()
    answer = await invite(boss, await make_project(boss), email)
    assert said(answer) == (422, "VALIDATION_ERROR")
    assert answer.json()["field"] == "email"


async def test_put_and_patch_change_what_is_present(person: Make) -> None:
    boss = person()
    project = await make_project(boss)
    member = await invited(boss, project, fresh_email(), "developer")
    address = f"/projects/{project['id']}/members/{member['id']}"
    for change in (boss.http.put, boss.http.patch):
        for fields in ({"role": "viewer"}, {"notifyOnIngestion": False}, {"notificationLevel": "weekly"}, {}):
            member |= fields
            assert (await change(address, json=fields)).json() == member
    assert said(await boss.http.put(address, json={"role": "king"})) == (422, "VALIDATION_ERROR")


async def test_the_only_admin_neither_goes_nor_becomes_something_else(
    person: Make, owner: Owner, shared: Shared
) -> None:
    boss = person()
    maker = hire(owner, shared, boss, person())
    project = await make_project(maker)
    (member,) = (await maker.http.get(f"/projects/{project['id']}/members")).json()
    address = f"/projects/{project['id']}/members/{member['id']}"
    for one in (maker, boss):
        assert said(await one.http.patch(address, json={"role": "viewer"})) == (409, "LAST_ADMIN")
        assert said(await one.http.delete(address)) == (409, "LAST_ADMIN")
    await invited(maker, project, fresh_email(), "admin")  # who has not accepted is none yet
    assert said(await maker.http.delete(address)) == (409, "LAST_ADMIN")
    await invited(maker, project, boss.email, "admin")
    assert (await maker.http.delete(address)).status_code == 200
    assert said(await maker.http.get(f"/projects/{project['id']}")) == (404, "PROJECT_NOT_FOUND")


async def test_of_two_admins_who_leave_at_once_one_stays(person: Make, owner: Owner, shared: Shared) -> None:
    boss = person(plan="enterprise")
    for _ in range(4):
        project = await make_project(boss)
        other = hire(owner, shared, boss, person(), "admin")
        mine = (await boss.http.get(f"/projects/{project['id']}/members")).json()[0]["id"]
        theirs = (await invited(boss, project, other.email, "admin"))["id"]
        answers = await asyncio.gather(
            boss.http.delete(f"/projects/{project['id']}/members/{mine}"),
            other.http.patch(f"/projects/{project['id']}/members/{theirs}", json={"role": "viewer"}),
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_everybody_may_leave_and_change_their_own_notices_but_not_their_role(
    person: Make, owner: Owner, shared: Shared
) -> None:
    boss = person()
    project = await make_project(boss)
    viewer = hire(owner, shared, boss, person())
    member = await invited(boss, project, viewer.email, "viewer")
    address = f"/projects/{project['id']}/members/{member['id']}"
    changed = await viewer.http.patch(address, json={"notificationLevel": "disabled"})
    assert changed.json()["notificationLevel"] == "disabled"
    assert said(await viewer.http.patch(address, json={"role": "manager"})) == (403, "FORBIDDEN")
    assert (await viewer.http.delete(address)).json() == {"success": True}
    assert said(await viewer.http.get(f"/projects/{project['id']}")) == (404, "PROJECT_NOT_FOUND")


async def test_a_manager_touches_no_admin(person: Make, owner: Owner, shared: Shared) -> None:
    boss = person()
    project = await make_project(boss)
    manager = hire(owner, shared, boss, person())
    join(owner, project, manager, "manager")
    (admin,) = [
        each for each in (await boss.http.get(f"/projects/{project['id']}/members")).json() if each["role"] == "admin"
    ]
    waiting = await invited(boss, project, fresh_email(), "admin")
    for member in (admin, waiting):
        address = f"/projects/{project['id']}/members/{member['id']}"
        assert said(await manager.http.patch(address, json={"role": "viewer"})) == (403, "FORBIDDEN")
        assert said(await manager.http.delete(address)) == (403, "FORBIDDEN")
    base = f"/projects/{project['id']}/invitations/{waiting['id']}"
    assert said(await manager.http.post(base + "/resend")) == (403, "FORBIDDEN")
    assert said(await manager.http.delete(base)) == (403, "FORBIDDEN")
    viewer = await invited(manager, project, fresh_email(), "viewer")
    address = f"/projects/{project['id']}/members/{viewer['id']}"
    assert said(await manager.http.patch(address, json={"role": "admin"})) == (403, "FORBIDDEN")
    assert (await manager.http.patch(address, json={"role": "auditor"})).status_code == 200


async def test_members_that_are_not_there_are_404s(person: Make) -> None:
    boss = person()
    project, other = await make_project(boss), await make_project(boss)
    (elsewhere,) = (await boss.http.get(f"/projects/{other['id']}/members")).json()
    for member in (elsewhere["id"], str(uuid.uuid4()), "no-id"):
        address = f"/projects/{project['id']}/members/{member}"
        assert said(await boss.http.patch(address, json={})) == (404, "MEMBER_NOT_FOUND")
        assert said(await boss.http.delete(address)) == (404, "MEMBER_NOT_FOUND")
        base = f"/projects/{project['id']}/invitations/{member}"
        assert said(await boss.http.post(base + "/resend")) == (404, "MEMBER_NOT_FOUND")
        assert said(await boss.http.delete(base)) == (404, "MEMBER_NOT_FOUND")


async def test_an_accepted_invitation_is_neither_sent_again_nor_taken_back(
    person: Make, owner: Owner, shared: Shared
) -> None:
    boss = person()
    project = await make_project(boss)
    colleague = hire(owner, shared, boss, person())
    member = await invited(boss, project, colleague.email)
    base = f"/projects/{project['id']}/invitations/{member['id']}"
    assert said(await boss.http.post(base + "/resend")) == (409, "ALREADY_ACCEPTED")
    assert said(await boss.http.delete(base)) == (409, "ALREADY_ACCEPTED")


async def test_a_repeated_request_under_one_key_invites_once(person: Make) -> None:
    boss = person()
    project = await make_project(boss)
    body = {"email": fresh_email(), "role": "viewer"}
    key = {"Idempotency-Key": uuid.uuid4().hex}
    first, second = [
        await boss.http.post(f"/projects/{project['id']}/members", json=body, headers=key) for _ in range(2)
    ]
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
