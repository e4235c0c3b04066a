"""No list, count or statistic reads a whole table: each has an index for what it asks, as the role of the API."""

import uuid
from typing import Any

import psycopg
import pytest
from bench.executions import calls, statement
from psycopg import sql

from tests.conftest import Person

CALLS = calls(uuid.uuid4())
TABLES = {"executions", "usage_ledger", "execution_days", "execution_hours", "skills"}


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(each for one in plan.get("Plans", ()) for each in nodes(one))]


@pytest.mark.parametrize("call", CALLS)
async def test_it_is_read_by_an_index(person: Any, owner: psycopg.Connection[Any], call: str) -> None:
    one: Person = person()
    asked = await statement(CALLS[call][0])
    values = sql.SQL(", ").join(
        sql.SQL("null") if value is None else sql.Literal(bytes(value).decode()) for value in asked.values
    )
    with owner.transaction():
        # A table of the tests is small enough that reading all of it would be cheaper: so it is only where it must be.
        owner.execute("set local enable_seqscan = off")
        owner.execute("set local plan_cache_mode = force_generic_plan")
        owner.execute(b"prepare asked as " + asked.sql.encoded)
        owner.execute(
            "select set_config('request.jwt.claims', %s, true), set_config('app.current_org_id', %s, true)",
            (f'{{"sub": "{one.id}"}}', str(one.organization_id)),
        )
        owner.execute("set local role authenticated")
        row = owner.execute(sql.SQL("explain (format json) execute asked ({})").format(values)).fetchone()
        owner.execute("deallocate asked")
    assert row is not None
    found = nodes(row[0][0]["Plan"])
    read = [each for each in found if each.get("Relation Name") in TABLES]
    assert read
    for each in read:
        assert each["Node Type"] in {"Index Scan", "Index Only Scan", "Bitmap Heap Scan"}, each
        condition = each.get("Index Cond", "") + each.get("Recheck Cond", "")
        assert "organization_id" in condition or "id = " in condition or "(id = ANY" in condition, each
