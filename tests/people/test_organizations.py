"""Organizations and who is in them, through the API."""

import asyncio
import uuid
from collections.abc import Callable

import pytest

from kijko.models.organizations import Organization, OrganizationInvitation, OrganizationMember
from tests.conftest import Person, Shared
from tests.people.making import Owner, ask_in, fresh_email, in_organization, invited, ledger, seats
from tests.projects.making import hire, join, make_project, said

Make = Callable[..., Person]
Found = dict[str, object]


@pytest.fixture
def team(person: Make, owner: Owner, shared: Shared) -> Callable[[], dict[str, Person]]:
    """An organization with somebody of each role."""

    def make() -> dict[str, Person]:
        boss = person(plan="enterprise")
        return {
            "owner": boss,
            "admin": hire(owner, shared, boss, person(), "admin"),
            "member": hire(owner, shared, boss, person()),
            "other": hire(owner, shared, boss, person()),
        }

    return make


async def test_the_active_organization_has_its_plan_and_the_callers_role(team: Callable[[], dict[str, Person]]) -> None:
    people = team()
    for role in ("owner", "admin", "member"):
        told = (await people[role].http.get("/organization")).json()
        assert Organization.model_validate(told).model_dump(mode="json", by_alias=True) == told
        assert told["id"] == str(people["owner"].organization_id)
        assert (told["name"], told["plan"], told["role"], told["memberCount"]) == (
            "Test organization",
            "enterprise",
            role,
            4,
        )


async def test_an_organization_that_is_made_is_free_and_its_makers(person: Make) -> None:
    one = person()
    answer = await one.http.post("/organizations", json={"name": "  Second  "})
    assert answer.status_code == 201
    made = answer.json()
    assert (made["name"], made["plan"], made["role"], made["memberCount"]) == ("Second", "free", "owner", 1)
    mine = (await one.http.get("/organizations")).json()
    assert [each["id"] for each in mine] == [str(one.organization_id), made["id"]]
    there = await one.http.get("/organization", headers=in_organization(one, made["id"]))
    assert there.json() == made
    assert (await one.http.get("/organization")).json()["id"] == str(one.organization_id)


async def test_whoever_owns_ten_free_organizations_makes_no_more(person: Make, owner: Owner) -> None:
    one = person(plan="free")
    owner.execute(
        "with made as (insert into organizations (name) select 'Free ' || n from generate_series(1, 8) n returning id) "
        "insert into memberships (organization_id, user_id, role) select id, %s, 'owner' from made",
        (one.id,),
    )
    answers = await asyncio.gather(*(one.http.post("/organizations", json={"name": "More"}) for _ in range(3)))
    assert sorted(each.status_code for each in answers) == [201, 409, 409]
    refused = next(each for each in answers if each.status_code == 409)
    assert (refused.json()["code"], "10 organizations" in refused.json()["detail"]) == ("CONFLICT", True)
    assert len((await one.http.get("/organizations")).json()) == 10


async def test_owners_and_admins_name_it(team: Callable[[], dict[str, Person]]) -> None:
    people = team()
    for role in ("owner", "admin"):
        named = await people[role].http.patch("/organization", json={"name": f" By {role} "})
        assert named.json()["name"] == f"By {role}"
    assert said(await people["member"].http.patch("/organization", json={"name": "Mine"})) == (403, "FORBIDDEN")
    for name in ("", "   ", "x" * 101, "a\x00b"):
        answer = await people["owner"].http.patch("/organization", json={"name": name})
        assert said(answer) == (422, "VALIDATION_ERROR")


@pytest.mark.parametrize("name", ["two\nlines", "\u202eevil", "\u200b\u200b", " \u2060 "])
async def test_a_name_that_cannot_be_read_is_none(person: Make, name: str) -> None:
    one = person()
    assert said(await one.http.patch("/organization", json={"name": name})) == (422, "VALIDATION_ERROR")
    assert said(await one.http.post("/organizations", json={"name": name})) == (422, "VALIDATION_ERROR")


async def test_members_are_listed_for_every_member(team: Callable[[], dict[str, Person]]) -> None:
    people = team()
    lists = [(await people[role].http.get("/organization/members")).json() for role in ("owner", "admin", "member")]
    assert lists[0] == lists[1] == lists[2]
    assert [
        OrganizationMember.model_validate(each).model_dump(mode="json", by_alias=True) for each in lists[0]
    ] == lists[0]
    assert {each["userId"]: each["role"] for each in lists[0]} == {
        str(people["owner"].id): "owner",
        str(people["admin"].id): "admin",
        str(people["member"].id): "member",
        str(people["other"].id): "member",
    }
    assert lists[0][0]["name"] == "Test Person"


def _member(one: Person) -> str:
    return f"/organization/members/{one.id}"


@pytest.mark.parametrize(
    ("role", "target", "change", "allowed"),
    [
        ("owner", "member", "owner", True),
        ("owner", "admin", "member", True),
        ("owner", "member", None, True),
        ("owner", "admin", None, True),
        ("admin", "member", "admin", True),
        ("admin", "member", None, True),
        ("admin", "member", "owner", False),
        ("admin", "owner", "member", False),
        ("admin", "owner", None, False),
        ("admin", "admin", "owner", False),
        ("member", "other", "admin", False),
        ("member", "other", None, False),
        ("member", "member", "admin", False),
        ("member", "owner", None, False),
    ],
)
async def test_who_changes_and_removes_whom(
    team: Callable[[], dict[str, Person]], role: str, target: str, change: str | None, allowed: bool
) -> None:
    people = team()
    one, address = people[role], _member(people[target])
    if change is None:
        answer = await one.http.delete(address)
    else:
        answer = await one.http.patch(address, json={"role": change})
    if not allowed:
        assert said(answer) == (403, "FORBIDDEN")
        return
    assert answer.status_code == 200, answer.text
    members = {
        each["userId"]: each["role"] for each in (await people["owner"].http.get("/organization/members")).json()
    }
    assert members.get(str(people[target].id)) == change


async def test_the_last_owner_neither_goes_nor_becomes_something_else(team: Callable[[], dict[str, Person]]) -> None:
    people = team()
    boss = people["owner"]
    assert said(await boss.http.patch(_member(boss), json={"role": "admin"})) == (409, "LAST_OWNER")
    assert said(await boss.http.delete(_member(boss))) == (409, "LAST_OWNER")
    assert said(await boss.http.post("/organization/leave")) == (409, "LAST_OWNER")
    assert (await boss.http.patch(_member(people["admin"]), json={"role": "owner"})).json()["role"] == "owner"
    assert (await boss.http.post("/organization/leave")).json() == {"success": True}
    assert said(await people["admin"].http.post("/organization/leave")) == (409, "LAST_OWNER")


async def test_of_two_owners_who_go_at_once_one_stays(team: Callable[[], dict[str, Person]]) -> None:
    for _ in range(3):
        people = team()
        boss, second = people["owner"], people["admin"]
        await boss.http.patch(_member(second), json={"role": "owner"})
        answers = await asyncio.gather(boss.http.post("/organization/leave"), second.http.post("/organization/leave"))
        assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_who_is_removed_is_refused_at_once_everywhere(person: Make, owner: Owner, shared: Shared) -> None:
    boss = person()
    gone = hire(owner, shared, boss, person())
    project = await make_project(boss, privacy="shared")
    await invited(boss, project, gone.email, "admin")
    there = in_organization(gone, boss.organization_id)
    assert (await gone.http.get(f"/projects/{project['id']}", headers=there)).status_code == 200
    assert (await boss.http.delete(_member(gone))).json() == {"success": True}
    assert said(await gone.http.get(f"/projects/{project['id']}", headers=there)) == (404, "ORGANIZATION_NOT_FOUND")
    assert said(await gone.http.get(f"/projects/{project['id']}")) == (404, "PROJECT_NOT_FOUND")
    members = (await boss.http.get(f"/projects/{project['id']}/members")).json()
    assert [each["email"] for each in members] == [boss.email]
    assert said(await boss.http.delete(_member(gone))) == (404, "MEMBER_NOT_FOUND")
    # Their own organization is still theirs.
    (left,) = (await gone.http.get("/organizations")).json()
    assert left["role"] == "owner"
    assert (await gone.http.get("/organization")).json()["id"] == left["id"]


async def test_who_was_taken_out_names_and_invites_into_no_other_organization_instead(
    person: Make, owner: Owner, shared: Shared
) -> None:
    boss, email = person(), fresh_email()
    admin = hire(owner, shared, boss, person(), "admin")
    assert (await boss.http.delete(f"/organization/members/{admin.id}")).status_code == 200
    assert said(await admin.http.patch("/organization", json={"name": "Ours"})) == (404, "ORGANIZATION_NOT_FOUND")
    assert said(await ask_in(admin, email)) == (404, "ORGANIZATION_NOT_FOUND")
    assert [each["name"] for each in (await admin.http.get("/organizations")).json()] == ["Test organization"]
    assert owner.execute("select from invitations where email = %s", (email,)).fetchone() is None


async def test_who_leaves_twice_leaves_one_organization(person: Make, owner: Owner, shared: Shared) -> None:
    boss, other = person(), person()
    worker = hire(owner, shared, other, hire(owner, shared, boss, person()))
    there = in_organization(worker, boss.organization_id)
    key = {"Idempotency-Key": uuid.uuid4().hex}
    assert (await worker.http.post("/organization/leave", headers=there | key)).status_code == 200
    assert said(await worker.http.post("/organization/leave", headers=there | key)) == (404, "ORGANIZATION_NOT_FOUND")
    assert (await worker.http.post("/organization/leave")).status_code == 200  # the one that the token names
    for again in (await worker.http.post("/organization/leave"), await worker.http.delete(_member(worker))):
        assert said(again) == (404, "ORGANIZATION_NOT_FOUND")
    assert len((await worker.http.get("/organizations")).json()) == 1


async def test_whoever_loses_their_only_organization_gets_one_of_their_own(
    person: Make, owner: Owner, shared: Shared
) -> None:
    boss, worker = person(), person()
    owner.execute("delete from memberships where user_id = %s", (worker.id,))
    hire(owner, shared, boss, worker)
    assert (await boss.http.delete(_member(worker))).status_code == 200
    (own,) = (await worker.http.get("/organizations")).json()
    assert (own["name"], own["role"], own["plan"]) == ("Test's organization", "owner", "free")
    assert (await make_project(worker))["organizationId"] == own["id"]


async def test_members_and_projects_that_go_at_once_do_not_wait_for_each_other(
    person: Make, owner: Owner, shared: Shared
) -> None:
    boss = person(plan="enterprise")
    workers = [hire(owner, shared, boss, person()) for _ in range(6)]
    projects = [await make_project(boss) for _ in range(6)]
    for project in projects:
        for worker in workers:
            join(owner, project, worker, "developer")
        await invited(boss, project, fresh_email())
    answers = await asyncio.gather(
        *(
            boss.http.delete(address)
            for project, worker in zip(projects, workers, strict=True)
            for address in (f"/projects/{project['id']}", _member(worker))
        )
    )
    assert [answer.status_code for answer in answers] == [200] * 12, [answer.text for answer in answers]
    assert (await boss.http.get("/organization")).json()["memberCount"] == 1
    assert seats(owner, boss) == ledger(owner, boss) == 1


async def test_members_of_nowhere_are_404s(person: Make) -> None:
    boss, stranger = person(), person()
    for user in (str(stranger.id), str(uuid.uuid4()), "no-id"):
        assert said(await boss.http.patch(f"/organization/members/{user}", json={"role": "admin"})) == (
            404,
            "MEMBER_NOT_FOUND",
        )
        assert said(await boss.http.delete(f"/organization/members/{user}")) == (404, "MEMBER_NOT_FOUND")


async def test_invitations_into_the_organization_are_made_listed_and_taken_back(
    person: Make, owner: Owner, shared: Shared
) -> None:
    boss = person()
    email = fresh_email()
    answer = await ask_in(boss, f" {email.upper()}", "admin")
    assert answer.status_code == 201
    made = answer.json()
    assert OrganizationInvitation.model_validate(made).model_dump(mode="json", by_alias=True) == made
    assert (made["email"], made["role"], made["invitedBy"], made["projectId"]) == (email, "admin", str(boss.id), None)
    project = await make_project(boss)
    await invited(boss, project, fresh_email())
    listed = (await boss.http.get("/organization/invitations")).json()
    assert [each["projectId"] for each in listed] == [None, project["id"]]
    colleague = hire(owner, shared, boss, person())
    for address in (email, colleague.email):
        assert said(await ask_in(boss, address)) == (409, "MEMBER_EXISTS")
    for one in listed:
        gone = f"/organization/invitations/{one['id']}"
        assert said(await colleague.http.delete(gone)) == (403, "FORBIDDEN")
        assert (await boss.http.delete(gone)).json() == {"success": True}
        assert said(await boss.http.delete(gone)) == (404, "INVITATION_NOT_FOUND")
    assert (await boss.http.get("/organization/invitations")).json() == []
    assert (await boss.http.get(f"/projects/{project['id']}/invitations/pending")).json() == []


async def test_who_may_invite_into_the_organization(team: Callable[[], dict[str, Person]]) -> None:
    people = team()
    for role, wanted, allowed in (
        ("owner", "owner", True),
        ("owner", "member", True),
        ("admin", "admin", True),
        ("admin", "owner", False),
        ("member", "member", False),
    ):
        answer = await ask_in(people[role], fresh_email(), wanted)
        assert (answer.status_code == 201) is allowed, answer.text
        if not allowed:
            assert said(answer) == (403, "FORBIDDEN")
    assert said(await people["member"].http.get("/organization/invitations")) == (403, "FORBIDDEN")
    owners = [
        each for each in (await people["owner"].http.get("/organization/invitations")).json() if each["role"] == "owner"
    ]
    assert said(await people["admin"].http.delete(f"/organization/invitations/{owners[0]['id']}")) == (403, "FORBIDDEN")
