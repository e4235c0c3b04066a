"""A person's own room hears how their executions go, each step once, however many end together."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import psycopg

from kijko.models.executions import SkillExecution
from tests.conftest import Person, Shared
from tests.projects.making import hire
from tests.realtime.socketio import Client, client
from tests.skills.test_http import make_skill

Make = Callable[..., Person]


async def updates(listening: Client, ends: int) -> list[dict[str, Any]]:
    """What is told until so many have ended."""
    found: list[dict[str, Any]] = []
    while sum(one["status"] != "pending" for one in found) < ends:
        event, data, _ = await listening.next()
        if event == "execution_update":
            assert set(data) == {"execution"}
            found.append(data["execution"])
    return found


async def test_an_execution_that_ends_is_told_as_it_is_read(person: Make, stack_env: dict[str, str]) -> None:
    one = person()
    skill = await make_skill(one, promptTemplate="Hello {{name}}")
    async with client(stack_env, one.token) as listening:
        await listening.next()
        answer = await one.http.post(f"/skills/{skill['id']}/execute", json={"input": {"name": "Ann"}})
        (told,) = await updates(listening, 1)
    read = (await one.http.get(f"/executions/{answer.json()['executionId']}")).json()
    assert told == read | {"renderedPrompt": None}
    assert (told["status"], told["output"]) == ("completed", "Hello Ann")
    assert SkillExecution.model_validate(told).model_dump(mode="json", by_alias=True) == told


async def test_many_that_end_together_are_each_told_once_to_their_own_person(
    person: Make, shared: Shared, owner: psycopg.Connection[Any], stack_env: dict[str, str]
) -> None:
    boss = person(plan="enterprise")
    colleague = hire(owner, shared, boss, person())
    skill = await make_skill(boss, promptTemplate="{{name}}")

    async def run(one: Person) -> set[str]:
        asked = [
            one.http.post(f"/skills/{skill['id']}/execute", content=json.dumps({"input": {"name": str(number)}}))
            for number in range(40)
        ]
        return {answer.json()["executionId"] for answer in await asyncio.gather(*asked)}

    async with client(stack_env, boss.token) as first, client(stack_env, colleague.token) as second:
        await first.next()
        await second.next()
        ids = await asyncio.gather(run(boss), run(colleague))
        told = await asyncio.gather(updates(first, 40), updates(second, 40))
    for expected, heard in zip(ids, told, strict=True):
        ended = [one["id"] for one in heard if one["status"] == "completed"]
        assert (len(ended), set(ended)) == (40, expected)
