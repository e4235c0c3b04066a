"""The API held to its own OpenAPI document: whatever a client sends, the answer is one that the document names."""

from collections.abc import Callable
from urllib.parse import quote

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from kijko.main import openapi_document
from tests.conftest import Person

_LONGEST = 60_000
# Sign-in is limited by address and e-mail, and has its own tests.
_DOCUMENT = schemathesis.openapi.from_dict(openapi_document()).exclude(path_regex="/auth/|/docs|/openapi")
_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]


@pytest.fixture
def teller(person: Callable[..., Person]) -> Person:
    """Somebody whose plan holds many runs."""
    return person(plan="enterprise")


@_DOCUMENT.parametrize()
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
def test_no_answer_is_outside_the_document(case: Case, stack_env: dict[str, str], teller: Person) -> None:
    case.headers = {**(case.headers or {}), "Authorization": f"Bearer {teller.token}"}
    case.headers.pop("X-Organization-Id", None)  # a made-up one would be a 404 before anything else is looked at
    if case.query and "wait" in case.query:
        case.query["wait"] = 0
    if sum(len(quote(str(each))) for each in (case.query or {}).values()) > _LONGEST:
        return  # no request: it is refused before any operation sees it, as tests/spine/test_protocol.py has it
    case.call_and_validate(base_url=stack_env["KIJKO_API_URL"], checks=_CHECKS)
