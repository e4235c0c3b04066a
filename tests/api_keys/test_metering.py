"""Each request with a key is an API call of the plan: counted exactly, told in headers, refused when none are left."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tests.api_keys.making import Owner, calls, make_key, use_up, using
from tests.conftest import Person
from tests.skills.test_http import make_skill
from tests.spine.conftest import Served

Make = Callable[..., Person]
Env = dict[str, str]
LIMIT = ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "ratelimit")


async def test_each_answer_says_how_many_calls_are_left(person: Make, stack_env: Env, owner: Owner) -> None:
    one = person(plan="free")
    key = await make_key(one)
    async with using(stack_env, key["key"]) as client:
        for used in (1, 2):
            answer = await client.get("/skills")
            assert (answer.headers["ratelimit-limit"], answer.headers["ratelimit-remaining"]) == (
                "1000",
                str(1000 - used),
            )
            assert answer.headers["ratelimit"].startswith(f'"api_calls";r={1000 - used};t=')
        missing = await client.get("/skills/00000000-0000-0000-0000-000000000007")
        assert (missing.status_code, missing.headers["ratelimit-remaining"]) == (404, "997")
    assert not [name for name in (await one.http.get("/skills")).headers if name.startswith("ratelimit")]


async def test_an_unlimited_plan_counts_without_a_limit(person: Make, stack_env: Env, owner: Owner) -> None:
    one = person(plan="enterprise")
    key = await make_key(one)
    async with using(stack_env, key["key"]) as client:
        answer = await client.get("/skills")
    assert not [name for name in answer.headers if name.startswith("ratelimit")]
    assert calls(owner, one) == 1


@pytest.mark.parametrize("processes", [1, 2])
async def test_of_forty_at_once_with_few_left_exactly_those_pass(
    person: Make, stack_env: Env, owner: Owner, serve: Callable[..., Served], processes: int
) -> None:
    one = person(plan="free")
    key = await make_key(one)
    use_up(owner, one, left=7)
    second = serve().url if processes == 2 else ""
    async with using(stack_env, key["key"]) as here, using(stack_env, key["key"], url=second) as there:
        answers = await asyncio.gather(*((here, there)[at % 2].get("/skills") for at in range(40)))
    passed = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert (len(passed), len(refused)) == (7, 33)
    assert sorted(int(answer.headers["ratelimit-remaining"]) for answer in passed) == list(range(7))
    for answer in refused:
        body = answer.json()
        assert body["code"] == "QUOTA_EXCEEDED"
        assert body["details"].items() >= {"metric": "api_calls", "limit": 1000, "used": 1000}.items()
        resets = datetime.fromisoformat(body["details"]["resetsAt"])
        assert abs((resets - datetime.now(UTC)).total_seconds() - int(answer.headers["retry-after"])) < 30
        assert answer.headers["ratelimit-remaining"] == "0"
        assert all(len(answer.headers.get_list(name)) == 1 for name in LIMIT)
    assert calls(owner, one) == 1000


async def test_what_a_person_does_is_never_refused_for_it(person: Make, stack_env: Env, owner: Owner) -> None:
    one = person(plan="free")
    use_up(owner, one, left=0)
    assert (await one.http.get("/skills")).status_code == 200
    assert (await one.http.get("/organization")).status_code == 200
    key = await make_key(one)
    async with using(stack_env, key["key"]) as client:
        assert (await client.get("/skills")).status_code == 429
        assert (await client.get("/auth/me")).status_code == 403


async def test_a_run_by_key_takes_a_call_and_an_oracle_query_and_tells_the_nearer(
    person: Make, stack_env: Env, owner: Owner
) -> None:
    one = person(plan="free")
    skill = await make_skill(one)
    key = await make_key(one)
    async with using(stack_env, key["key"]) as client:
        for left in range(9, -1, -1):
            ran = await client.post(f"/skills/{skill['id']}/execute", json={"input": {"text": "x"}})
            assert (ran.status_code, ran.headers.get_list("ratelimit-remaining")) == (202, [str(left)])
            assert [one.split(";")[0] for one in ran.headers.get_list("ratelimit")] == [
                '"api_calls"',
                '"oracle_queries"',
            ]
        refused = await client.post(f"/skills/{skill['id']}/execute", json={"input": {"text": "x"}})
        assert (refused.status_code, refused.json()["details"]["metric"]) == (429, "oracle_queries")
        assert refused.headers.get_list("ratelimit-remaining") == ["0"]
    assert calls(owner, one) == 11
