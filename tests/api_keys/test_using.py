"""Asking with an API key: as its maker, in one organization, within its scopes, while it works."""

import asyncio
import json
from collections.abc import Callable

import httpx
import pytest

from kijko.services.api_keys import rules
from tests.api_keys.making import Owner, calls, logs, make_key, using
from tests.conftest import Person, Shared, fresh_address
from tests.executions.test_http import execute
from tests.projects.making import hire, make_project
from tests.skills.test_http import make_skill
from tests.spine.conftest import Served

Make = Callable[..., Person]
Env = dict[str, str]


async def test_a_key_does_what_its_maker_may(person: Make, stack_env: Env, owner: Owner) -> None:
    one = person()
    key = await make_key(one)
    async with using(stack_env, key["key"]) as client:
        made = await client.post("/skills", json={"name": "By key", "promptTemplate": "{{text}}", "model": "echo"})
        assert made.status_code == 201
        listed = (await client.get("/skills")).json()
        assert [each["id"] for each in listed["skills"]] == [made.json()["id"]]
        assert (await client.get("/organization")).json()["id"] == str(one.organization_id)
    assert made.json()["userId"] == str(one.id)
    assert calls(owner, one) == 3


async def test_what_a_key_starts_was_started_by_the_api(person: Make, stack_env: Env, owner: Owner) -> None:
    one = person()
    skill = await make_skill(one)
    key = await make_key(one, scopes=["executions:run", "executions:read"])
    async with using(stack_env, key["key"]) as client:
        for body in ({"input": {"text": "x"}}, {"input": {"text": "x"}, "executionType": "manual"}):
            ran = await client.post(f"/skills/{skill['id']}/execute", params={"wait": 20}, json=body)
            assert ran.status_code == 200, ran.text
            found = (await client.get(f"/executions/{ran.json()['executionId']}")).json()
            assert (found["executionType"], found["userId"]) == ("api", str(one.id))
            told = owner.execute(
                "select execution_type from usage_ledger where subject_id = %s and entry = 'settle'", (found["id"],)
            ).fetchall()
            assert told == [("api",)]
    by_hand = await execute(one, skill, input={"text": "x"})
    assert (await one.http.get(f"/executions/{by_hand['executionId']}")).json()["executionType"] == "manual"


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/skills", "skills:read"),
        ("POST", "/skills", "skills:write"),
        ("POST", "/skills/00000000-0000-0000-0000-000000000007/execute", "executions:run"),
        ("GET", "/executions/00000000-0000-0000-0000-000000000007/stream", "executions:read"),
        ("GET", "/projects", "projects:read"),
        ("DELETE", "/projects/00000000-0000-0000-0000-000000000007", "projects:write"),
        ("POST", "/projects/00000000-0000-0000-0000-000000000007/ingest", "ingestion:run"),
        ("GET", "/organization", "organizations:read"),
    ],
)
async def test_a_missing_scope_is_named_and_costs_nothing(
    person: Make, stack_env: Env, owner: Owner, method: str, path: str, scope: str
) -> None:
    one = person()
    others = [each for each in ("skills:read", "projects:read") if each != scope]
    key = await make_key(one, scopes=others)
    async with using(stack_env, key["key"]) as client:
        answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (403, "MISSING_SCOPE")
    assert scope in answer.json()["detail"]
    assert answer.json()["details"] == {"scope": scope, "scopes": sorted(others)}
    assert calls(owner, one) == 0


async def test_a_skill_with_its_runs_needs_the_scope_of_runs_too(person: Make, stack_env: Env) -> None:
    one = person()
    skill = await make_skill(one)
    for scopes, expected in ((["skills:read"], 403), (["skills:read", "executions:read"], 200)):
        async with using(stack_env, (await make_key(one, scopes=scopes))["key"]) as client:
            answer = await client.get(f"/skills/{skill['id']}/full")
        assert answer.status_code == expected
        assert expected == 200 or answer.json()["code"] == "MISSING_SCOPE"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/auth/me"),
        ("POST", "/auth/logout"),
        ("GET", "/api-keys"),
        ("POST", "/api-keys"),
        ("GET", "/model-keys"),
        ("GET", "/organizations"),
        ("PATCH", "/organization"),
        ("DELETE", "/organization"),
        ("POST", "/organization/invitations"),
        ("GET", "/oauth/connections"),
    ],
)
async def test_some_things_are_for_people(person: Make, stack_env: Env, owner: Owner, method: str, path: str) -> None:
    one = person()
    key = await make_key(one)
    async with using(stack_env, key["key"]) as client:
        answer = await client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (403, "PEOPLE_ONLY")
    assert calls(owner, one) == 0


async def test_a_key_is_of_one_organization(person: Make, stack_env: Env, owner: Owner, shared: Shared) -> None:
    one, other = person(), person()
    key = await make_key(one)
    hire(owner, shared, other, one)
    async with using(stack_env, key["key"]) as client:
        for named in (str(other.organization_id), "0b8f5c1e-6a5d-4d51-9a43-2f7c9e1b7d10", "none"):
            answer = await client.get("/organization", headers={"X-Organization-Id": named})
            assert (answer.status_code, answer.json()["code"]) == (404, "ORGANIZATION_NOT_FOUND")
        assert calls(owner, one) == 0
        own = await client.get("/organization", headers={"X-Organization-Id": str(one.organization_id)})
        assert own.json()["id"] == str(one.organization_id)
        of_other = await make_skill(other)
        assert (await client.get(f"/skills/{of_other['id']}")).status_code == 404


async def test_a_revoked_an_expired_and_an_unknown_key_are_refused_in_the_same_words(
    person: Make, stack_env: Env, owner: Owner
) -> None:
    one = person()
    revoked, expired = await make_key(one), await make_key(one)
    assert (await one.http.delete(f"/api-keys/{revoked['id']}")).status_code == 200
    owner.execute("update api_keys set expires_at = now() where id = %s", (expired["id"],))
    told = set()
    for key in (revoked["key"], expired["key"], rules.make().text):
        async with using(stack_env, key) as client:
            for path in ("/skills", "/auth/me"):
                answer = await client.get(path)
                assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
                assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
                told.add(answer.json()["detail"])
    assert len(told) == 1
    assert "does not work" in told.pop()
    assert calls(owner, one) == 0


async def test_keys_that_do_not_work_are_limited_by_address_and_keys_that_do_are_not(
    person: Make, stack_env: Env, owner: Owner
) -> None:
    one = person()
    good, rotated, expired = [await make_key(one) for _ in range(3)]
    answer = await one.http.post(f"/api-keys/{rotated['id']}/rotate", json={})
    assert answer.status_code == 201, answer.text
    owner.execute("update api_keys set expires_at = now() - interval '1 day' where id = %s", (expired["id"],))
    bad = [rotated["key"], expired["key"], rules.make().text]
    async with using(stack_env, "") as client:

        async def ask(key: str, **more: str) -> httpx.Response:
            return await client.get("/skills", headers={"Authorization": f"Bearer {key}", **more})

        for number in range(30):
            answer = await ask(bad[number % 3])
            assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
        for key in (*bad, *bad):  # at first, and again
            answer = await ask(key)
            told = answer.json()
            assert (answer.status_code, told["code"]) == (429, "RATE_LIMITED")
            assert 1 <= int(answer.headers["retry-after"]) <= 60
            details = told["details"]
            assert (details["metric"], details["limit"], details["used"]) == ("refused_api_keys", 30, 30)
            assert (answer.headers["ratelimit-limit"], answer.headers["ratelimit-remaining"]) == ("30", "0")
            assert "API keys that do not work" in told["detail"]
        # Also where the request would be refused for its form.
        answer = await client.post("/skills", content=b"{", headers={"Authorization": f"Bearer {bad[0]}"})
        assert answer.status_code == 429
        for _ in range(3):  # the same address
            assert (await ask(good["key"])).status_code == 200
        elsewhere = await ask(bad[0], **{"X-Forwarded-For": fresh_address()})
        assert elsewhere.status_code == 401
    assert calls(owner, one) == 3


async def test_a_revoked_key_is_refused_at_once_in_every_process(
    person: Make, stack_env: Env, serve: Callable[..., Served]
) -> None:
    one = person()
    key = await make_key(one)
    second = serve().url
    async with using(stack_env, key["key"]) as here, using(stack_env, key["key"], url=second) as there:
        assert [(await client.get("/skills")).status_code for client in (here, there)] == [200, 200]
        assert (await one.http.delete(f"/api-keys/{key['id']}")).status_code == 200
        assert [(await client.get("/skills")).status_code for client in (here, there)] == [401, 401]


async def test_a_mistyped_key_is_told_so(person: Make, stack_env: Env) -> None:
    key = (await make_key(person()))["key"]
    async with using(stack_env, key[:-1] + ("0" if key[-1] != "0" else "1")) as client:
        answer = await client.get("/skills")
    assert answer.status_code == 401
    assert "mistyped" in answer.json()["detail"]


async def test_a_key_is_never_above_its_makers_role(person: Make, stack_env: Env, owner: Owner, shared: Shared) -> None:
    boss, admin = person(), person()
    hire(owner, shared, boss, admin, "admin")
    project = await make_project(boss)
    key = await make_key(admin)
    async with using(stack_env, key["key"]) as client:
        assert (await client.patch(f"/projects/{project['id']}", json={"description": "a"})).status_code == 200
        changed = await boss.http.patch(f"/organization/members/{admin.id}", json={"role": "member"})
        assert changed.status_code == 200, changed.text
        assert (await client.patch(f"/projects/{project['id']}", json={"description": "b"})).status_code in (403, 404)
        assert (await client.get("/skills")).status_code == 200
        assert (await boss.http.delete(f"/organization/members/{admin.id}")).status_code == 200
        assert (await client.get("/skills")).status_code == 401
    assert (await boss.http.get("/api-keys")).json() == []
    hire(owner, shared, boss, admin)  # whoever comes back makes new ones
    async with using(stack_env, key["key"]) as client:
        assert (await client.get("/skills")).status_code == 401


async def test_a_key_of_a_deleted_person_is_gone(person: Make, stack_env: Env, owner: Owner, shared: Shared) -> None:
    boss, one = person(), person()
    hire(owner, shared, boss, one)
    key = await make_key(one)
    owner.execute("delete from users where id = %s", (one.id,))
    async with using(stack_env, key["key"]) as client:
        assert (await client.get("/skills")).status_code == 401


async def test_when_a_key_was_last_used_is_written_within_seconds(person: Make, stack_env: Env) -> None:
    one = person()
    key = await make_key(one)
    async with using(stack_env, key["key"]) as client:
        await client.get("/skills")
    for _ in range(100):
        (listed,) = (await one.http.get("/api-keys")).json()
        if listed["lastUsedAt"]:
            break
        await asyncio.sleep(0.1)
    assert listed["lastUsedAt"]


async def test_the_log_names_a_key_by_its_prefix_and_never_whole(person: Make, stack_env: Env, shared: Shared) -> None:
    one = person()
    key = await make_key(one)
    async with using(stack_env, key["key"]) as client:
        asked = await client.get("/skills")
        refused = await client.get("/auth/me", params={"token": key["key"]})
        assert refused.status_code == 403
    await asyncio.sleep(0.5)
    told = logs(shared)
    for answer, user in ((asked, str(one.id)), (refused, None)):
        (line,) = [line for log in told for line in log.splitlines() if answer.headers["x-request-id"] in line]
        assert (json.loads(line)["key"], json.loads(line).get("user")) == (key["prefix"], user)
    assert not [log for log in told if key["key"] in log]


async def test_a_body_that_is_wrong_counts_once(person: Make, stack_env: Env, owner: Owner) -> None:
    one = person()
    key = await make_key(one)
    async with using(stack_env, key["key"]) as client:
        for number, sent in enumerate(({"json": {}}, {"content": b"{"}, {"json": {"name": 5}}), 1):
            answer = await client.post("/skills", **sent)  # type: ignore[arg-type]  # each its own arguments
            assert answer.status_code in (400, 422)
            assert calls(owner, one) == number
        assert (await client.get("/skills/00000000-0000-0000-0000-000000000007")).status_code == 404
        assert (await client.get("/no-such-thing")).status_code == 404
        assert calls(owner, one) == 4
