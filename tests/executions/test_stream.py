"""Following an execution over server-sent events: nothing is lost or told twice, whenever one comes."""

import asyncio
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Person, Shared
from tests.executions.test_http import ended, execute
from tests.skills.test_http import make_skill

Make = Callable[..., Person]
Events = list[tuple[str, str, dict[str, Any]]]


def read(text: str) -> Events:
    """(id, event, data) of each."""
    found: Events = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
        if fields:
            found.append((fields["id"], fields["event"], json.loads(fields["data"])))
    return found


async def follow(one: Person, execution_id: str, last_id: str | None = None) -> Events:
    """The whole stream."""
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    answer = await one.http.get(f"/executions/{execution_id}/stream", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    return read(answer.text)


def text_of(events: Events) -> str:
    return "".join(data["text"] for _, event, data in events if event == "delta")


async def test_a_run_is_followed_from_its_begin_to_its_end(person: Make) -> None:
    one = person()
    skill = await make_skill(one, promptTemplate="{{text}}")
    accepted = await execute(one, skill, wait=0, input={"text": "sleep:1 Grüße\nan alle"})
    began = time.monotonic()
    told = await follow(one, accepted["executionId"])
    assert time.monotonic() - began > 0.5
    done = await ended(one, accepted["executionId"])
    assert text_of(told) == done["output"]
    assert [event for _, event, _ in told] == ["delta", "execution"]
    assert told[-1] == ("end", "execution", done)


async def test_who_comes_back_gets_the_rest_and_an_ended_one_replays(person: Make) -> None:
    one = person()
    skill = await make_skill(one, promptTemplate="{{text}}")
    whole = "".join(f"{number}, " for number in range(9000))
    done = await execute(one, skill, input={"text": whole})
    told = await follow(one, done["executionId"])
    assert text_of(told) == whole
    assert len(told) > 3
    for place, (last_id, _, _) in enumerate(told[:-1]):
        assert await follow(one, done["executionId"], last_id) == told[place + 1 :]
    over = await one.http.get(f"/executions/{done['executionId']}/stream", headers={"Last-Event-ID": "end"})
    assert (over.status_code, over.content) == (204, b"")


@pytest.mark.parametrize("bad", ["x", "-1", "1.5", "9" * 30])
async def test_an_id_that_is_none_is_refused(person: Make, bad: str) -> None:
    one = person()
    answer = await one.http.get(f"/executions/{uuid.uuid4()}/stream", headers={"Last-Event-ID": bad})
    assert (answer.status_code, answer.json()["code"]) == (422, "VALIDATION_ERROR")
    assert answer.json()["details"][0]["field"] == "Last-Event-ID"


async def test_a_strangers_is_not_found_however_it_is_asked_for(person: Make) -> None:
    one, other = person(), person()
    done = await execute(one, await make_skill(one), input={"text": "Hello"})
    for last_id in ("0", "end"):
        answer = await other.http.get(f"/executions/{done['executionId']}/stream", headers={"Last-Event-ID": last_id})
        assert (answer.status_code, answer.json()["code"]) == (404, "EXECUTION_NOT_FOUND")


async def test_a_stream_ends_with_the_token(person: Make, shared: Shared) -> None:
    one = person()
    skill = await make_skill(one, promptTemplate="{{text}}")
    accepted = await execute(one, skill, wait=0, input={"text": "sleep:8 x"})
    token = shared.issuer.token(one.id, one.organization_id, exp=int(time.time()) + 2)
    async with asyncio.timeout(6):
        answer = await one.http.get(
            f"/executions/{accepted['executionId']}/stream", headers={"Authorization": f"Bearer {token}"}
        )
    assert read(answer.text) == []
