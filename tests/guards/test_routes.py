"""Every route of the API, walked: none is open by oversight, none commits after its answer, none forgets a key."""

from collections.abc import Iterator

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from kijko.main import create_app
from kijko.models.enums import ApiKeyScope
from kijko.routers.deps import org_tx
from kijko.routers.idempotency import claim
from kijko.routers.principal import bearer
from kijko.routers.public import PUBLIC
from kijko.routers.scopes import PEOPLE, SCOPES
from kijko.settings import Settings

ROUTES = [route for route in create_app(Settings()).routes if isinstance(route, APIRoute)]
APART = ("/api/auth/", "/api/files/upload")
each_route = pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{min(route.methods)} {route.path}")


def dependencies(of: Dependant) -> Iterator[Dependant]:
    for one in of.dependencies:
        yield one
        yield from dependencies(one)


def calls(route: APIRoute) -> set[object]:
    return {one.call for one in dependencies(route.dependant)}


def test_there_are_routes_to_walk() -> None:
    assert len(ROUTES) > 5


@each_route
def test_a_route_has_a_principal_or_is_on_the_list_of_public_ones(route: APIRoute) -> None:
    for method in route.methods:
        listed = (method, route.path) in PUBLIC
        assert (bearer in calls(route)) is not listed, "a route has a principal, or a reason in PUBLIC, and never both"


@each_route
def test_what_ends_a_transaction_does_so_before_the_answer_is_sent(route: APIRoute) -> None:
    for one in dependencies(route.dependant):
        if one.call in {org_tx, claim}:
            assert one.scope == "function", "write Depends(…, scope='function'), or a failing commit answers 200"


@each_route
def test_every_post_honours_an_idempotency_key(route: APIRoute) -> None:
    if "POST" in route.methods and route.path.startswith("/api/") and not route.path.startswith(APART):
        assert calls(route) & {org_tx, claim}, "take CurrentTx, or CurrentClaim where the work spans transactions"


@each_route
def test_a_template_begins_after_the_segments_that_routes_are_found_by(route: APIRoute) -> None:
    parts = route.path.split("/")
    fixed = parts[:3] if parts[1] == "api" else parts[:2]
    assert "{" not in "".join(fixed)


def test_no_two_routes_have_the_same_address() -> None:
    addresses = [(method, route.path) for route in ROUTES for method in route.methods]
    assert len(addresses) == len(set(addresses))


def test_a_fixed_address_is_not_hidden_by_a_template_before_it() -> None:
    for at, route in enumerate(ROUTES):
        for earlier in ROUTES[:at]:
            if earlier.methods & route.methods and "{" in earlier.path:
                assert not earlier.path_regex.match(route.path), (
                    f"{route.path} is never reached: {earlier.path} comes first"
                )


def test_the_list_of_public_routes_lists_nothing_that_is_gone() -> None:
    assert PUBLIC.keys() <= {(method, route.path) for route in ROUTES for method in route.methods}
    assert all(PUBLIC.values()), "each has its reason"


@each_route
def test_a_route_says_what_an_api_key_needs_for_it(route: APIRoute) -> None:
    for method in route.methods:
        listed, public = (method, route.path) in SCOPES, (method, route.path) in PUBLIC
        assert listed is not public, "say in routers.scopes which scope it needs, or that it is for PEOPLE"


@pytest.mark.parametrize("part", ["auth", "api-keys", "model-keys", "billing", "gdpr", "oauth", "invitations"])
def test_who_is_in_what_is_paid_and_what_opens_doors_is_for_people(part: str) -> None:
    found = {scope for (_, path), scope in SCOPES.items() if path.split("/")[2] == part or f"/{part}" in path[5:]}
    assert found <= {PEOPLE}


def test_every_scope_is_needed_somewhere_and_reading_never_needs_one_that_changes() -> None:
    assert {scope for scope in SCOPES.values() if scope} == set(ApiKeyScope)
    for (method, path), scope in SCOPES.items():
        if scope is not None and method == "GET":
            assert scope.endswith(":read"), path
        if scope is not None and method in {"PUT", "PATCH", "DELETE"}:
            assert not scope.endswith(":read"), path
