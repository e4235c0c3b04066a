"""The documentation is complete: every operation says what it does, who may, what can go wrong, and gives examples."""

from collections.abc import Iterator
from typing import Any

import pytest

from kijko.main import ANSWER_HEADERS, openapi_document
from kijko.routers.idempotency import APART
from kijko.routers.public import PUBLIC
from kijko.routers.scopes import SCOPES

DOCUMENT = openapi_document()
OPERATIONS = [
    (method.upper(), path, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]
each_operation = pytest.mark.parametrize(
    ("method", "path", "operation"), OPERATIONS, ids=[f"{method} {path}" for method, path, _ in OPERATIONS]
)
Json = dict[str, Any]


def resolved(schema: Json) -> Json:
    reference = schema.get("$ref")
    return schema if reference is None else target(reference)


def target(reference: str) -> Json:
    start, components, kind, name = reference.split("/")
    assert (start, components) == ("#", "components")
    found: Json = DOCUMENT[components][kind][name]
    return found


@each_operation
def test_it_says_what_it_does(method: str, path: str, operation: Json) -> None:
    assert operation["summary"]
    assert operation["description"]
    assert operation["tags"]
    assert operation["summary"] != operation["description"]


@each_operation
def test_it_says_who_may(method: str, path: str, operation: Json) -> None:
    assert bool(operation.get("security")) is ((method, path) not in PUBLIC)


@each_operation
def test_it_says_what_an_api_key_needs(method: str, path: str, operation: Json) -> None:
    if (method, path) in PUBLIC:
        return
    scope, forbidden = SCOPES[method, path], operation["responses"]["403"]["description"]
    said = "Not for API keys." if scope is None else f"An API key needs the scope `{scope}`."
    assert operation["description"].endswith(said)
    assert ("`PEOPLE_ONLY`" in forbidden, "`MISSING_SCOPE`" in forbidden) == (scope is None, scope is not None)


@each_operation
def test_each_error_is_a_problem_with_its_codes_and_an_example_of_each(method: str, path: str, operation: Json) -> None:
    errors = {status: answer for status, answer in operation["responses"].items() if int(status) >= 400}
    assert "500" in errors
    if operation.get("security"):
        assert {"401", "403", "422", "429"} <= errors.keys()
    for status, answer in errors.items():
        if path.startswith("/health") and status == "503":
            continue  # says how things are, in its own shape
        content = answer["content"]["application/problem+json"]
        assert resolved(content["schema"])["title"] == "Problem"
        assert content["examples"]
        for code, example in content["examples"].items():
            assert f"`{code}`" in answer["description"]
            assert resolved(example)["value"]["code"] == code
            assert resolved(example)["value"]["status"] == int(status)


def has_example(schema: Json) -> bool:
    """Whether it shows one whole, or one for each field that must be there."""
    if schema.get("examples") or schema.get("enum") or "const" in schema:
        return True
    choices = [resolved(each) for each in schema.get("anyOf", ())]
    if choices:
        return any(has_example(each) for each in choices)
    fields = schema.get("properties", {})
    shown = [has_example(resolved(fields[name])) for name in schema.get("required") or fields]
    return bool(shown) and all(shown)


@each_operation
def test_a_body_has_an_example(method: str, path: str, operation: Json) -> None:
    for content in operation.get("requestBody", {}).get("content", {}).values():
        assert content.get("example") or content.get("examples") or has_example(resolved(content["schema"]))


@each_operation
def test_a_success_has_a_shape(method: str, path: str, operation: Json) -> None:
    good = {status: answer for status, answer in operation["responses"].items() if status.startswith("2")}
    redirects = {status for status in operation["responses"] if status.startswith("3")}
    assert good or redirects
    for status, answer in good.items():
        if status != "204":
            assert all(content.get("schema") for content in answer.get("content", {}).values())


@each_operation
def test_parameters_are_camel_case_and_have_a_type(method: str, path: str, operation: Json) -> None:
    for parameter in operation.get("parameters", ()):
        assert parameter["schema"]
        if parameter["in"] in {"path", "query"} and not path.startswith("/api/auth/"):
            assert "_" not in parameter["name"]


@each_operation
def test_only_a_post_that_is_not_apart_takes_an_idempotency_key(method: str, path: str, operation: Json) -> None:
    named = any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", ()))
    assert named is (method == "POST" and not path.startswith(APART))


@each_operation
def test_an_address_with_an_id_may_lead_nowhere(method: str, path: str, operation: Json) -> None:
    if "{" in path and "302" not in operation["responses"]:
        codes = operation["responses"]["404"]["content"]["application/problem+json"]["examples"].keys()
        assert codes - {"ORGANIZATION_NOT_FOUND"}, "that of the thing itself"


@each_operation
def test_whoever_signs_in_may_pick_an_organization(method: str, path: str, operation: Json) -> None:
    named = [each for each in operation.get("parameters", ()) if each["name"] == "X-Organization-Id"]
    assert bool(named) is bool(operation.get("security"))
    if named:
        schema = named[0]["schema"]
        assert (schema["type"], schema["format"], len(schema["examples"])) == ("string", "uuid", 1)
        assert "ORGANIZATION_NOT_FOUND" in operation["responses"]["404"]["description"]


@each_operation
def test_no_header_is_filled_in_for_who_tries_it_on_the_page(method: str, path: str, operation: Json) -> None:
    headers = [each for each in operation.get("parameters", ()) if each["in"] == "header"]
    assert all("example" not in each and "examples" not in each for each in headers)


LIMIT = {"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "RateLimit"}
COUNTED = {
    ("POST", "/api/auth/login"),
    ("POST", "/api/auth/signup"),
    ("POST", "/api/auth/refresh"),
    ("POST", "/api/auth/password/forgot"),
    ("POST", "/api/auth/password/change"),
    ("POST", "/api/auth/verify-email/resend"),
    ("POST", "/api/organizations"),
    ("POST", "/api/organization/invitations"),
    ("POST", "/api/invitations/{token}/accept"),
    ("POST", "/api/projects/{projectId}/members"),
    ("POST", "/api/projects/{projectId}/invitations"),
    ("POST", "/api/projects/{projectId}/invitations/{memberId}/resend"),
}


@each_operation
def test_the_headers_of_each_answer_are_told(method: str, path: str, operation: Json) -> None:
    takes_key = any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", ()))
    for status, answer in operation["responses"].items():
        names = answer["headers"].keys()
        assert "X-Request-ID" in names
        assert ("Retry-After" in names) is (status in {"429", "503"})
        assert ("Location" in names) is status.startswith("3")
        assert status not in {"200", "201", "202", "404", "409"} or ("Idempotent-Replayed" in names) is takes_key
        metered = SCOPES.get((method, path)) is not None
        assert (names >= LIMIT) is (status == "429" or (method, path) in COUNTED or metered)
        assert ("RateLimit-Policy" in names) is ((method, path) in COUNTED)
        assert all(
            resolved(header)["schema"] and resolved(header)["description"] for header in answer["headers"].values()
        )


def test_a_run_says_how_much_of_the_plan_is_left() -> None:
    answers = DOCUMENT["paths"]["/api/skills/{skillId}/execute"]["post"]["responses"]
    assert all(answers[status]["headers"].keys() >= LIMIT for status in ("200", "202", "429"))


def test_every_header_that_is_described_may_be_read_by_pages() -> None:
    described = {name.lower() for name in DOCUMENT["components"]["headers"]}
    assert described <= {name.lower() for name in ANSWER_HEADERS}


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(ids) == len(set(ids))


def test_v1_is_not_listed_twice() -> None:
    assert not [path for _, path, _ in OPERATIONS if path.startswith("/api/v1")]


def test_every_reference_leads_somewhere() -> None:
    def references(value: Any) -> list[str]:
        match value:
            case {"$ref": str(reference)}:
                return [reference]
            case dict():
                return [each for one in value.values() for each in references(one)]
            case list():
                return [each for one in value for each in references(one)]
            case _:
                return []

    found = references(DOCUMENT)
    assert found
    for reference in found:
        assert target(reference)


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "sentence"),
    [
        ("get", "/api/projects/{projectId}", "404", "PROJECT_NOT_FOUND", "There is no project with this id"),
        ("post", "/api/skills", "404", "PROJECT_NOT_FOUND", "The project that the context names"),
        ("post", "/api/skills/{skillId}/execute", "404", "PROJECT_NOT_FOUND", "The project that the context names"),
        ("patch", "/api/projects/{projectId}/members/{memberId}", "404", "MEMBER_NOT_FOUND", "The project has no"),
        ("patch", "/api/organization/members/{userId}", "404", "MEMBER_NOT_FOUND", "Your organization has no member"),
        ("post", "/api/projects/{projectId}/members", "409", "MEMBER_EXISTS", "This address is in the project"),
        ("post", "/api/organization/invitations", "409", "MEMBER_EXISTS", "This address is in your organization"),
        ("post", "/api/invitations/{token}/accept", "404", "INVITATION_NOT_FOUND", "There is no such invitation"),
        ("delete", "/api/organization/invitations/{invitationId}", "404", "INVITATION_NOT_FOUND", "Your organization"),
        ("post", "/api/oauth/connect/{provider}", "404", "UNKNOWN_PROVIDER", "There is no git provider"),
        ("get", "/api/auth/oauth/{provider}", "404", "UNKNOWN_PROVIDER", "There is no sign-in of this name"),
        (
            "post",
            "/webhooks/repository/{repositoryId}",
            "400",
            "MALFORMED_JSON",
            "The body is no JSON object",
        ),
        ("post", "/api/projects", "400", "MALFORMED_JSON", "The body is not valid JSON"),
    ],
)
def test_a_code_that_several_features_have_is_told_in_the_words_of_this_one(
    method: str, path: str, status: str, code: str, sentence: str
) -> None:
    answer = DOCUMENT["paths"][path][method]["responses"][status]
    example = resolved(answer["content"]["application/problem+json"]["examples"][code])
    assert example["value"]["detail"].startswith(sentence)


def inside(shape: Json) -> Iterator[Json]:
    """The shapes of its fields, and of theirs; not those in lists."""
    for field in shape.get("properties", {}).values():
        for choice in (field, *field.get("anyOf", ())):
            if "$ref" in choice:
                yield resolved(choice)
                yield from inside(resolved(choice))


@each_operation
def test_a_change_names_no_defaults_since_what_is_absent_stays(method: str, path: str, operation: Json) -> None:
    if method in {"PUT", "PATCH"}:
        body = resolved(operation["requestBody"]["content"]["application/json"]["schema"])
        for shape in (body, *inside(body)):
            assert not [name for name, field in shape.get("properties", {}).items() if "default" in field]
