"""Numbers in addresses have one spelling, at every operation that takes one."""

import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from kijko.main import openapi_document
from tests.conftest import Person

SLIPS = ("1_0", " 10", "10 ", "+10", "١٠", "１０", "1e1", "0x10", "010", "", "-0", "ten", "NaN", "--1", "10\n")
Make = Callable[..., Person]


def kinds(schema: dict[str, Any]) -> set[str]:
    return {str(each.get("type")) for each in schema.get("anyOf", [schema])}


def taking() -> list[tuple[str, str, str, bool]]:
    """Of every operation that takes a number in its query: method, path, the number's name, whether it is whole."""
    return [
        (method.upper(), path, one["name"], "integer" in kinds(one["schema"]))
        for path, operations in openapi_document()["paths"].items()
        for method, operation in operations.items()
        for one in operation.get("parameters", ())
        if one["in"] == "query" and kinds(one["schema"]) & {"integer", "number"}
    ]


async def asked(http: httpx.AsyncClient, method: str, path: str, name: str, number: str) -> httpx.Response:
    address = "/".join(str(uuid.uuid4()) if part.startswith("{") else part for part in path.split("/"))
    given = {"q": "a", name: number}
    return await http.request(method, address.removeprefix("/api"), params=given, json={} if method == "POST" else None)


async def test_a_number_that_is_spelt_otherwise_is_refused_wherever_one_is_taken(person: Make) -> None:
    http = person().http
    found = taking()
    assert len(found) > 15
    for method, path, name, whole in found:
        for number in (*SLIPS, *(["10.0", "1.5"] if whole else ["1.", ".5", "inf", "-0.0"])):
            answer = await asked(http, method, path, name, number)
            problem = answer.json()
            assert (answer.status_code, problem.get("code")) == (422, "VALIDATION_ERROR"), (path, name, number)
            assert problem["field"] == name
            assert problem["detail"] == f"{name} must be a {'whole ' if whole else ''}number."


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("limit=0", "limit must be at least 1."),
        ("limit=-5", "limit must be at least 1."),
        ("limit=101", "limit must be at most 100."),
        ("limit=" + "9" * 5000, "limit must be a number with fewer digits."),
        ("offset=-1", "offset must be at least 0."),
    ],
)
async def test_a_number_out_of_bounds_is_told_the_bound(person: Make, query: str, words: str) -> None:
    answer = await person().http.get(f"/executions?{query}")
    assert (answer.status_code, answer.json()["detail"]) == (422, words)


async def test_numbers_in_the_usual_spelling_are_taken(person: Make) -> None:
    http = person().http
    assert (await http.get("/executions?limit=10&offset=0")).json()["pageSize"] == 10
    assert (await http.get("/projects?page=2&pageSize=7")).json()["page"] == 2
    made = await http.post("/skills", json={"name": "Numbers", "promptTemplate": "Hi", "model": "echo"})
    for wait in ("0", "10", "10.0", "0.5"):
        run = await http.post(f"/skills/{made.json()['id']}/execute?wait={wait}", json={})
        assert run.status_code in {200, 202}, run.text


async def test_a_number_in_a_path_that_is_spelt_otherwise_leads_nowhere(person: Make) -> None:
    http = person().http
    made = (await http.post("/skills", json={"name": "Numbers", "promptTemplate": "Hi", "model": "echo"})).json()
    assert (await http.get(f"/skills/{made['id']}/versions/1")).status_code == 200
    for number in ("+1", "%201", "1%20", "0_1", "١", "1.0", "1e0", "01", "-0"):
        answer = await http.get(f"/skills/{made['id']}/versions/{number}")
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND"), number
