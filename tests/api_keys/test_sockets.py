"""Sockets and streams that were opened with an API key."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from kijko.services.api_keys.rules import make
from tests.api_keys.making import Owner, calls, logs, make_key, using
from tests.conftest import Person, Shared, fresh_address
from tests.projects.making import hire, make_project
from tests.realtime.making import close_of, publish, socket
from tests.realtime.socketio import client, refusal
from tests.skills.test_http import make_skill

Make = Callable[..., Person]
Env = dict[str, str]
_POLLING = "/socket.io/?EIO=4&transport=polling"


async def test_a_project_is_heard_with_a_key_that_reads_projects(person: Make, stack_env: Env, owner: Owner) -> None:
    one = person()
    project = await make_project(one)
    key = await make_key(one, scopes=["projects:read"])
    async with socket(stack_env, project["id"], key["key"]) as listening:
        assert (await listening.next())["event"] == "joined"
        publish(owner, project, 1, 3)
        assert await listening.numbers(3) == [1, 2, 3]
    assert calls(owner, one) == 1


async def test_a_key_without_the_scope_hears_nothing(person: Make, stack_env: Env, owner: Owner) -> None:
    one = person()
    project = await make_project(one)
    key = await make_key(one, scopes=["executions:read"])
    code, reason = await close_of(stack_env, project["id"], key["key"])
    assert (code, "projects:read" in reason) == (4003, True)
    async with client(stack_env, key["key"]) as listening:
        declined = await listening.join(project)
        assert (declined["ok"], declined["code"]) == (False, "MISSING_SCOPE")
    other = await make_key(one, scopes=["projects:read"])
    refused = await refusal(stack_env, other["key"])
    assert (refused["data"]["code"], "executions:read" in refused["message"]) == ("MISSING_SCOPE", True)


async def test_a_key_hears_nothing_of_another_organization(
    person: Make, stack_env: Env, owner: Owner, shared: Shared
) -> None:
    one, other = person(), person()
    key = await make_key(one)
    elsewhere = await make_project(other, privacy="shared")
    at_other = hire(owner, shared, other, one)
    assert (await close_of(stack_env, elsewhere["id"], key["key"]))[0] == 4004
    async with socket(stack_env, elsewhere["id"], at_other.token) as listening:
        assert (await listening.next())["event"] == "joined"
    async with client(stack_env, key["key"]) as listening:
        await listening.until("joined")
        assert (await listening.join(elsewhere))["code"] == "ROOM_NOT_FOUND"
        declined = await listening.ask("join", room=f"organization:{other.organization_id}")
        assert declined["code"] == "ROOM_NOT_FOUND"
        assert (await listening.ask("join", room=f"organization:{one.organization_id}"))["ok"]
        room = f"user:{one.id}"
        newest = await _all_told(owner, room, one, other)
        for number, organization in enumerate((other, one, other, one), newest + 1):
            owner.execute(
                "select kijko.write_event(%s, %s, null, 'progress_update', %s)",
                (room, organization.organization_id, json.dumps({"number": number})),
            )
        assert await listening.numbers(newest + 4) == [newest + 2, newest + 4]


async def _all_told(owner: Owner, room: str, *persons: Person) -> int:
    """The newest id of a room, when what these people did is told."""
    organizations = [each.organization_id for each in persons]
    for _ in range(100):
        row = owner.execute(
            "select (select count(*) from activities where organization_id = any (%s)), "
            "coalesce((select last_id from room_heads where room = %s), 0)",
            (organizations, room),
        ).fetchone()
        assert row is not None
        if row[0] == 0:
            return int(row[1])
        await asyncio.sleep(0.1)
    raise AssertionError("what people did was not told")


@pytest.mark.parametrize("end", ["revoked", "expired", "rotated", "removed"])
async def test_open_sockets_end_with_their_key(
    person: Make, stack_env: Env, owner: Owner, shared: Shared, end: str
) -> None:
    boss, one = person(), person()
    project = await make_project(boss, privacy="shared")
    one = hire(owner, shared, boss, one)
    key = await make_key(one)
    async with socket(stack_env, project["id"], key["key"]) as plain, client(stack_env, key["key"]) as listening:
        await plain.until("joined")
        await listening.until("joined")
        await _end(end, key, one, boss, owner)
        code, reason = await plain.closed()
        assert (code, "does not work" in reason) == (4001, True)
        told = (await listening.until("closed"))[-1][1]
        assert told["code"] == "UNAUTHENTICATED"
        await listening.ended()
    assert (await close_of(stack_env, project["id"], key["key"]))[0] == 4001


async def _end(how: str, key: dict[str, Any], one: Person, boss: Person, owner: Owner) -> None:
    match how:
        case "revoked":
            assert (await one.http.delete(f"/api-keys/{key['id']}")).status_code == 200
        case "expired":
            owner.execute("update api_keys set expires_at = now() where id = %s", (key["id"],))
        case "rotated":
            assert (await one.http.post(f"/api-keys/{key['id']}/rotate")).status_code == 201
        case _:
            assert (await boss.http.delete(f"/organization/members/{one.id}")).status_code == 200


async def test_a_stream_of_an_execution_ends_with_its_key(person: Make, stack_env: Env, owner: Owner) -> None:
    one = person()
    skill = await make_skill(one)
    key = await make_key(one, scopes=["executions:run", "executions:read"])
    async with using(stack_env, key["key"]) as http:
        begun = (await http.post(f"/skills/{skill['id']}/execute", json={"input": {"text": "sleep:20 x"}})).json()
        async with http.stream("GET", f"/executions/{begun['executionId']}/stream") as stream:
            assert stream.status_code == 200
            await one.http.delete(f"/api-keys/{key['id']}")
            async with asyncio.timeout(10):
                told = "".join([text async for text in stream.aiter_text()])
    assert "event:" not in told


async def test_a_socket_with_a_key_is_not_to_be_renewed(person: Make, stack_env: Env) -> None:
    one = person()
    project = await make_project(one)
    key = await make_key(one)
    async with socket(stack_env, project["id"], key["key"]) as listening:
        await listening.until("joined")
        for token in (key["key"], one.token):
            await listening.say("token:refresh", token=token)
            assert (await listening.next())["event"] == "refused"


async def test_a_key_in_an_address_reaches_no_log(person: Make, stack_env: Env, shared: Shared) -> None:
    one = person()
    project = await make_project(one)
    key = await make_key(one)
    async with socket(stack_env, project["id"], key["key"]) as listening:
        await listening.until("joined")
    await close_of(stack_env, "no-project", key["key"])
    await asyncio.sleep(0.5)
    assert not [log for log in logs(shared) if key["key"][12:] in log]


async def test_keys_that_do_not_work_are_limited_by_address_on_sockets_too(
    person: Make, stack_env: Env, owner: Owner
) -> None:
    one = person()
    project, key = await make_project(one), await make_key(one)
    bad, elsewhere = make().text, {"X-Forwarded-For": fresh_address()}
    http = stack_env["KIJKO_API_URL"]
    address = f"{http.replace('http', 'ws', 1)}/api/projects/{project['id']}/ws?token="

    async def plain(token: str) -> tuple[int | None, str | None]:
        async with connect(address + token, additional_headers=elsewhere, close_timeout=1) as raw:
            try:
                return None, str(await raw.recv())
            except ConnectionClosed:
                return raw.close_code, raw.close_reason

    async def handshake(token: str) -> str:
        async with httpx.AsyncClient(base_url=http, headers=elsewhere) as client:
            opened = await client.get(_POLLING)
            session = f"{_POLLING}&sid={json.loads(opened.text[1:])['sid']}"
            await client.post(session, content="40" + json.dumps({"token": token}))
            return (await client.get(session)).text

    for _ in range(14):
        assert (await plain(bad))[0] == 4001
        assert '"UNAUTHENTICATED"' in await handshake(bad)
    async with httpx.AsyncClient(base_url=http, headers={**elsewhere, "Authorization": f"Bearer {bad}"}) as client:
        assert [(await client.get("/api/skills")).status_code for _ in range(3)] == [401, 401, 429]
    code, reason = await plain(bad)
    assert (code, "API keys that do not work" in str(reason)) == (4029, True)
    assert '"RATE_LIMITED"' in await handshake(bad)
    assert (await handshake(key["key"]))[:2] == "40"
    assert '"joined"' in str((await plain(key["key"]))[1])
    assert calls(owner, one) == 2
