"""Whatever is wrong with a request, the answer is a problem with a sentence for people and a code for programs."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Self
from uuid import uuid4

import httpx
import psycopg
import pytest
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError, model_validator

from kijko.routers.validation import meaning
from tests.conftest import Person


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, object]:
    """The problem that an answer is, its form checked."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, object] = answer.json()
    assert body["status"] == status
    assert body["code"] == code
    assert body["detail"] == body["message"]
    assert str(body["detail"]).endswith((".", "?"))
    assert body["requestId"] == answer.headers["x-request-id"]
    return body


async def test_an_unknown_address_is_a_404(api: httpx.AsyncClient) -> None:
    problem(await api.get("/api/nothing"), 404, "NOT_FOUND")
    problem(await api.get("/nothing/at/all"), 404, "NOT_FOUND")


async def test_a_slash_too_many_is_no_redirect(api: httpx.AsyncClient) -> None:
    problem(await api.get("/health/"), 404, "NOT_FOUND")


async def test_a_method_that_is_not_taken_is_a_405_that_lists_those_that_are(api: httpx.AsyncClient) -> None:
    answer = await api.delete("/api/skills")
    problem(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"


async def test_options_lists_the_methods(api: httpx.AsyncClient) -> None:
    answer = await api.options("/api/skills")
    assert (answer.status_code, answer.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")


async def test_head_is_get_without_a_body(person: Callable[..., Person]) -> None:
    http = person().http
    assert (await http.head("/skills")).status_code == 200
    assert (await http.head("/skills")).content == b""
    assert (await http.head(f"/skills/{uuid4()}")).status_code == 404


async def test_without_a_token_it_is_a_401_that_names_the_scheme(api: httpx.AsyncClient) -> None:
    answer = await api.get("/api/skills")
    problem(answer, 401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_bad_token_is_told_from_none(api: httpx.AsyncClient) -> None:
    answer = await api.get("/api/skills", headers={"Authorization": "Bearer nonsense"})
    problem(answer, 401, "UNAUTHENTICATED")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": ',
        b'{"name": NaN}',
        b'{"name": "\\ud800"}',
        b'{"name": "\xff"}',
        b"[" * 100_000,
        b"nonsense",
    ],
    ids=["cut off", "NaN", "a lone surrogate", "not UTF-8", "nested without end", "no JSON at all"],
)
async def test_a_body_that_is_no_json_is_a_400(person: Callable[..., Person], body: bytes) -> None:
    answer = await person().http.post("/skills", content=body, headers={"Content-Type": "application/json"})
    problem(answer, 400, "MALFORMED_JSON")


@pytest.mark.parametrize("levels", [101, 500, 1000])
async def test_json_that_is_nested_too_deeply_is_a_400(person: Callable[..., Person], levels: int) -> None:
    one = person()
    made = (await one.http.post("/skills", json={"name": "Deep", "promptTemplate": "{{a}}"})).json()
    for begin, end in (("[", "]"), ('{"b":', "}")):
        body = '{"input": {"a": ' + begin * levels + "1" + end * levels + "}}"
        headers = {"Content-Type": "application/json"}
        answer = await one.http.post(f"/skills/{made['id']}/execute", content=body, headers=headers)
        problem(answer, 400, "MALFORMED_JSON")


async def test_a_body_without_a_named_type_is_read_as_json(person: Callable[..., Person]) -> None:
    http = person().http
    assert (await http.post("/skills", content=b'{"name": "Plain", "promptTemplate": "x"}')).status_code == 201
    problem(await http.post("/skills", content=b"{"), 400, "MALFORMED_JSON")


async def test_a_body_of_another_kind_is_a_415(person: Callable[..., Person]) -> None:
    http = person().http
    for kind in (
        "text/plain",
        "application/xml",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
    ):
        answer = await http.post("/skills", content=b'{"name": "x"}', headers={"Content-Type": kind})
        problem(answer, 415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("body", ["[]", '"text"', "7", "null", "true"])
async def test_json_of_the_wrong_type_is_a_422(person: Callable[..., Person], body: str) -> None:
    answer = await person().http.post("/skills", content=body, headers={"Content-Type": "application/json"})
    problem(answer, 422, "VALIDATION_ERROR")


async def test_no_body_at_all_is_a_422(person: Callable[..., Person]) -> None:
    problem(await person().http.post("/skills"), 422, "VALIDATION_ERROR")


async def test_every_field_at_fault_is_named_as_the_web_app_names_it(person: Callable[..., Person]) -> None:
    body = {"name": "x", "inputSchema": [{"name": "a", "type": "string"}, {"name": "b", "type": "colour"}]}
    found = problem(await person().http.post("/skills", json=body), 422, "VALIDATION_ERROR")
    assert found["field"] == "name"
    assert found["details"] == [
        {"field": "name", "message": "must have at least 2 characters"},
        {"field": "promptTemplate", "message": "is required"},
        {
            "field": "inputSchema.1.type",
            "message": "must be one of 'string', 'number', 'boolean', 'array' or 'object'",
        },
    ]


@pytest.mark.parametrize("written", ["prompt", "prompt_template", "PromptTemplate", "promtTemplate"])
async def test_a_name_that_was_probably_meant_is_told(person: Callable[..., Person], written: str) -> None:
    answer = await person().http.post("/skills", json={"name": "Greet", written: "Hello", "model": "echo"})
    said = f"is required ('{written}' is no field here; did you mean 'promptTemplate'?)"
    assert problem(answer, 422, "VALIDATION_ERROR")["detail"] == f"promptTemplate {said}."
    assert answer.json()["details"] == [{"field": "promptTemplate", "message": said}]


async def test_a_name_that_is_nothing_like_it_is_no_guess_and_a_known_one_is_none_either(
    person: Callable[..., Person],
) -> None:
    for body in ({"name": "Greet", "colour": "red"}, {"description": "prompt template"}):
        answer = await person().http.post("/skills", json=body)
        assert {"field": "promptTemplate", "message": "is required"} in answer.json()["details"]


async def test_a_name_that_is_refused_is_answered_with_the_one_that_is_near(person: Callable[..., Person]) -> None:
    body = {"name": "Greet", "promptTemplate": "Hi", "model": "echo", "parameters": {"maxTokens": 1, "colour": "red"}}
    answer = await person().http.post("/skills", json=body)
    assert answer.json()["details"] == [
        {
            "field": "parameters.maxTokens",
            "message": "is not a known name here. Did you mean 'max_tokens'?",
        },
        {"field": "parameters.colour", "message": "is not a known name here"},
    ]


@pytest.mark.parametrize(
    ("path", "body", "field", "meant"),
    [
        ("/skills", {"context": {"projectID": str(uuid4())}}, "context.projectID", "projectId"),
        (
            "/skills",
            {"inputSchema": [{"name": "a", "type": "string", "requird": True}]},
            "inputSchema.0.requird",
            "required",
        ),
        ("/skills", {"outputformat": "json"}, "outputformat", "outputFormat"),
        ("/projects", {"settings": {"patternFilter": {}}}, "settings.patternFilter", "patternFilters"),
        (
            "/projects",
            {"settings": {"processingOptions": {"realtimeIncremental": True}}},
            "settings.processingOptions.realtimeIncremental",
            "realTimeIncremental",
        ),
        ("/projects", {"chunking_strategy": "fixed"}, "chunking_strategy", "chunkingStrategy"),
    ],
)
async def test_a_misspelt_name_is_refused_at_every_depth(
    person: Callable[..., Person], path: str, body: dict[str, object], field: str, meant: str
) -> None:
    whole = (
        {"name": "Greet", "promptTemplate": "Hi", "model": "echo"}
        if path == "/skills"
        else {"name": "Shop", "type": "manual"}
    )
    found = problem(await person().http.post(path, json=whole | body), 422, "VALIDATION_ERROR")
    assert found["field"] == field
    assert found["details"] == [{"field": field, "message": f"is not a known name here. Did you mean '{meant}'?"}]


async def test_what_may_be_any_json_stays_open(person: Callable[..., Person]) -> None:
    one, anything = person(), {"projectID": 1, "nested": [{"any": {"thing": None}}]}
    schema = [{"name": "given", "type": "object", "default": anything}]
    body = {"name": "Open", "promptTemplate": "{{given}}", "model": "echo", "inputSchema": schema}
    made = await one.http.post("/skills", json=body)
    assert made.status_code == 201, made.text
    assert made.json()["inputSchema"][0]["default"] == anything
    ran = await one.http.post(f"/skills/{made.json()['id']}/execute", json={"input": {"given": anything}})
    assert ran.status_code == 202, ran.text


async def test_an_unknown_name_that_stands_in_nobodys_way_is_ignored_for_newer_apps(
    person: Callable[..., Person],
) -> None:
    body = {"name": "Greet", "promptTemplate": "Hi", "model": "echo", "promtTemplate": "Ho"}
    assert (await person().http.post("/skills", json=body)).status_code == 201


async def test_a_query_at_fault_is_named(person: Callable[..., Person]) -> None:
    found = problem(await person().http.get("/skills?pageSize=1000&page=x"), 422, "VALIDATION_ERROR")
    assert {"field": "pageSize", "message": "must be at most 100"} in found["details"]  # type: ignore[operator]
    assert {"field": "page", "message": "must be a whole number"} in found["details"]  # type: ignore[operator]


async def test_what_is_wrong_is_said_without_a_word_of_python(person: Callable[..., Person]) -> None:
    http = person().http
    made = (await http.post("/skills", json={"name": "Worded", "promptTemplate": "x"})).json()
    run = f"/skills/{made['id']}/execute"
    wrong = problem(await http.post(run, json={"executionType": "habit"}), 422, "VALIDATION_ERROR")
    assert wrong["detail"] == "executionType must be one of 'manual' or 'api'."
    for given, limit in (("500", "at most 120"), ("inf", "a number"), ("-1", "at least 0")):
        found = problem(await http.post(f"{run}?wait={given}", json={}), 422, "VALIDATION_ERROR")
        assert found["detail"] == f"wait must be {limit}."
    unbounded = problem(await http.post(f"{run}?wait=nan", json={}), 422, "VALIDATION_ERROR")
    assert unbounded["detail"] == "wait must be a number."


async def test_one_is_singular(person: Callable[..., Person]) -> None:
    body = {"name": "Singular", "promptTemplate": ""}
    found = problem(await person().http.post("/skills", json=body), 422, "VALIDATION_ERROR")
    assert found["detail"] == "promptTemplate must have at least 1 character."


def test_what_is_wrong_with_a_body_as_a_whole_is_a_sentence_of_its_own() -> None:
    class Twice(BaseModel):
        names: list[str]

        @model_validator(mode="after")
        def _distinct(self) -> Self:
            raise ValueError("names are given twice")

    with pytest.raises(ValidationError) as found:
        Twice(names=["a", "a"])
    errors = [error | {"loc": ("body", *error["loc"])} for error in found.value.errors()]
    said = meaning(RequestValidationError(errors))
    assert (said.detail, said.field) == ("Names are given twice.", None)
    assert said.details == [{"field": "", "message": "names are given twice"}]


async def test_a_nul_character_is_refused_wherever_it_stands(person: Callable[..., Person]) -> None:
    http = person().http
    body = {"name": "a\x00b", "promptTemplate": "x"}
    assert problem(await http.post("/skills", json=body), 422, "VALIDATION_ERROR")["field"] == "name"
    problem(await http.get("/skills?search=a%00b"), 422, "VALIDATION_ERROR")
    problem(await http.get("/skills/a%00b"), 404, "SKILL_NOT_FOUND")
    problem(await http.get("/executions/%00"), 404, "EXECUTION_NOT_FOUND")
    problem(await http.get("/no%00thing"), 404, "NOT_FOUND")
    problem(await http.delete("/auth/sessions/%00"), 404, "SESSION_NOT_FOUND")
    problem(await http.get("/auth/oauth/google%00"), 404, "UNKNOWN_PROVIDER")


@pytest.mark.parametrize("page", ["99999999999999999999999999", "9" * 5000, "-1", "0", "1.5"])
async def test_a_number_out_of_range_is_a_422(person: Callable[..., Person], page: str) -> None:
    problem(await person().http.get("/skills", params={"page": page}), 422, "VALIDATION_ERROR")


@pytest.mark.parametrize("given", ["7", "nonsense", "00000000-0000-0000-0000-00000000000z", "%F0%9F%90%9F", "%ff"])
async def test_an_id_that_is_none_leads_to_the_same_404_as_an_unknown_one(
    person: Callable[..., Person], given: str
) -> None:
    http = person().http
    unknown = problem(await http.get(f"/skills/{uuid4()}"), 404, "SKILL_NOT_FOUND")
    found = problem(await http.get(f"/skills/{given}"), 404, "SKILL_NOT_FOUND")
    assert found["detail"] == unknown["detail"]


async def test_an_id_has_one_spelling_in_small_or_capital_letters(person: Callable[..., Person]) -> None:
    http = person().http
    made = (await http.post("/skills", json={"name": "Spelled", "promptTemplate": "x"})).json()
    plain = made["id"]
    assert (await http.get(f"/skills/{plain.upper()}")).json() == made
    bare = plain.replace("-", "")
    for spelled in (bare, f"{{{plain}}}", f"urn:uuid:{plain}", f"{plain}%0A", f"%20{plain}", f"{bare[:4]}-{bare[4:]}"):
        problem(await http.get(f"/skills/{spelled}"), 404, "SKILL_NOT_FOUND")
    problem(await http.get(f"/executions/{uuid4().hex}"), 404, "EXECUTION_NOT_FOUND")


async def test_a_body_over_the_limit_is_a_413_announced_or_not(person: Callable[..., Person]) -> None:
    http = person().http
    large = b'{"name": "' + b"x" * 1_100_000 + b'"}'
    problem(await http.post("/skills", content=large), 413, "PAYLOAD_TOO_LARGE")

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(large), 65_536):
            yield large[start : start + 65_536]

    problem(await http.post("/skills", content=pieces()), 413, "PAYLOAD_TOO_LARGE")


async def test_a_large_body_within_the_limit_is_read_whole(person: Callable[..., Person]) -> None:
    found = await person().http.post("/skills", json={"name": "Large", "promptTemplate": "x" * 99_999})
    assert found.status_code == 201
    assert len(found.json()["promptTemplate"]) == 99_999


async def test_v1_is_another_name_of_the_same_api(person: Callable[..., Person], stack_env: dict[str, str]) -> None:
    one = person()
    made = (await one.http.post("/skills", json={"name": "Both", "promptTemplate": "x"})).json()
    answer = await one.http.get(f"{stack_env['KIJKO_API_URL']}/api/v1/skills/{made['id']}")
    assert answer.json() == made


async def test_whatever_a_feature_refuses_in_a_field_is_in_details_too(person: Callable[..., Person]) -> None:
    answer = await person().http.post("/skills", json={"name": "Odd", "promptTemplate": "x", "model": "none-such"})
    found = problem(answer, 422, "UNKNOWN_MODEL")
    assert found["details"] == [{"field": found["field"], "message": found["detail"]}]


@pytest.mark.parametrize("how", ["ended", "nonsense"])
async def test_whoever_is_not_signed_in_is_told_so_before_what_is_wrong_with_the_request(
    person: Callable[..., Person], owner: psycopg.Connection[Any], how: str
) -> None:
    one = person()
    if how == "ended":
        owner.execute("select kijko.end_sessions_before(%s, now() + interval '1 minute', null)", (one.id,))
    else:
        one.http.headers["Authorization"] = "Bearer nonsense"
    for answer in (
        await one.http.post("/skills", json={"name": "x"}),
        await one.http.post("/skills", content=b"{", headers={"Content-Type": "application/json"}),
        await one.http.post("/skills", content=b"[" * 200 + b"]" * 200, headers={"Content-Type": "application/json"}),
        await one.http.post("/skills", content=b"x", headers={"Content-Type": "text/plain"}),
        await one.http.get("/skills?pageSize=1000"),
        await one.http.get("/skills/no-id"),
        await one.http.patch("/auth/me", json={"first_name": 7}),
        await one.http.post("/auth/password/change", json={}),
    ):
        problem(answer, 401, "UNAUTHENTICATED")
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_what_is_wrong_with_a_request_for_a_strangers_organization_is_not_said(
    person: Callable[..., Person],
) -> None:
    one, stranger = person(), person()
    headers = {"X-Organization-Id": str(stranger.organization_id)}
    problem(await one.http.post("/skills", json={"name": "x"}, headers=headers), 404, "ORGANIZATION_NOT_FOUND")


async def test_a_public_address_says_what_is_wrong_whatever_token_comes_with_it(api: httpx.AsyncClient) -> None:
    headers = {"Authorization": "Bearer nonsense"}
    problem(await api.post("/api/auth/login", json={}, headers=headers), 422, "VALIDATION_ERROR")
