"""In SQL, as the role of a request: another organization's rows are not there, however the settings are made.

All constraints and triggers are taken away first, so that what refuses here is the wall: roles, grants, policies.
Tables and functions come from the catalogue.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.postgres import Someone, Sql, become, claims_of, someone
from tests.tenancy import catalogue


@dataclass(frozen=True)
class Ground:
    """Two organizations, each with one row in every table; nothing but the wall is left."""

    database: Sql
    tables: list[catalogue.Table]
    a: Someone
    b: Someone

    def secrets(self) -> set[str]:
        """What must never reach A's person."""
        return {str(self.b.organization), str(self.b.user), self.b.email, str(catalogue.thing(self.b))}


@pytest.fixture(scope="module")
def ground(copy: Callable[[str], Sql]) -> Ground:
    database = copy("migrated")
    a, b = someone(database, plan="teams"), someone(database, plan="teams")
    catalogue.strip(database)
    catalogue.fill(database, a)
    catalogue.fill(database, b)
    return Ground(database, catalogue.tables(database), a, b)


def _claims(sub: object, **others: object) -> str:
    return json.dumps({"sub": str(sub) if sub is not None else None, **others})


# What somebody may write into the settings to reach B's rows: (claims, organization).
SITUATIONS: dict[str, Callable[[Ground], tuple[str, object]]] = {
    "A's person, B's organization": lambda g: (claims_of(g.a.user), g.b.organization),
    "A's person, A's organization": lambda g: (claims_of(g.a.user), g.a.organization),
    "A's person, no organization": lambda g: (claims_of(g.a.user), ""),
    "A's person, an organization that is no uuid": lambda g: (claims_of(g.a.user), "all"),
    "A's person, B's organization, claiming to be service_role": lambda g: (
        _claims(g.a.user, role="service_role", is_admin=True),
        g.b.organization,
    ),
    "A's person, claiming B's organization in the token": lambda g: (
        _claims(g.a.user, org_id=str(g.b.organization)),
        g.b.organization,
    ),
    "nobody, B's organization": lambda g: ("", g.b.organization),
    "a person without an id, B's organization": lambda g: (_claims(None), g.b.organization),
    "a person with an empty id, B's organization": lambda g: (_claims(""), g.b.organization),
    "a stranger to all, B's organization": lambda g: (claims_of(uuid.uuid4()), g.b.organization),
    "B's organization as the person": lambda g: (claims_of(g.b.organization), g.b.organization),
    "claims that are no JSON, B's organization": lambda g: ("admin", g.b.organization),
    "claims that are JSON's null, B's organization": lambda g: ("null", g.b.organization),
    "claims that are a list, B's organization": lambda g: ("[]", g.b.organization),
}
situations = pytest.mark.parametrize("situation", SITUATIONS)


class Attack:
    """A transaction of the API's login, in one situation; each attempt in it may fail by itself."""

    def __init__(self, connection: psycopg.Connection[Any], settings: tuple[str, object]) -> None:
        self.connection = connection
        become(connection, *settings)

    def attempt(self, query: sql.Composable, *values: object) -> list[Any] | psycopg.Error:
        """The rows, or what Postgres said to it."""
        return self.perform(lambda: _rows(self.connection.execute(query, values or None)))

    def perform(self, act: Callable[[], list[Any]]) -> list[Any] | psycopg.Error:
        try:
            with self.connection.transaction():
                return act()
        except psycopg.Error as error:
            return error

    def reach(self, query: sql.Composable, *values: object) -> int:
        """How many rows a change reaches, which is then undone; 0 where it is refused."""
        reached = 0
        try:
            with self.connection.transaction():
                reached = self.connection.execute(query, values or None).rowcount
                raise psycopg.Rollback
        except psycopg.Error:
            return 0
        return reached


def _rows(cursor: psycopg.Cursor[Any]) -> list[Any]:
    return cursor.fetchall() if cursor.description else []


@pytest.fixture
def attack(ground: Ground, situation: str) -> Iterator[Attack]:
    with ground.database.connect("kijko_api", autocommit=False) as connection:
        yield Attack(connection, SITUATIONS[situation](ground))


def _name(table: catalogue.Table) -> sql.Identifier:
    return sql.Identifier("public", table.name)


@situations
def test_a_stranger_sees_no_row_of_another_organization(ground: Ground, attack: Attack) -> None:
    for table in ground.tables:
        seen = attack.attempt(sql.SQL("select * from {}").format(_name(table)))
        if isinstance(seen, list):
            told = catalogue.dumps(seen)
            assert not [secret for secret in ground.secrets() if secret in told], table.name


def test_a_member_sees_the_rows_of_their_own_organization(ground: Ground) -> None:
    """Else the tests around this one would prove nothing."""
    with ground.database.person(ground.b.user, ground.b.organization) as connection:
        for table in ("projects", "project_members", "skills", "executions", "habits", "usage_ledger", "plan_grants"):
            rows = connection.execute(sql.SQL("select * from {}").format(sql.Identifier(table))).fetchall()
            assert str(ground.b.organization) in catalogue.dumps(rows), table


@situations
def test_a_stranger_inserts_nothing_for_another_organization(ground: Ground, attack: Attack) -> None:
    before = catalogue.fingerprint(ground.database)
    for table in ground.tables:
        theirs = {c: catalogue.value(c, t, ground.b) for c, t in table.columns.items()}
        for mine in (theirs, {**theirs, **{c: ground.a.user for c in theirs if c in catalogue.PEOPLE}}):
            fresh = {c: uuid.uuid4() if c == "id" else v for c, v in mine.items()}
            names = sql.SQL(", ").join(map(sql.Identifier, fresh))
            marks = sql.SQL(", ").join([sql.Placeholder()] * len(fresh))
            tried = attack.attempt(
                sql.SQL("insert into {} ({}) values ({})").format(_name(table), names, marks), *fresh.values()
            )
            assert isinstance(tried, psycopg.Error), table.name
    attack.connection.commit()
    assert catalogue.fingerprint(ground.database) == before


@situations
def test_a_stranger_changes_and_deletes_nothing_of_another_organization(ground: Ground, attack: Attack) -> None:
    before = catalogue.fingerprint(ground.database, ground.b)
    for table in ground.tables:
        where = sql.SQL("true")
        if table.tenant:
            where = sql.SQL("{} = {}").format(sql.Identifier(table.tenant), sql.Literal(table.whose(ground.b)))
        for column in table.columns:
            attack.attempt(
                sql.SQL("update {0} set {1} = {1} where {2}").format(_name(table), sql.Identifier(column), where)
            )
        attack.attempt(sql.SQL("delete from {} where {}").format(_name(table), where))
        attack.attempt(sql.SQL("truncate {} cascade").format(_name(table)))
    attack.connection.commit()
    assert catalogue.fingerprint(ground.database, ground.b) == before


@situations
def test_a_change_that_reads_nothing_reaches_nothing_of_another_organization(ground: Ground, attack: Attack) -> None:
    """Without a condition only the policies for updates and deletes stand in between, not those for reading."""
    for table in ground.tables:
        own = catalogue.rows_of(ground.database, table, ground.a)
        for column, kind in table.columns.items():
            change = sql.SQL("update {} set {} = %s").format(_name(table), sql.Identifier(column))
            reached = attack.reach(change, catalogue.value(column, kind, ground.a))
            assert reached <= own, f"{table.name}.{column}"
        assert attack.reach(sql.SQL("delete from {}").format(_name(table))) <= own, table.name


def test_no_row_can_be_moved_into_another_organization(ground: Ground) -> None:
    before = catalogue.fingerprint(ground.database, ground.b)
    moved = []
    for table in ground.tables:
        for column in {table.tenant, "organization_id", "id", "user_id"} & set(table.columns):
            whose = ground.b.user if column == "user_id" else ground.b.organization
            if table.columns[column] != "uuid":  # an id that counts
                whose = catalogue.value(column, table.columns[column], ground.b)
            change = sql.SQL("update {} set {} = %s").format(_name(table), sql.Identifier(column))
            try:
                with ground.database.person(ground.a.user, ground.a.organization) as connection:
                    moved.append((table.name, column, connection.execute(change, (whose,)).rowcount))
            except psycopg.errors.InsufficientPrivilege:
                continue
    assert moved == []
    assert catalogue.fingerprint(ground.database, ground.b) == before


@situations
def test_no_helper_shows_or_changes_what_is_another_organizations(ground: Ground, attack: Attack) -> None:
    found = catalogue.functions(ground.database)
    assert len(found) > 20
    before = catalogue.fingerprint(ground.database, ground.b)
    sequences = ground.database.run("select schemaname, sequencename, last_value from pg_sequences")
    for function in found:
        said = attack.perform(lambda function=function: catalogue.call(attack.connection, function, ground.b))
        if isinstance(said, list):
            told = catalogue.dumps(said)
            assert not [secret for secret in ground.secrets() if secret in told], function.signature
    attack.connection.commit()
    assert catalogue.fingerprint(ground.database, ground.b) == before
    spent = ground.database.run("select count(*) from usage_ledger where organization_id = %s", ground.b.organization)
    assert spent == [(2,)]  # what the ground was filled with, and their own seat
    assert len(sequences) == len(ground.database.run("select 1 from pg_sequences"))


def test_what_is_granted_to_the_role_of_a_request_is_only_what_it_was_meant_to_call(ground: Ground) -> None:
    """A function that takes a person or an organization from its caller is never for people."""
    for function in catalogue.functions(ground.database):
        allowed = ground.database.one(
            "select has_function_privilege('authenticated', %s, 'execute')", function.signature
        )
        names = {name for name, _ in function.parameters}
        if allowed:
            assert not names & {"organization", "person", "subject_id", "user_id", "wanted"}, function.signature
