"""Every statement of the program fits the migrated schema, and none leaves anything behind on its connection."""

import importlib
import pkgutil
import re
from typing import Any

import psycopg
import pytest

import kijko.core
import kijko.services
from kijko.core.db import REGISTRY
from kijko.core.db.describe import Registered, describe

# What outlives a transaction on a connection that the next request gets, or ends the transaction of the layer.
LEAVES_SOMETHING = re.compile(
    r"set_config\([^)]*,\s*false\s*\)|\bpg_(try_)?advisory_lock(_shared)?\(|\b(create|into)\s+temp"
    r"|^\s*(set|reset|discard|listen|prepare|deallocate|begin|start|commit|end|rollback|abort|lock)\b",
    re.IGNORECASE,
)


def statements() -> list[Registered]:
    for package in (kijko.core, kijko.services):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    return [query for query in REGISTRY if query.module.startswith("kijko.")]


def test_every_statement_fits_the_schema_and_its_row_type(owner: psycopg.Connection[Any]) -> None:
    found = statements()
    assert len(found) > 10
    mismatches = [str(mismatch) for query in found if (mismatch := describe(query, owner))]
    assert mismatches == []


def test_a_statement_that_calls_a_changing_function_is_marked_so(owner: psycopg.Connection[Any]) -> None:
    """One that only reads is sent a second time when its connection broke; `writes=True` prevents that."""
    ours = "select proname from pg_proc where provolatile = 'v' and pronamespace = any(%s::regnamespace[])"
    changing = {name for (name,) in owner.execute(ours, (["kijko", "public"],))}
    assert changing
    unmarked = [
        query.label
        for query in statements()
        if not query.writes and changing & {name.lower() for name in re.findall(r"(\w+)\s*\(", query.text)}
    ]
    assert unmarked == []


def test_no_statement_leaves_anything_on_its_connection() -> None:
    assert [f"{query.label}: {query.text}" for query in statements() if LEAVES_SOMETHING.search(query.text)] == []


@pytest.mark.parametrize(
    "text",
    [
        "select set_config('role', $1, false)",
        "select pg_advisory_lock(1)",
        "set role service_role",
        " COMMIT",
        "create temporary table x ()",
    ],
)
def test_what_leaves_something_is_recognised(text: str) -> None:
    assert LEAVES_SOMETHING.search(text)


@pytest.mark.parametrize(
    "text",
    [
        "select set_config('role', $1, true)",
        "select pg_advisory_xact_lock(1)",
        "update x set a = false",
        "with begun as (select 1) select 1",
        "select a from x for update skip locked",
    ],
)
def test_what_ends_with_its_transaction_is_let_pass(text: str) -> None:
    assert not LEAVES_SOMETHING.search(text)
