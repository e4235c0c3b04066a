"""The end of an organization: nobody gets in from that moment on, and nothing of it is left in the end."""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from psycopg import sql

from kijko.models.privacy import DeletionStatus
from tests.auth.conftest import Mailbox
from tests.conftest import Person, Shared
from tests.executions.test_http import execute
from tests.people.making import Owner, accept, ask_in, fresh_email, in_organization, invited, mailed, until
from tests.postgres import Sql, colleague, someone
from tests.projects.making import hire, make_project, said
from tests.skills.test_http import make_skill
from tests.uploads.conftest import kept

Make = Callable[..., Person]


async def delete(one: Person, confirm: str, **headers: str) -> httpx.Response:
    return await one.http.request("DELETE", "/organization", json={"confirm": confirm}, headers=headers)


def status(api_url: str, begun: dict[str, str], token: str | None = None) -> httpx.Response:
    return httpx.get(
        f"{api_url}/api/gdpr/account/{begun['deletionId']}", params={"statusToken": token or begun["statusToken"]}
    )


def left(owner: Owner, organization_id: object) -> dict[str, int]:
    """How many rows each table has of it, where it has any."""
    tables = owner.execute(
        "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'organization_id' "
        "where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not a.attisdropped"
    ).fetchall()
    found = {}
    for (name,) in tables:
        count = sql.SQL("select count(*) from {} where organization_id = %s").format(sql.Identifier("public", name))
        row = owner.execute(count, (organization_id,)).fetchone()
        assert row is not None
        if row[0]:
            found[name] = row[0]
    return found


async def test_nothing_of_a_deleted_organization_is_left_and_its_people_are_out_at_once(
    person: Make, owner: Owner, shared: Shared, stack_env: dict[str, str], mailbox: Mailbox
) -> None:
    boss, guest = person(), person()
    worker = hire(owner, shared, boss, person())
    project = await make_project(boss, privacy="shared")
    await kept(boss, project["id"], *((f"{number}.txt", b"x" * 100) for number in range(5)))
    await invited(boss, project, worker.email, "developer")
    await invited(boss, project, guest.email)
    await boss.http.post(
        f"/projects/{project['id']}/repositories",
        json={"provider": "github", "repositoryUrl": "https://github.com/kijko/example", "branch": "main"},
    )
    await execute(boss, await make_skill(boss), input={"text": "x"})
    await boss.http.post("/projects/validate-name", json={"name": "Abc"}, headers={"Idempotency-Key": uuid.uuid4().hex})
    token = mailed(mailbox, guest.email)
    before = left(owner, boss.organization_id)
    assert {"projects", "uploads", "executions", "usage_ledger", "invitations", "mails", "idempotency_keys"} <= set(
        before
    )
    folder = Path(urlsplit(stack_env["KIJKO_STORAGE_URL"]).path) / str(boss.organization_id)
    assert any(folder.rglob("*"))

    answer = await delete(boss, "Test organization")
    assert answer.status_code == 202, answer.text
    begun = answer.json()
    for one in (boss, worker):
        there = in_organization(one, boss.organization_id)
        assert said(await one.http.get("/organization", headers=there)) == (404, "ORGANIZATION_NOT_FOUND")
        assert said(await one.http.get(f"/projects/{project['id']}")) == (404, "PROJECT_NOT_FOUND")
    assert said(await accept(guest, token)) == (404, "INVITATION_NOT_FOUND")
    (own,) = (await boss.http.get("/organizations")).json()
    assert (own["role"], own["plan"], own["name"]) == ("owner", "free", "Test's organization")

    api_url = stack_env["KIJKO_API_URL"]
    told = until(lambda: found if (found := status(api_url, begun).json())["status"] == "done" else None, within_s=60)
    assert DeletionStatus.model_validate(told).model_dump(mode="json", by_alias=True) == told
    assert told["steps"] == [{"name": name, "status": "done"} for name in ("access", "rows", "files")]
    receipt = told["receipt"]
    assert (receipt["deletionId"], receipt["kind"]) == (begun["deletionId"], "organization")
    assert receipt["id"] == str(boss.organization_id)
    assert receipt["rows"] > 10
    assert left(owner, boss.organization_id) == {}
    gone = owner.execute("select count(*) from organizations where id = %s", (boss.organization_id,)).fetchone()
    assert gone == (0,)
    assert not [each for each in folder.rglob("*") if each.is_file()]


async def test_only_an_owner_who_writes_its_name_deletes_it(person: Make, owner: Owner, shared: Shared) -> None:
    boss = person()
    for role in ("admin", "member"):
        answer = await delete(hire(owner, shared, boss, person(), role), "Test organization")
        assert said(answer) == (403, "FORBIDDEN")
    for confirm in ("", "test organization", "Test organization "):
        answer = await delete(boss, confirm)
        assert said(answer) == (422, "VALIDATION_ERROR")
        assert answer.json()["field"] == "confirm"
    assert (await boss.http.get("/organization")).json()["memberCount"] == 3


async def test_a_second_deletion_does_not_reach_another_organization(person: Make, owner: Owner) -> None:
    boss = person()
    second = (await boss.http.post("/organizations", json={"name": "Test organization"})).json()
    assert (await delete(boss, "Test organization")).status_code == 202
    assert said(await delete(boss, "Test organization")) == (404, "ORGANIZATION_NOT_FOUND")
    assert [each["id"] for each in (await boss.http.get("/organizations")).json()] == [second["id"]]


async def test_how_far_it_is_is_told_to_the_holder_of_the_token_alone(person: Make, stack_env: dict[str, str]) -> None:
    boss = person()
    begun = (await delete(boss, "Test organization")).json()
    api_url = stack_env["KIJKO_API_URL"]
    assert status(api_url, begun).status_code == 200
    for answer in (
        status(api_url, begun, "another"),
        status(api_url, begun | {"deletionId": str(uuid.uuid4())}),
        status(api_url, begun | {"deletionId": "no-id"}),
    ):
        assert said(answer) == (404, "DELETION_NOT_FOUND")
    assert (await boss.http.get(f"/gdpr/account/{begun['deletionId']}")).status_code == 422


def test_one_that_is_paid_for_is_not_deleted_and_an_operators_grant_is_no_payment(copy: Callable[[str], Sql]) -> None:
    database = copy("migrated")
    boss = someone(database, plan="enterprise")
    end = "select kijko.delete_organization('Theirs', gen_random_uuid(), '\\x00')"
    with database.connect() as owner:  # as billing's migration does it
        owner.execute("create or replace function kijko.is_paid(organization uuid) returns boolean "
                      "language sql stable security definer set search_path = '' as $$ select true $$")  # fmt: skip
    with database.person(boss.user, boss.organization) as connection:
        assert connection.execute(end).fetchone() == ("paid",)
    with database.connect() as owner:
        owner.execute("create or replace function kijko.is_paid(organization uuid) returns boolean "
                      "language sql stable security definer set search_path = '' as $$ select false $$")  # fmt: skip
    with database.person(boss.user, boss.organization) as connection:
        assert connection.execute(end).fetchone() == ("done",)


def test_an_organization_is_erased_in_batches_and_its_neighbours_are_not_touched(copy: Callable[[str], Sql]) -> None:
    database = copy("migrated")
    boss, other = someone(database, plan="teams"), someone(database, plan="teams")
    for one in (boss, other):
        colleague(database, one)
        with database.person(one.user, one.organization) as connection:
            for number in range(30):
                connection.execute(
                    "insert into projects (organization_id, user_id, name, type) "
                    "values (kijko.current_org(), auth.uid(), %s, 'manual')",
                    (f"Project {number}",),
                )

    def count() -> list[Any]:
        return database.run(
            "select (select count(*) from projects where organization_id = o), "
            "(select count(*) from project_members where organization_id = o), "
            "(select count(*) from usage_ledger where organization_id = o) from unnest(%s::uuid[]) o",
            [boss.organization, other.organization],
        )

    theirs = count()[1]
    batches = 0
    with database.system() as connection:
        while (
            row := connection.execute("select kijko.erase_organization(%s, 7)", (boss.organization,)).fetchone()
        ) != (0,):
            assert row is not None
            assert 0 < row[0] <= 7
            batches += 1
    assert batches > 6
    assert count() == [(0, 0, 0), theirs]


@pytest.mark.parametrize("text", ["delete from usage_ledger", "delete from usage_ledger where metric = 'seats'"])
def test_the_ledger_of_an_organization_that_is_there_is_not_deleted(copy: Callable[[str], Sql], text: Any) -> None:
    database = copy("migrated")
    someone(database)
    with pytest.raises(psycopg.Error, match="append-only"):
        database.run(text, login="supabase_admin")


async def test_fresh_addresses_of_a_deleted_organization_may_be_invited_elsewhere(person: Make) -> None:
    boss, other = person(), person()
    email = fresh_email()
    assert (await ask_in(boss, email)).status_code == 201
    assert (await delete(boss, "Test organization")).status_code == 202
    assert (await ask_in(other, email)).status_code == 201
