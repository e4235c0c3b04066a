"""The same request under the same Idempotency-Key is done once, and its first answer given again."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from tests.conftest import Person
from tests.spine.test_problems import problem

SKILL = {"name": "Once", "promptTemplate": "Say {{it}}"}


async def post(http: httpx.AsyncClient, key: str, body: Any = SKILL, path: str = "/skills") -> httpx.Response:
    return await http.post(path, json=body, headers={"Idempotency-Key": key})


async def count(http: httpx.AsyncClient) -> int:
    total: int = (await http.get("/skills")).json()["total"]
    return total


async def test_the_first_answer_is_given_again(person: Callable[..., Person]) -> None:
    http, key = person().http, str(uuid4())
    first = await post(http, key)
    again = await post(http, key)
    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert await count(http) == 1


async def test_without_a_key_each_request_is_done(person: Callable[..., Person]) -> None:
    http = person().http
    assert (await http.post("/skills", json=SKILL)).status_code == 201
    problem(await http.post("/skills", json=SKILL), 409, "SKILL_NAME_EXISTS")


async def test_another_body_under_the_key_is_refused(person: Callable[..., Person]) -> None:
    http, key = person().http, str(uuid4())
    await post(http, key)
    problem(await post(http, key, SKILL | {"name": "Other"}), 422, "IDEMPOTENCY_MISMATCH")
    assert await count(http) == 1


async def test_another_query_under_the_key_is_the_same_request(person: Callable[..., Person]) -> None:
    http, key = person().http, str(uuid4())
    first = await post(http, key)
    assert (await post(http, key, path="/skills?other=1")).content == first.content
    assert await count(http) == 1


async def test_v1_shares_its_keys(person: Callable[..., Person], stack_env: dict[str, str]) -> None:
    http, key = person().http, str(uuid4())
    first = await post(http, key)
    again = await post(http, key, path=f"{stack_env['KIJKO_API_URL']}/api/v1/skills")
    assert again.content == first.content


@pytest.mark.parametrize("body", [{"name": "x"}, [], {"name": "Fine", "promptTemplate": "x", "model": "none-such"}])
async def test_a_refusal_of_what_was_asked_is_kept_too(person: Callable[..., Person], body: Any) -> None:
    http, key = person().http, str(uuid4())
    first = await post(http, key, body)
    again = await post(http, key, body)
    assert first.status_code == again.status_code == 422
    assert first.content == again.content
    assert again.headers["idempotent-replayed"] == "true"


async def test_a_conflict_is_kept_even_when_it_has_gone(
    person: Callable[..., Person], owner: psycopg.Connection[Any]
) -> None:
    one, key = person(), str(uuid4())
    made = (await one.http.post("/skills", json=SKILL)).json()
    first = await post(one.http, key)
    problem(first, 409, "SKILL_NAME_EXISTS")
    owner.execute("delete from public.skills where id = %s", (made["id"],))
    again = await post(one.http, key)
    assert (again.status_code, again.content) == (409, first.content)
    assert await count(one.http) == 0


async def test_a_404_is_kept_for_an_execution(person: Callable[..., Person]) -> None:
    http, key, path = person().http, str(uuid4()), f"/skills/{uuid4()}/execute"
    first = await post(http, key, {"input": {}}, path)
    again = await post(http, key, {"input": {}}, path)
    problem(first, 404, "SKILL_NOT_FOUND")
    assert first.content == again.content


async def test_a_401_is_not_kept(person: Callable[..., Person]) -> None:
    one, key = person(), str(uuid4())
    headers = {"Idempotency-Key": key, "Authorization": "Bearer nonsense"}
    assert (await one.http.post("/skills", json=SKILL, headers=headers)).status_code == 401
    assert (await post(one.http, key)).status_code == 201


async def test_keys_of_two_people_are_two(person: Callable[..., Person]) -> None:
    key = str(uuid4())
    first, second = await post(person().http, key), await post(person().http, key)
    assert first.status_code == second.status_code == 201
    assert first.json()["id"] != second.json()["id"]


async def test_of_many_at_once_one_is_done(person: Callable[..., Person]) -> None:
    http, key = person().http, str(uuid4())
    answers = await asyncio.gather(*(post(http, key) for _ in range(20)))
    done = [answer for answer in answers if answer.status_code == 201]
    assert len({answer.content for answer in done}) == 1
    for answer in answers:
        if answer.status_code != 201:
            problem(answer, 409, "IDEMPOTENCY_IN_PROGRESS")
    assert await count(http) == 1


async def test_a_run_under_a_key_is_one_run(person: Callable[..., Person], owner: psycopg.Connection[Any]) -> None:
    one, key = person(), str(uuid4())
    skill = (await one.http.post("/skills", json=SKILL)).json()
    path = f"/skills/{skill['id']}/execute"
    answers = await asyncio.gather(*(post(one.http, key, {"input": {"it": "hi"}}, path) for _ in range(10)))
    answers.append(await post(one.http, key, {"input": {"it": "hi"}}, path))
    assert len({answer.content for answer in answers if answer.status_code == 202}) == 1
    rows = owner.execute("select count(*) from public.executions where skill_id = %s", (skill["id"],)).fetchone()
    assert rows == (1,)


async def test_a_run_that_was_waited_for_gives_its_result_again(person: Callable[..., Person]) -> None:
    http, key = person().http, str(uuid4())
    skill = (await http.post("/skills", json=SKILL)).json()
    path = f"/skills/{skill['id']}/execute?wait=20"
    first = await post(http, key, {"input": {"it": "hi"}}, path)
    again = await post(http, key, {"input": {"it": "hi"}}, path)
    assert first.status_code == again.status_code == 200
    assert first.content == again.content


@pytest.mark.parametrize("key", ["", "x" * 256, "with space", "tab\tbed"])
async def test_a_key_that_is_none_is_refused(person: Callable[..., Person], key: str) -> None:
    found = problem(await post(person().http, key), 422, "VALIDATION_ERROR")
    assert found["field"] == "Idempotency-Key"


async def test_the_longest_key_is_taken(person: Callable[..., Person]) -> None:
    assert (await post(person().http, "x" * 255)).status_code == 201


async def test_kept_answers_are_encrypted(person: Callable[..., Person], owner: psycopg.Connection[Any]) -> None:
    one = person()
    await post(one.http, str(uuid4()), SKILL | {"promptTemplate": "a most telling prompt"})
    kept = owner.execute("select answer from public.idempotency_keys where user_id = %s", (one.id,)).fetchone()
    assert kept is not None
    assert b"telling" not in bytes(kept[0])
    assert bytes(kept[0]).startswith(b"gAAAA")


async def test_after_a_day_the_key_is_free(person: Callable[..., Person], owner: psycopg.Connection[Any]) -> None:
    one, key = person(), str(uuid4())
    await post(one.http, key)
    owner.execute("update public.idempotency_keys set expires_at = now() where user_id = %s", (one.id,))
    problem(await post(one.http, key), 409, "SKILL_NAME_EXISTS")


async def test_a_claim_whose_holder_died_is_free_when_its_lease_ran_out(
    person: Callable[..., Person], owner: psycopg.Connection[Any]
) -> None:
    one, key = person(), str(uuid4())
    skill = (await one.http.post("/skills", json=SKILL)).json()
    path = f"/skills/{skill['id']}/execute"
    await post(one.http, key, {"input": {"it": "hi"}}, path)
    owner.execute(
        "update public.idempotency_keys set status = null, answer = null, leased_until = now() + interval '1 minute' "
        "where user_id = %s",
        (one.id,),
    )
    problem(await post(one.http, key, {"input": {"it": "hi"}}, path), 409, "IDEMPOTENCY_IN_PROGRESS")
    owner.execute("update public.idempotency_keys set leased_until = now() where user_id = %s", (one.id,))
    assert (await post(one.http, key, {"input": {"it": "hi"}}, path)).status_code == 202


async def test_a_key_is_the_same_however_the_id_in_the_address_is_spelled(person: Callable[..., Person]) -> None:
    http, key = person().http, str(uuid4())
    skill = (await http.post("/skills", json=SKILL)).json()
    first = await post(http, key, {"input": {"it": "hi"}}, f"/skills/{skill['id']}/execute")
    again = await post(http, key, {"input": {"it": "hi"}}, f"/skills/{skill['id'].upper()}/execute")
    assert first.status_code == 202
    assert again.headers["idempotent-replayed"] == "true"
    assert again.content == first.content
