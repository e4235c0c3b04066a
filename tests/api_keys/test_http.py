"""Making, listing, rotating and revoking API keys."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from tests.api_keys.making import ALL, Owner, make_key, using
from tests.conftest import Person, Shared
from tests.projects.making import hire

Make = Callable[..., Person]
Env = dict[str, str]


async def test_a_key_is_shown_once_and_kept_as_a_hash(person: Make, owner: Owner) -> None:
    one = person()
    ends = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    answer = await one.http.post(
        "/api-keys", json={"name": " CI ", "scopes": ["skills:read", "skills:read"], "expiresAt": ends}
    )
    made = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    assert (made["name"], made["scopes"], made["userId"]) == ("CI", ["skills:read"], str(one.id))
    assert made["key"].startswith(made["prefix"])
    assert datetime.fromisoformat(made["expiresAt"]) == datetime.fromisoformat(ends)
    assert (made["lastUsedAt"], made["rotatedAt"]) == (None, None)
    (listed,) = (await one.http.get("/api-keys")).json()
    assert listed == {name: value for name, value in made.items() if name != "key"}
    row = owner.execute("select * from api_keys where id = %s", (made["id"],)).fetchone()
    assert row is not None
    assert made["key"] not in json.dumps(row, default=str)
    assert sha256(made["key"].encode()).digest() in row


async def test_without_scopes_a_key_reads_and_runs(person: Make) -> None:
    made = (await person().http.post("/api-keys", json={"name": "Plain"})).json()
    assert made["scopes"] == [
        "organizations:read",
        "projects:read",
        "skills:read",
        "executions:read",
        "executions:run",
    ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x", "scopes": ["skills:read", "skills:*"]}, "scopes.1"),
        ({"name": "x", "expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
        ({"name": "x", "expiresAt": "2099-01-01T00:00:00Z"}, "expiresAt"),
        ({"name": "x", "expiresAt": "2027-01-01T00:00:00"}, "expiresAt"),
        ({"name": "x", "expiresAt": 5}, "expiresAt"),
    ],
)
async def test_what_a_key_cannot_be(person: Make, body: object, field: str) -> None:
    answer = await person().http.post("/api-keys", json=body)
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "VALIDATION_ERROR", field)
    if field == "scopes.1":
        assert all(scope in answer.json()["detail"] for scope in ALL)


async def test_the_same_idempotency_key_shows_the_same_key_and_keeps_it_encrypted(person: Make, owner: Owner) -> None:
    one = person()
    headers = {"Idempotency-Key": "once"}
    first, second = [await one.http.post("/api-keys", json={"name": "x"}, headers=headers) for _ in range(2)]
    assert first.json() == second.json()
    assert second.headers["idempotent-replayed"] == "true"
    kept = owner.execute("select answer from idempotency_keys where user_id = %s", (one.id,)).fetchall()
    assert len(kept) == 1
    assert first.json()["key"].encode() not in bytes(kept[0][0])
    assert len((await one.http.get("/api-keys")).json()) == 1


async def test_a_member_sees_their_own_and_a_manager_everybodys(person: Make, owner: Owner, shared: Shared) -> None:
    boss, member = person(), person()
    member = hire(owner, shared, boss, member)
    of_boss, of_member = await make_key(boss), await make_key(member)
    assert [one["id"] for one in (await member.http.get("/api-keys")).json()] == [of_member["id"]]
    assert {one["id"] for one in (await boss.http.get("/api-keys")).json()} == {of_boss["id"], of_member["id"]}
    for answer in (
        await member.http.delete(f"/api-keys/{of_boss['id']}"),
        await member.http.post(f"/api-keys/{of_boss['id']}/rotate"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "API_KEY_NOT_FOUND")
    rotated = await boss.http.post(f"/api-keys/{of_member['id']}/rotate")
    assert (rotated.status_code, rotated.json()["code"]) == (403, "FORBIDDEN")
    assert "Only its maker" in rotated.json()["detail"]
    assert (await boss.http.delete(f"/api-keys/{of_member['id']}")).json() == {"success": True}
    assert (await boss.http.delete(f"/api-keys/{of_member['id']}")).status_code == 404


async def test_an_organization_has_so_many_keys_and_no_more_however_they_come(person: Make, owner: Owner) -> None:
    one = person()
    owner.execute(
        "insert into api_keys (id, organization_id, user_id, name, prefix, key_hash, scopes, expires_at) "
        "select gen_random_uuid(), %(organization)s, %(user)s, 'x', 'kjk_', "
        "decode(md5(random()::text), 'hex'), '{skills:read}', case when n <= 5 then now() end "
        "from generate_series(1, 100) n",
        {"organization": one.organization_id, "user": one.id},
    )
    tried = await asyncio.gather(*(one.http.post("/api-keys", json={"name": "x"}) for _ in range(10)))
    codes = sorted(answer.json().get("code", "made") for answer in tried)
    assert codes == ["API_KEY_LIMIT"] * 5 + ["made"] * 5
    made = next(answer.json() for answer in tried if answer.status_code == 201)
    # Whoever has all of them may rotate one all the same, even with a grace.
    assert (await one.http.post(f"/api-keys/{made['id']}/rotate", json={"graceSeconds": 60})).status_code == 201
    assert (await one.http.post("/api-keys", json={"name": "x"})).status_code == 409


async def test_rotating_is_no_way_to_ever_more_keys(person: Make, owner: Owner) -> None:
    one = person()
    owner.execute(
        "insert into api_keys (id, organization_id, user_id, name, prefix, key_hash, scopes, expires_at, rotated_at) "
        "select gen_random_uuid(), %(organization)s, %(user)s, 'x', 'kjk_', "
        "decode(md5(random()::text), 'hex'), '{skills:read}', now() + interval '1 day', now() "
        "from generate_series(1, 100) n",
        {"organization": one.organization_id, "user": one.id},
    )
    made = await make_key(one)
    refused = await one.http.post(f"/api-keys/{made['id']}/rotate", json={"graceSeconds": 1})
    assert (refused.status_code, refused.json()["code"]) == (409, "API_KEY_LIMIT")
    assert (await one.http.post(f"/api-keys/{made['id']}/rotate")).status_code == 201


async def test_a_rotated_key_works_until_its_grace_ends(person: Make, owner: Owner, stack_env: Env) -> None:
    one = person()
    old = await make_key(one, name="Turning", scopes=["organizations:read"])
    answer = await one.http.post(f"/api-keys/{old['id']}/rotate", json={"graceSeconds": 600})
    fresh = answer.json()
    assert answer.status_code == 201
    assert (fresh["name"], fresh["scopes"], fresh["expiresAt"]) == ("Turning", ["organizations:read"], None)
    assert fresh["id"] != old["id"]
    assert fresh["key"] != old["key"]
    listed = {each["id"]: each for each in (await one.http.get("/api-keys")).json()}
    left = datetime.fromisoformat(listed[old["id"]]["expiresAt"]) - datetime.now(UTC)
    assert timedelta(seconds=580) < left <= timedelta(seconds=600)
    assert listed[old["id"]]["rotatedAt"]
    async with using(stack_env, old["key"]) as by_old, using(stack_env, fresh["key"]) as by_fresh:
        assert (await by_old.get("/organization")).status_code == 200
        assert (await by_fresh.get("/organization")).status_code == 200
        owner.execute("update api_keys set expires_at = now() where id = %s", (old["id"],))
        assert (await by_old.get("/organization")).status_code == 401
        assert (await by_fresh.get("/organization")).status_code == 200
    again = await one.http.post(f"/api-keys/{old['id']}/rotate")
    assert (again.status_code, again.json()["code"]) == (409, "API_KEY_OVER")


async def test_without_a_grace_the_old_key_ends_at_once(person: Make, stack_env: Env) -> None:
    one = person()
    old = await make_key(one)
    fresh = (await one.http.post(f"/api-keys/{old['id']}/rotate")).json()
    async with using(stack_env, old["key"]) as by_old, using(stack_env, fresh["key"]) as by_fresh:
        assert (await by_old.get("/organization")).status_code == 401
        assert (await by_fresh.get("/organization")).status_code == 200
    assert [each["id"] for each in (await one.http.get("/api-keys")).json()] == [fresh["id"]]


@pytest.mark.parametrize("grace", [-1, 2_592_001, "soon", 1.5])
async def test_a_grace_is_thirty_days_at_the_most(person: Make, grace: object) -> None:
    one = person()
    made = await make_key(one)
    answer = await one.http.post(f"/api-keys/{made['id']}/rotate", json={"graceSeconds": grace})
    assert (answer.status_code, answer.json()["field"]) == (422, "graceSeconds")


async def test_keys_go_with_their_organization(person: Make, owner: Owner, stack_env: Env) -> None:
    one = person()
    made = await make_key(one)
    closed = await one.http.request("DELETE", "/organization", json={"confirm": "Test organization"})
    assert closed.status_code == 202, closed.text
    async with using(stack_env, made["key"]) as client:
        answer = await client.get("/skills")
    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
    assert owner.execute("select 1 from api_keys where id = %s", (made["id"],)).fetchone() is None
