"""What the logins of the serving processes can be and do by themselves."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.postgres import Sql, become, claims_of, someone
from tests.tenancy import catalogue

LOGINS = ("kijko_api", "kijko_worker")
refused = pytest.raises(psycopg.errors.InsufficientPrivilege)


@pytest.fixture
def migrated(server: Any) -> Sql:
    """The database that the migrations ran in: a copy does not have its grants on the database itself."""
    return Sql(server, "migrated")


@pytest.mark.parametrize("role", ["service_role", "postgres", "kijko_worker", "supabase_admin", "authenticator"])
def test_the_api_can_become_nobody_but_a_signed_in_person(database: Sql, role: str) -> None:
    with database.connect("kijko_api") as connection:
        for first in ("reset role", "set role authenticated"):
            connection.execute(first)
            with refused:
                connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
            with refused:
                connection.execute(sql.SQL("set session authorization {}").format(sql.Identifier(role)))


@pytest.mark.parametrize("login", LOGINS)
def test_a_login_that_became_nobody_touches_no_table_and_no_sequence(database: Sql, login: str) -> None:
    someone(database)
    with database.connect(login) as connection:
        for table in catalogue.tables(database):
            for attack in ("select * from {}", "delete from {}", "truncate {}"):
                with refused:
                    connection.execute(sql.SQL(attack).format(sql.Identifier("public", table.name)))


@pytest.mark.parametrize("login", LOGINS)
def test_a_login_bypasses_nothing_owns_nothing_and_makes_nothing(database: Sql, login: str) -> None:
    assert database.run(
        "select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication, rolinherit from pg_roles "
        "where rolname = %s",
        login,
    ) == [(False,) * 6]
    with database.connect(login) as connection:
        for schema in ("public", "kijko", "extensions", "auth"):
            with refused:
                connection.execute(sql.SQL("create table {} (a int)").format(sql.Identifier(schema, "mine")))


def test_nobody_of_the_api_touches_a_sequence(database: Sql) -> None:
    """Whoever sets back the ledger's sequence stops every organization's reservations."""
    found = database.run("select schemaname, sequencename from pg_sequences where schemaname = 'public'")
    assert found
    user = someone(database)
    for schema, name in found:
        for attack in ("select setval({}::regclass, 1)", "select nextval({}::regclass)"):
            with refused, database.person(user.user, user.organization) as connection:
                connection.execute(sql.SQL(attack).format(sql.Literal(f"{schema}.{name}")))
        with refused, database.person(user.user, user.organization) as connection:
            connection.execute(sql.SQL("select * from {}").format(sql.Identifier(schema, name)))


@pytest.mark.parametrize("role", ["none", "authenticated"])
def test_a_type_of_ones_own_cannot_run_inside_a_function_of_the_owner(migrated: Sql, role: str) -> None:
    """`::uuid` in such a function would mean pg_temp.uuid, with a check that then runs as the owner."""
    with migrated.connect("kijko_api") as connection:
        connection.execute(sql.SQL("set role {}").format(sql.SQL(role)))  # type: ignore[arg-type]  # one of two
        for attack in (
            "create domain pg_temp.uuid as pg_catalog.uuid",
            "create function pg_temp.spy() returns boolean language sql as 'select true'",
            "create temporary table spoils (a int)",
        ):
            with refused:
                connection.execute(attack)  # type: ignore[arg-type]  # of the three above


def test_a_table_made_later_begins_closed_to_the_apis_roles(copy: Callable[[str], Sql]) -> None:
    database = copy("migrated")
    database.run("create table public.later (id bigint generated always as identity)")
    database.run("create function public.later() returns integer language sql as 'select 1'")
    for role in ("anon", "authenticated"):
        for attack in ("select * from public.later", "select nextval('public.later_id_seq')", "select public.later()"):
            with refused, database.connect("supabase_admin") as connection:
                connection.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
                connection.execute(attack)  # type: ignore[arg-type]  # of the three above


def test_somebody_without_a_token_reaches_no_table_and_no_function(database: Sql) -> None:
    user = someone(database)
    with database.connect("supabase_admin") as connection:
        connection.execute("set role anon")
        for table in catalogue.tables(database):
            with refused:
                connection.execute(sql.SQL("select * from {}").format(sql.Identifier("public", table.name)))
        for function in catalogue.functions(database):
            with refused:
                catalogue.call(connection, function, user)


def test_what_is_for_the_system_is_closed_to_a_person(database: Sql) -> None:
    user = someone(database)
    for attack in (
        "select kijko.grant_plan(%s, 'enterprise', '')",
        "select kijko.plan_of(%s)",
        "select kijko.usage_of(%s)",
        "select kijko.release('oracle_queries', %s)",
        "select kijko.lock_quota(%s, 'seats')",
        "select kijko.enter(%s, '', now(), null, false)",
    ):
        with refused, database.person(user.user, user.organization) as connection:
            connection.execute(attack, (user.organization,))  # type: ignore[arg-type]  # of the six above


def test_the_worker_sees_every_organization_only_as_the_system_role(database: Sql) -> None:
    user = someone(database)
    with database.system() as connection:
        found = connection.execute("select 1 from organizations where id = %s", (user.organization,)).fetchall()
        assert found
    with refused, database.connect("kijko_worker") as connection:
        connection.execute("select 1 from organizations")
    with refused, database.connect("kijko_worker") as connection:
        become(connection, claims_of(user.user), user.organization)
