"""Following an execution over server-sent events: nothing is lost or told twice, whenever one comes."""

import asyncio
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Person, Shared
from tests.executions import providers
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
    assert told[0][0] == f"1:{len(done['output'])}"
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


@pytest.mark.parametrize("bad", ["x", "-1", "1.5", "9" * 30, "1:", ":1", "1:2:3", "1:-2"])
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


# ---- as it comes -----------------------------------------------------------------------------------------------------


class Listener:
    """Follows one execution; what it is told, with when."""

    def __init__(self, one: Person, execution_id: str, last_id: str | None = None) -> None:
        self.events: Events = []
        self.times: list[float] = []
        self._one, self._id, self._last = one, execution_id, last_id
        self._more = asyncio.Event()
        self.opened = asyncio.Event()
        self.task = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        headers = {} if self._last is None else {"Last-Event-ID": self._last}
        async with self._one.http.stream("GET", f"/executions/{self._id}/stream", headers=headers) as answer:
            assert answer.status_code == 200
            self.opened.set()
            text = ""
            async for piece in answer.aiter_text():
                text += piece
                *whole, text = text.split("\n\n")
                for event in read("\n\n".join([*whole, ""])):
                    self.events.append(event)
                    self.times.append(time.monotonic())
                    self._more.set()

    async def has(self, many: int) -> None:
        """Returns when so many events were told."""
        async with asyncio.timeout(30):
            while len(self.events) < many:
                await self._more.wait()
                self._more.clear()

    async def drop(self) -> None:
        """Hangs up."""
        self.task.cancel()
        await asyncio.wait([self.task])


@pytest.mark.parametrize("model", [*sorted(providers.MODELS.values()), "echo"])
async def test_text_is_told_as_the_model_says_it(person: Make, model: str) -> None:
    one = person()
    text = "stream:2 " + "word " * 11 if model == "echo" else f"{uuid.uuid4()} [slow 12 0.2]"
    skill = await providers.skill_on(one, model)
    await ended(one, await providers.start(one, skill, "x"))  # its SDK is imported
    listener = Listener(one, await providers.start(one, skill, text))
    await listener.task
    done = listener.events[-1][2]
    assert (done["status"], text_of(listener.events)) == ("completed", done["output"])
    assert len(listener.events) > 8
    assert listener.times[-1] - listener.times[0] > 1
    places = [int(each.split(":")[1]) for each, event, _ in listener.events if event == "delta"]
    assert places == sorted(set(places))
    assert places[-1] == len(done["output"])


async def test_whoever_comes_late_or_comes_back_gets_the_rest_each_character_once(person: Make) -> None:
    one = person()
    execution_id = await providers.start(
        one, await providers.skill_on(one, "claude-sonnet-5"), f"{uuid.uuid4()} [slow 30 0.1]"
    )
    first = Listener(one, execution_id)
    await first.has(6)
    late = Listener(one, execution_id)
    await late.has(2)
    await first.drop()
    heard = first.events[:]
    back = Listener(one, execution_id, heard[-1][0])
    await back.task
    await late.task
    output = (await ended(one, execution_id))["output"]
    assert text_of(heard) + text_of(back.events) == output
    assert text_of(late.events) == output
    assert all(event != "restart" for _, event, _ in back.events)
    assert len(back.events) > 5


@pytest.mark.parametrize("model", sorted(providers.MODELS.values()))
async def test_who_heard_some_of_an_attempt_that_failed_is_told_to_begin_anew(person: Make, model: str) -> None:
    one = person()
    skill = await providers.skill_on(one, model)
    for _ in range(5):  # on a busy machine the first attempt may be over before anybody listens
        execution_id = await providers.start(one, skill, f"{uuid.uuid4()} some text [cut once]")
        listener = Listener(one, execution_id)
        await listener.task
        events = [event for _, event, _ in listener.events]
        if "restart" in events:
            break
    done = listener.events[-1][2]
    assert (done["status"], done["attempts"]) == ("completed", 2)
    begin = events.index("restart")
    assert events[begin - 1] == "delta"
    assert listener.events[begin][2] == {"attempt": 2}
    assert text_of(listener.events[begin:]) == done["output"]
    assert done["output"].startswith(text_of(listener.events[:begin]))
    # Whoever comes back with an id of the attempt that failed is told the same.
    again = await follow(one, execution_id, listener.events[0][0])
    assert [event for _, event, _ in again] == ["restart", "delta", "execution"]
    assert text_of(again) == done["output"]


async def test_one_that_fails_in_mid_stream_ends_without_a_text(person: Make) -> None:
    one = person()
    execution_id = await providers.start(
        one, await providers.skill_on(one, "gpt-5.4-mini"), f"{uuid.uuid4()} [refuse] [slow 5 0.1]"
    )
    listener = Listener(one, execution_id)
    await listener.task
    assert listener.events[-1][1] == "execution"
    assert (listener.events[-1][2]["status"], listener.events[-1][2]["output"]) == ("failed", None)
    assert [event for _, event, _ in await follow(one, execution_id)] == ["execution"]


async def test_who_follows_one_that_is_cancelled_is_told_at_once(person: Make) -> None:
    one = person()
    execution_id = await providers.start(
        one, await providers.skill_on(one, "claude-sonnet-5"), f"{uuid.uuid4()} [slow 100 0.1]"
    )
    listener = Listener(one, execution_id)
    await listener.has(3)
    asked = time.monotonic()
    assert (await one.http.post(f"/executions/{execution_id}/cancel")).status_code == 200
    await listener.task
    assert listener.times[-1] - asked < 1
    assert listener.events[-1][2]["status"] == "cancelled"


async def test_a_slow_reader_gets_everything(person: Make) -> None:
    one = person()
    skill = await make_skill(one, promptTemplate="{{text}}")
    execution_id = await providers.start(one, skill, "stream:2 " + "\U0001f600word " * 60_000)
    async with one.http.stream("GET", f"/executions/{execution_id}/stream") as answer:
        done = await ended(one, execution_id)
        body = (await answer.aread()).decode()
    assert text_of(read(body)) == done["output"]
