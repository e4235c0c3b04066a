"""How Postgres runs the policies: their functions once a statement, and rows found by an index."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from psycopg import sql

from tests.postgres import Someone, Sql, someone
from tests.tenancy import catalogue

ORGANIZATIONS, ROWS = 60, 50
PER_ROW = re.compile(r"\b(?:kijko|auth)\.\w+\(|(?<!hashed )\bSubPlan \d", re.IGNORECASE)
CONDITIONS = ("Filter", "Index Cond", "Recheck Cond", "Join Filter", "Hash Cond", "One-Time Filter")


@pytest.fixture(scope="module")
def crowd(copy: Callable[[str], Sql]) -> tuple[Sql, Someone]:
    """A few thousand rows in every table, of many organizations; one of their owners."""
    database = copy("migrated")
    people = [someone(database) for _ in range(ORGANIZATIONS)]
    catalogue.strip(database, indexes=False)
    catalogue.fill(database, people[0], ROWS)
    catalogue.multiply(database, people)
    return database, people[0]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def explained(database: Sql, who: Someone, query: sql.Composable) -> dict[str, Any]:
    with database.person(who.user, who.organization) as connection:
        row = connection.execute(sql.SQL("explain (format json) ") + query).fetchone()
    assert row is not None
    plan: dict[str, Any] = row[0][0]["Plan"]
    return plan


def statements(database: Sql) -> list[tuple[str, sql.Composable]]:
    found = []
    for table in catalogue.tables(database):
        name = sql.Identifier("public", table.name)
        column = next(c for c, _ in table.columns.items())
        updatable = database.run(
            "select column_name from information_schema.column_privileges "
            "where grantee = 'authenticated' and table_name = %s and privilege_type = 'UPDATE' limit 1",
            table.name,
        )
        may = {
            privilege: database.one("select has_table_privilege('authenticated', %s, %s)", table.name, privilege)
            for privilege in ("select", "delete")
        }
        if may["select"]:
            found.append((f"select {table.name}", sql.SQL("select {} from {}").format(sql.Identifier(column), name)))
        if may["delete"]:
            found.append((f"delete {table.name}", sql.SQL("delete from {}").format(name)))
        if updatable:
            change = sql.SQL("update {} set {} = null").format(name, sql.Identifier(updatable[0][0]))
            found.append((f"update {table.name}", change))
    return found


def test_a_policys_functions_run_once_a_statement_and_never_once_a_row(crowd: tuple[Sql, Someone]) -> None:
    database, who = crowd
    checked = 0
    for label, query in statements(database):
        for node in nodes(explained(database, who, query)):
            for condition in (str(node[key]) for key in CONDITIONS if key in node):
                assert not PER_ROW.search(condition), f"{label}: {condition}"
                checked += 1
    assert checked > 20


def test_an_organizations_rows_are_found_by_an_index(crowd: tuple[Sql, Someone]) -> None:
    database, who = crowd
    big = {t.name for t in catalogue.tables(database) if catalogue.rows_of(database, t, who) >= ROWS}
    assert len(big) > 8
    for label, query in statements(database):
        table = label.split()[1]
        if table in big:
            for node in nodes(explained(database, who, query)):
                through = node["Node Type"] == "Seq Scan" and node.get("Relation Name") == table
                assert not through, f"{label} reads the whole table: {node.get('Filter')}"


def test_a_policy_that_asks_once_a_row_would_be_noticed(crowd: tuple[Sql, Someone]) -> None:
    database, who = crowd
    database.run("create table public.slow as select id, organization_id from public.skills")
    database.run("grant select on public.slow to authenticated")
    database.run("alter table public.slow enable row level security")
    database.run("create policy slow on public.slow to authenticated using (organization_id = kijko.current_org())")
    try:
        plan = explained(database, who, sql.SQL("select * from public.slow"))
        assert any(PER_ROW.search(str(node.get("Filter"))) for node in nodes(plan))
    finally:
        database.run("drop table public.slow")
