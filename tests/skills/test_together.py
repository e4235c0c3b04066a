"""Skills that several save at once, or that were saved when more was allowed, through the API."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from tests.conftest import Person, Shared
from tests.executions.test_http import ended, execute
from tests.projects.making import Owner, hire, make_project
from tests.skills.test_http import make_skill

PersonFactory = Callable[..., Person]


def refused(answer: httpx.Response) -> tuple[int, str, str | None]:
    problem = answer.json()
    return answer.status_code, problem["code"], problem.get("field")


async def versions(one: Person, skill: dict[str, object]) -> list[dict[str, object]]:
    answer = await one.http.get(f"/skills/{skill['id']}/versions")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, object]] = answer.json()
    return found


async def test_of_many_who_save_what_they_read_one_does(person: PersonFactory) -> None:
    one = person()
    address = f"/skills/{(await make_skill(one))['id']}"
    tag = (await one.http.get(address)).headers["etag"]
    answers = await asyncio.gather(
        *(
            one.http.patch(address, json={"promptTemplate": f"number {number}"}, headers={"If-Match": tag})
            for number in range(10)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 9
    assert (await one.http.get(address)).json()["version"] == 2


async def test_many_who_save_without_a_tag_each_make_a_version(person: PersonFactory) -> None:
    one = person()
    made = await make_skill(one)
    answers = await asyncio.gather(
        *(one.http.patch(f"/skills/{made['id']}", json={"promptTemplate": f"number {n}"}) for n in range(10))
    )
    assert sorted(answer.json()["version"] for answer in answers) == list(range(2, 12))
    assert len(await versions(one, made)) == 11


async def test_a_model_that_is_no_more_does_not_hinder_other_changes(person: PersonFactory, owner: Owner) -> None:
    one = person()
    made = await make_skill(one)
    owner.execute("update skills set model = 'gone-1' where id = %s", (made["id"],))
    address = f"/skills/{made['id']}"
    changed = await one.http.put(address, json={"model": "gone-1", "description": "still here"})
    assert (changed.status_code, changed.json()["description"]) == (200, "still here")


@pytest.mark.parametrize(
    ("given", "holds"),
    [
        ("*", True),
        ("{tag}", True),
        ('"x", {tag}', True),
        ('"a,b",{tag}', True),
        (', ,{tag} , "x"', True),
        ("W/{tag}", False),
        ('"x"', False),
        ("{bare}", False),
        ('"x', False),
    ],
)
async def test_if_match_is_read_as_the_standard_says(person: PersonFactory, given: str, holds: bool) -> None:
    one = person()
    address = f"/skills/{(await make_skill(one))['id']}"
    tag = (await one.http.get(address)).headers["etag"]
    header = given.format(tag=tag, bare=tag.strip('"'))
    answer = await one.http.patch(address, json={"description": "x"}, headers={"If-Match": header})
    assert answer.status_code == (200 if holds else 412), answer.text


@pytest.mark.parametrize(
    ("lines", "holds"),
    [
        (['"x"', "{tag}"], True),
        (["{tag}", '"x"'], True),
        (['"x", "y"', 'W/"z", {tag}'], True),
        (["*"], True),
        (["*", "*"], True),
        (["", "*"], True),
        (["*", '"x"'], False),
        (['"x"', "*"], False),
        (['"x"', '"y"', "W/{tag}"], False),
        (['"a', 'b"', '"x"'], False),
        ([""], False),
    ],
)
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_if_match_may_come_in_several_lines_which_are_one_list(
    person: PersonFactory, lines: list[str], holds: bool, method: str
) -> None:
    one = person()
    address = f"/skills/{(await make_skill(one))['id']}"
    tag = (await one.http.get(address)).headers["etag"]
    headers = [("If-Match", line.format(tag=tag)) for line in lines]
    body = {"description": "x"} if method == "PATCH" else None
    answer = await one.http.request(method, address, json=body, headers=headers)
    assert answer.status_code == (200 if holds else 412), answer.text


async def test_a_run_changes_no_tag(person: PersonFactory) -> None:
    one = person()
    made = await make_skill(one)
    before = (await one.http.get(f"/skills/{made['id']}")).headers["etag"]
    await execute(one, made, input={"text": "x"})
    after = await one.http.get(f"/skills/{made['id']}")
    assert (after.headers["etag"], after.json()["executionCount"]) == (before, 1)


async def test_a_run_is_of_the_version_that_it_was_asked_for_with(person: PersonFactory) -> None:
    one = person()
    made = await make_skill(one, promptTemplate="one {{text}}")
    first = await execute(one, made, 0, input={"text": "sleep:1 x"})
    await one.http.patch(f"/skills/{made['id']}", json={"promptTemplate": "two {{text}}"})
    second = await execute(one, made, input={"text": "x"})
    assert second["output"] == "two x"
    old = await ended(one, first["executionId"])
    assert (old["skillVersion"], old["output"]) == (1, "one sleep:1 x")


async def test_who_mends_a_skill_need_not_read_the_project_that_it_has(
    person: PersonFactory, owner: Owner, shared: Shared
) -> None:
    boss = person()
    maker = hire(owner, shared, boss, person())
    project = await make_project(boss, privacy="private")
    body = {"promptTemplate": "{{context}}", "context": {"projectId": project["id"]}}
    made = await make_skill(boss, **body)
    owner.execute("update skills set user_id = %s where id = %s", (maker.id, made["id"]))
    address = f"/skills/{made['id']}"
    saved = await maker.http.put(address, json=body | {"name": "Mended"})
    assert (saved.status_code, saved.json()["version"]) == (200, 1), saved.text
    other = {"context": {"projectId": project["id"], "maxTokens": 5}}
    assert refused(await maker.http.put(address, json=other))[:2] == (404, "PROJECT_NOT_FOUND")


async def test_many_who_import_the_same_at_once_all_get_a_name(person: PersonFactory) -> None:
    one = person()
    body = {"skill": {"name": "Same", "promptTemplate": "x"}, "version": "1.0"}
    answers = await asyncio.gather(*(one.http.post("/skills/import", json=body) for _ in range(5)))
    assert [answer.status_code for answer in answers] == [201] * 5, [answer.text for answer in answers]
    assert {answer.json()["name"] for answer in answers} == {"Same", *(f"Same ({n})" for n in range(1, 5))}
