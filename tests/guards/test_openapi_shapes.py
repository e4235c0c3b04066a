"""The documentation is what a client is generated from: shapes are exact, and each answer is shown by an example."""

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from kijko.core.errors import AppError
from kijko.routers.examples import EXAMPLES
from kijko.routers.problems import _kinds
from kijko.routers.scopes import SCOPES
from tests.guards.test_openapi import DOCUMENT, OPERATIONS, Json, each_operation, resolved

SCHEMAS: Json = DOCUMENT["components"]["schemas"]
# What has nothing to say and is not written. Everything else of an answer is always there.
LEFT_OUT = {
    "Check": {"error"},
    "DeletionStatus": {"receipt"},
    "ExecutionWithSkill": {"renderedPrompt"},
    "ExportedContext": {"query", "maxTokens"},
    "ExportedExecution": {"renderedPrompt"},
    "InputSchemaField": {"description", "required", "default"},
    "SkillContext": {"projectId", "query", "maxTokens"},
    "SkillExecution": {"renderedPrompt"},
    "SkillParameters": {"temperature", "max_tokens", "top_p", "top_k", "stop_sequences"},
}
TIME = re.compile(r"(At|Analyzed|Updated)$")
NUMBERS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}


def validator(schema: Json) -> Any:  # one of jsonschema_rs's classes
    whole = {**schema, "components": DOCUMENT["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def parts(node: Any) -> Iterator[Json]:
    """Every object in it, from the outside in."""
    match node:
        case dict():
            yield node
            for each in node.values():
                yield from parts(each)
        case list():
            for each in node:
                yield from parts(each)


def reached(schema: Json, found: set[str]) -> set[str]:
    """The names of the shapes that it is made of."""
    for part in parts(schema):
        name = str(part.get("$ref", "")).removeprefix("#/components/schemas/")
        if name and name not in found:
            found.add(name)
            reached(SCHEMAS[name], found)
    return found


def answered() -> set[str]:
    found: set[str] = set()
    for _, _, operation in OPERATIONS:
        for answer in operation["responses"].values():
            for content in answer.get("content", {}).values():
                reached(content["schema"], found)
    return found


def asked() -> set[str]:
    found: set[str] = set()
    for _, _, operation in OPERATIONS:
        for content in operation.get("requestBody", {}).get("content", {}).values():
            reached(content["schema"], found)
    return found


def fields(names: set[str]) -> list[tuple[str, str, Json]]:
    return [
        (name, field, schema) for name in sorted(names) for field, schema in SCHEMAS[name].get("properties", {}).items()
    ]


def choices(schema: Json) -> list[Json]:
    return [each for each in schema.get("anyOf", [schema]) if each != {"type": "null"}]


@each_operation
def test_each_answer_that_is_json_has_an_example_of_its_shape(method: str, path: str, operation: Json) -> None:
    for answer in operation["responses"].values():
        content = answer.get("content", {}).get("application/json")
        if content is not None:
            assert "example" in content, "write one in kijko.routers.examples, in the module of its group"
            validator(content["schema"]).validate(content["example"])


def test_there_is_no_example_of_what_is_not_there() -> None:
    there = {
        name
        for _, _, operation in OPERATIONS
        for status in operation["responses"]
        for name in (operation["operationId"], f"{operation['operationId']} {status}")
    }
    assert EXAMPLES.keys() <= there


@each_operation
def test_each_example_of_a_body_is_one_that_is_taken(method: str, path: str, operation: Json) -> None:
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        if kind == "application/json":
            shown = [content["example"]] if "example" in content else []
            for choice in choices(content["schema"]):
                shown += resolved(choice).get("examples", ())
            for example in shown:
                validator(content["schema"]).validate(example)


@pytest.mark.parametrize("name", sorted(DOCUMENT["components"]["examples"]))
def test_an_example_of_an_error_is_a_whole_problem_with_a_code_that_there_is(name: str) -> None:
    value = DOCUMENT["components"]["examples"][name]["value"]
    validator({"$ref": "#/components/schemas/Problem"}).validate(value)
    assert value["code"] in {kind.code for kind in _kinds(AppError)}
    assert re.fullmatch(re.escape(value["code"]) + r"(_\d)?", name)
    assert value["detail"] == value["message"] != ""


def test_an_error_that_tells_more_is_shown_with_it() -> None:
    values = {name: each["value"] for name, each in DOCUMENT["components"]["examples"].items()}
    assert values["VALIDATION_ERROR"]["details"][0]["field"] == values["VALIDATION_ERROR"]["field"] == "name"
    assert values["INVALID_INPUT"]["details"][0]["field"] == "input.text"
    assert {"scope", "scopes"} == values["MISSING_SCOPE"]["details"].keys()
    for code in ("RATE_LIMITED", "QUOTA_EXCEEDED", "SEAT_LIMIT"):
        assert values[code]["details"].keys() == {"metric", "limit", "used", "resetsAt"}


def test_nothing_in_a_body_has_a_default_which_some_generators_take_for_required() -> None:
    assert [(name, field) for name, field, schema in fields(asked()) if "default" in schema] == []
    category = SCHEMAS["CreateSkillRequest"]["properties"]["category"]
    assert category["description"].endswith('By default `"custom"`.')


def test_a_header_is_one_text_since_some_generators_know_no_other() -> None:
    headers = [
        each for _, _, operation in OPERATIONS for each in operation.get("parameters", ()) if each["in"] == "header"
    ]
    assert {"If-Match", "Last-Event-ID"} <= {each["name"] for each in headers}
    assert {each["schema"]["type"] for each in headers} == {"string"}


def test_a_time_is_a_time() -> None:
    times = [(name, field, schema) for name, field, schema in fields(answered() | asked()) if TIME.search(field)]
    assert len(times) > 40
    assert [one for one in times if any(each.get("format") != "date-time" for each in choices(one[2]))] == []


def test_what_an_answer_always_has_is_required() -> None:
    optional = {
        name: left
        for name in answered()
        if (left := SCHEMAS[name].get("properties", {}).keys() - set(SCHEMAS[name].get("required", ())))
    }
    assert optional == LEFT_OUT


def test_an_id_is_a_uuid() -> None:
    elsewhere = {("BatchRepository", "id"), ("ModelInfo", "id"), ("Session", "id"), ("Problem", "requestId")}
    ids = [one for one in fields(answered() | asked()) if re.search(r"(^i|I)d$", one[1])]
    assert len(ids) > 40
    odd = {(name, field) for name, field, schema in ids if any(x.get("format") != "uuid" for x in choices(schema))}
    assert odd == elsewhere


@pytest.mark.parametrize(
    ("name", "field", "form"),
    [
        ("SignupRequest", "email", "email"),
        ("ForgotPasswordRequest", "email", "email"),
        ("AddMemberRequest", "email", "email"),
        ("TeamMemberInvitation", "email", "email"),
        ("OrganizationInvitationRequest", "email", "email"),
        ("UserProfile", "email", "email"),
        ("ProjectMember", "email", "email"),
        ("ProjectMember", "avatarUrl", "uri"),
        ("AddRepositoryRequest", "repositoryUrl", "uri"),
        ("AdvancedSettings", "webhookUrl", "uri"),
        ("ProjectSettings", "webhookUrl", "uri"),
        ("ProjectRepository", "repositoryUrl", "uri"),
        ("RepositoryWebhook", "url", "uri"),
        ("ConnectResponse", "authUrl", "uri"),
        ("StartIngestionResponse", "wsNamespaceUrl", "uri-reference"),
        ("DashboardDay", "date", "date"),
        ("CreateApiKeyRequest", "expiresAt", "date-time"),
    ],
)
def test_a_text_of_a_form_says_its_form(name: str, field: str, form: str) -> None:
    assert [each.get("format") for each in choices(SCHEMAS[name]["properties"][field])] == [form]


@pytest.mark.parametrize(("name", "field"), [("LoginRequest", "email"), ("ValidateRepositoryRequest", "url")])
def test_a_text_that_may_be_of_any_form_says_none(name: str, field: str) -> None:
    assert "format" not in SCHEMAS[name]["properties"][field]


@pytest.mark.parametrize(
    ("path", "method", "choice"),
    [
        ("/api/auth/oauth/{provider}", "get", ["google", "github"]),
        ("/api/auth/identities/{provider}", "delete", ["google", "github"]),
        ("/api/oauth/connect/{provider}", "post", ["github", "gitlab", "bitbucket", "azure"]),
        ("/api/model-keys/{provider}", "put", ["anthropic", "google", "openai"]),
    ],
)
def test_a_part_of_an_address_with_few_values_lists_them(path: str, method: str, choice: list[str]) -> None:
    parameters = {each["name"]: each for each in DOCUMENT["paths"][path][method]["parameters"]}
    assert parameters["provider"]["schema"]["enum"] == choice


def test_no_parameter_is_said_to_be_null_since_no_address_can_say_it() -> None:
    for _, _, operation in OPERATIONS:
        for parameter in operation.get("parameters", ()):
            assert {"type": "null"} not in parts(parameter["schema"])


def test_bounds_of_whole_numbers_are_whole() -> None:
    bounds = [part[key] for part in parts(DOCUMENT) if part.get("type") == "integer" for key in NUMBERS & part.keys()]
    assert bounds
    assert all(isinstance(bound, int) for bound in bounds)


def test_a_shape_has_a_name_that_generators_keep() -> None:
    assert [name for name in SCHEMAS if not re.fullmatch(r"[A-Z][A-Za-z]+", name)] == []
    assert [field for field in fields(set(SCHEMAS)) if "title" in field[2]] == []


@each_operation
def test_an_operation_has_a_name_that_reads(method: str, path: str, operation: Json) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)+", operation["operationId"])
    (tag,) = operation["tags"]
    assert operation["operationId"].startswith(tag.replace(" ", "_") + "_")


def test_each_group_is_described_and_none_that_is_not_there() -> None:
    described = {tag["name"]: tag["description"] for tag in DOCUMENT["tags"]}
    assert described.keys() == {tag for _, _, operation in OPERATIONS for tag in operation["tags"]}
    assert all(described.values())


@each_operation
def test_an_api_key_is_named_where_one_may_ask_with_the_scope_that_it_needs(
    method: str, path: str, operation: Json
) -> None:
    security = operation["security"]
    assert {name for each in security for name in each} <= DOCUMENT["components"]["securitySchemes"].keys()
    scope = SCOPES.get((method, path))
    assert [each for each in security if "apiKey" in each] == ([{"apiKey": [scope]}] if scope else [])
