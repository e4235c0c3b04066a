"""A socket lives as long as its token, which can be renewed on it; and what it takes from clients."""

import json
import time
from collections.abc import Callable

import pytest

from tests.conftest import Person, Shared
from tests.projects.making import make_project
from tests.realtime.making import close_of, socket

Make = Callable[..., Person]


def token_for(shared: Shared, one: Person, seconds: int, sid: str = "s") -> str:
    return shared.issuer.token(one.id, one.organization_id, sid=f"{sid}-{one.id}", exp=int(time.time()) + seconds)


async def test_a_token_that_ends_is_announced_and_closes_the_socket(
    person: Make, shared: Shared, stack_env: dict[str, str]
) -> None:
    one = person()
    project = await make_project(one)
    async with socket(stack_env, project["id"], token_for(shared, one, 4)) as listening:
        await listening.until("joined")
        warned = await listening.next()
        assert warned["event"] == "token:expiring"
        assert warned["data"]["expiresAt"].endswith("Z")
        code, reason = await listening.closed()
    assert (code, "expired" in reason) == (4001, True)


async def test_a_renewed_token_keeps_the_socket(person: Make, shared: Shared, stack_env: dict[str, str]) -> None:
    one = person()
    project = await make_project(one)
    async with socket(stack_env, project["id"], token_for(shared, one, 4)) as listening:
        await listening.until("token:expiring")
        await listening.say("token:refresh", token=token_for(shared, one, 66))
        assert (await listening.next())["event"] == "token:refreshed"
        began = time.monotonic()
        assert (await listening.next())["event"] == "token:expiring"  # a minute before the new one ends
        assert time.monotonic() - began > 4


@pytest.mark.parametrize("bad", ["nonsense", "", None, 7, "another session", "another person"])
async def test_a_token_of_somebody_else_renews_nothing(
    person: Make, shared: Shared, stack_env: dict[str, str], bad: object
) -> None:
    one, other = person(), person()
    project = await make_project(one)
    if bad == "another session":
        bad = token_for(shared, one, 600, sid="t")
    elif bad == "another person":
        bad = token_for(shared, other, 600)
    async with socket(stack_env, project["id"], token_for(shared, one, 600)) as listening:
        await listening.until("joined")
        await listening.say("token:refresh", token=bad)
        told = await listening.next()
        assert told["event"] == "refused"
        assert set(told["data"]) == {"code", "message"}
        await listening.say("ping")
        assert (await listening.next())["event"] == "pong"


@pytest.mark.parametrize("sent", ["{", "[]", "7", '{"event": 7}', "\u00fc" * 10, "[" * 5000])
async def test_what_is_no_message_closes_the_socket(person: Make, stack_env: dict[str, str], sent: str) -> None:
    one = person()
    project = await make_project(one)
    async with socket(stack_env, project["id"], one.token) as listening:
        await listening.until("joined")
        await listening.raw.send(sent)
        assert (await listening.closed())[0] == 4400


async def test_an_unknown_message_is_told_and_a_flood_or_a_large_one_closes(
    person: Make, stack_env: dict[str, str]
) -> None:
    one = person()
    project = await make_project(one)
    async with socket(stack_env, project["id"], one.token) as listening:
        await listening.until("joined")
        await listening.say("project:delete")
        assert (await listening.next())["data"]["code"] == "UNKNOWN_EVENT"
        for _ in range(60):
            await listening.raw.send(json.dumps({"event": "ping"}))
        assert (await listening.closed())[0] == 4029
    async with socket(stack_env, project["id"], one.token) as listening:
        await listening.until("joined")
        await listening.raw.send("x" * 70_000)
        assert (await listening.closed())[0] == 1009


async def test_a_person_has_only_so_many_sockets(person: Make, stack_env: dict[str, str]) -> None:
    one = person()
    project = await make_project(one)
    most = int(stack_env["KIJKO_EVENTS_CONNECTIONS"])
    opened = []
    try:
        for _ in range(most):
            context = socket(stack_env, project["id"], one.token)
            opened.append(context)
            await (await context.__aenter__()).until("joined")
        code, reason = await close_of(stack_env, project["id"], one.token)
        assert (code, "connections" in reason) == (4029, True)
    finally:
        for context in opened:
            await context.__aexit__(None, None, None)


async def test_no_line_of_a_log_has_the_token(person: Make, shared: Shared, stack_env: dict[str, str]) -> None:
    one = person()
    project = await make_project(one)
    async with socket(stack_env, project["id"], one.token) as listening:
        await listening.until("joined")
    await close_of(stack_env, project["id"], one.token[:-3])
    logs = "".join(log.read_text() for log in (shared.home / "logs").glob("*.log"))
    assert "token refused" in logs
    assert one.token.split(".")[1] not in logs
