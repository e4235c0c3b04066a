"""Skills through the API."""

import uuid
from collections.abc import Callable

import psycopg
import pytest

from kijko.models.skills import Skill, SkillPage
from tests.conftest import Person

PersonFactory = Callable[..., Person]
BODY: dict[str, object] = {"name": "ok", "promptTemplate": "x"}


async def make_skill(one: Person, **fields: object) -> dict[str, object]:
    """A skill of that person's; by default an echo of {{text}}."""
    body = {"name": f"Skill {uuid.uuid4()}", "promptTemplate": "{{text}}", "model": "echo"} | fields
    answer = await one.http.post("/skills", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, object] = answer.json()
    return made


async def test_a_new_skill_has_the_contracts_defaults_and_reads_back_the_same(person: PersonFactory) -> None:
    one = person()
    answer = await one.http.post("/skills", json={"name": "  Summarise ", "promptTemplate": "{{text}}"})
    assert answer.status_code == 201
    made = answer.json()
    assert made == (await one.http.get(f"/skills/{made['id']}")).json()
    assert set(made) == {field.alias for field in Skill.model_fields.values()}
    expected = {
        "userId": str(one.id),
        "name": "Summarise",
        "description": None,
        "category": "custom",
        "model": "echo",
        "parameters": {},
        "inputSchema": None,
        "outputFormat": "markdown",
        "context": None,
        "version": 1,
        "isActive": True,
        "isPublic": False,
        "executionCount": 0,
        "starCount": 0,
        "rating": None,
        "ratingCount": 0,
        "lastExecutedAt": None,
    }
    assert {name: made[name] for name in expected} == expected
    assert made["createdAt"].endswith("Z")


async def test_the_json_that_postgres_writes_is_the_wire_models(person: PersonFactory) -> None:
    one = person()
    made = await make_skill(
        one,
        description='A "quoted" – text',
        category="analysis",
        parameters={"temperature": 0.25, "max_tokens": 10, "stop_sequences": ["\n"]},
        inputSchema=[{"name": "text", "type": "string", "required": True, "default": None}],
        outputFormat="json",
        isActive=False,
    )
    page = (await one.http.get("/skills")).json()
    assert Skill.model_validate(made).model_dump(mode="json", by_alias=True, exclude_unset=True) == made
    assert SkillPage.model_validate(page).total == 1
    assert page["skills"] == [made]
    assert set(page) == {"skills", "total", "page", "pageSize", "hasMore"}


async def test_names_are_unique_per_owner_ignoring_case(person: PersonFactory) -> None:
    one, other = person(), person()
    await make_skill(one, name="Same Name")
    again = await one.http.post("/skills", json={"name": "same NAME", "promptTemplate": "x"})
    assert (again.status_code, again.json()["code"], again.json()["field"]) == (409, "SKILL_NAME_EXISTS", "name")
    await make_skill(other, name="same name")


async def test_a_name_is_trimmed_before_it_is_measured(person: PersonFactory) -> None:
    made = await make_skill(person(), name=" " + "n" * 100 + " ")
    assert made["name"] == "n" * 100


async def test_an_unknown_model_is_refused_at_save(person: PersonFactory) -> None:
    answer = await person().http.post("/skills", json={"name": "S1", "promptTemplate": "x", "model": "gpt-none"})
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "UNKNOWN_MODEL", "model")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"promptTemplate": "x"}, "name"),
        ({"name": "x", "promptTemplate": "x"}, "name"),
        (BODY | {"name": " a "}, "name"),
        (BODY | {"name": "\u3000\u3000x"}, "name"),
        (BODY | {"name": "\u200b\u200b"}, "name"),
        (BODY | {"name": "a\n\u202eb"}, "name"),
        (BODY | {"isActive": "yes"}, "isActive"),
        (BODY | {"parameters": {"max_tokens": "5"}}, "parameters.max_tokens"),
        (BODY | {"inputSchema": [{"name": "a", "type": "string", "default": 5}]}, "inputSchema[0]"),
        (BODY | {"inputSchema": [{"name": "a", "type": "string"}, {"name": "a", "type": "string"}]}, "inputSchema"),
        ({"name": "ok", "prompt_template": "x"}, "promptTemplate"),
        ({"name": "ok", "promptTemplate": ""}, "promptTemplate"),
        ({"name": "ok", "promptTemplate": "a\u0000b"}, "promptTemplate"),
        ({"name": "ok", "promptTemplate": "x", "category": "none"}, "category"),
        ({"name": "ok", "promptTemplate": "x", "parameters": {"temperature": 3}}, "parameters.temperature"),
        ({"name": "ok", "promptTemplate": "x", "parameters": {"foo": 1}}, "parameters.foo"),
        (
            {"name": "ok", "promptTemplate": "x", "inputSchema": [{"name": "1x", "type": "string"}]},
            "inputSchema[0].name",
        ),
        ({"name": "ok", "promptTemplate": "x", "inputSchema": [{"name": "x", "type": "date"}]}, "inputSchema[0].type"),
    ],
)
async def test_a_bad_field_is_named(person: PersonFactory, body: dict[str, object], field: str) -> None:
    answer = await person().http.post("/skills", json=body)
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert problem["code"] == "VALIDATION_ERROR"
    assert problem["field"].replace("[", ".").replace("]", "") == field.replace("[", ".").replace("]", "")


async def test_the_list_is_filtered_searched_and_paged_last_updated_first(person: PersonFactory) -> None:
    one = person()
    for number in range(5):
        await make_skill(
            one,
            name=f"Number {number}",
            description="An even one" if number % 2 == 0 else None,
            category="analysis" if number < 2 else "custom",
            isActive=number != 4,
        )

    async def names(**query: object) -> list[str]:
        answer = await one.http.get("/skills", params=query)
        assert answer.status_code == 200, answer.text
        return [skill["name"].removeprefix("Number ") for skill in answer.json()["skills"]]

    assert await names() == ["4", "3", "2", "1", "0"]
    assert await names(category="analysis") == ["1", "0"]
    assert await names(isActive="false") == ["4"]
    assert await names(search="EVEN") == ["4", "2", "0"]
    assert await names(search="number 3") == ["3"]
    assert await names(search="%") == []
    second = (await one.http.get("/skills", params={"page": 2, "pageSize": 2})).json()
    assert [skill["name"] for skill in second["skills"]] == ["Number 2", "Number 1"]
    assert {name: second[name] for name in ("total", "page", "pageSize", "hasMore")} == {
        "total": 5,
        "page": 2,
        "pageSize": 2,
        "hasMore": True,
    }
    beyond = (await one.http.get("/skills", params={"page": 9})).json()
    assert (beyond["skills"], beyond["total"], beyond["hasMore"]) == ([], 5, False)


@pytest.mark.parametrize("query", [{"page": 0}, {"pageSize": 101}, {"category": "x"}, {"isActive": "maybe"}])
async def test_a_bad_query_is_a_422_that_names_it(person: PersonFactory, query: dict[str, object]) -> None:
    answer = await person().http.get("/skills", params=query)
    assert (answer.status_code, answer.json()["field"]) == (422, next(iter(query)))


async def test_a_strangers_skill_is_a_404_everywhere(person: PersonFactory) -> None:
    one, stranger = person(), person()
    skill = await make_skill(one)
    for answer in (
        await stranger.http.get(f"/skills/{skill['id']}"),
        await stranger.http.post(f"/skills/{skill['id']}/execute", json={"input": {"text": "x"}}),
        await stranger.http.get(f"/skills/{uuid.uuid4()}"),
        await stranger.http.get("/skills/not-an-id"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "SKILL_NOT_FOUND")
    assert (await stranger.http.get("/skills")).json()["total"] == 0
    named = await stranger.http.get("/skills", headers={"X-Organization-Id": str(one.organization_id)})
    assert (named.status_code, named.json()["code"]) == (404, "ORGANIZATION_NOT_FOUND")


async def test_a_context_must_name_a_project_that_the_maker_may_read(
    person: PersonFactory, owner: psycopg.Connection
) -> None:
    one, stranger = person(), person()
    row = owner.execute(
        "insert into projects (organization_id, user_id, name, type, privacy) "
        "values (%s, %s, 'Theirs', 'manual', 'shared') returning id",
        (stranger.organization_id, stranger.id),
    ).fetchone()
    assert row is not None
    body = {"name": "With code", "promptTemplate": "{{context}}", "context": {"projectId": str(row[0])}}
    refused = await one.http.post("/skills", json=body)
    assert (refused.status_code, refused.json()["code"]) == (404, "PROJECT_NOT_FOUND")
    assert (await stranger.http.post("/skills", json=body)).status_code == 201
