"""A Postgres of a test process's own, migrated once, and copies of that database: for tests that speak SQL.

The server is the product's own local one, so it is prepared as a Supabase project is: the roles are there, and the
migrations run as a login that is no superuser. Import the fixtures you use in your folder's conftest.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql

from kijko.core import migrations
from kijko.local import postgres
from kijko.local.stack import Stack

MIGRATIONS = Path(__file__).parents[1] / "supabase" / "migrations"
_numbers = count()
Text = LiteralString | sql.Composable


@dataclass(frozen=True)
class Sql:
    """One database of the server and the ways into it."""

    server: postgres.Server
    name: str
    _kept: dict[str, psycopg.Connection[Any]] = field(default_factory=dict, repr=False, compare=False)

    def url(self, login: str = "postgres") -> str:
        """`postgres` owns and migrates, `kijko_api` and `kijko_worker` serve, `supabase_admin` may all."""
        return self.server.url(login, self.name)

    def connect(self, login: str = "postgres", *, autocommit: bool = True) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url(login), autocommit=autocommit, connect_timeout=10)

    def run(self, text: Text, *values: object, login: str = "postgres") -> list[tuple[Any, ...]]:
        """The rows of one statement, on a connection that is kept for such."""
        if login not in self._kept:
            self._kept[login] = self.connect(login)
        cursor = self._kept[login].execute(text, values or None)
        return cursor.fetchall() if cursor.description else []

    def one(self, text: Text, *values: object, login: str = "postgres") -> Any:
        """The first column of the first row."""
        return self.run(text, *values, login=login)[0][0]

    @contextmanager
    def person(self, user: object, organization: object, *, commit: bool = True) -> Iterator[psycopg.Connection[Any]]:
        """A transaction of the API's login, as that person with that organization set."""
        with self.connect("kijko_api", autocommit=False) as connection:
            become(connection, claims_of(user), organization)
            yield connection
            if not commit:
                connection.rollback()

    @contextmanager
    def system(self) -> Iterator[psycopg.Connection[Any]]:
        """A transaction of the worker's login, past row-level security."""
        with self.connect("kijko_worker", autocommit=False) as connection:
            connection.execute("set local role service_role")
            yield connection


def claims_of(user: object) -> str:
    return json.dumps({"sub": str(user), "role": "authenticated"})


def become(connection: psycopg.Connection[Any], claims: str, organization: object) -> None:
    """Until the transaction ends: the role of a signed-in person, with these settings."""
    connection.execute(
        "select set_config('request.jwt.claims', %s, true), set_config('app.current_org_id', %s, true)",
        (claims, str(organization)),
    )
    connection.execute("set local role authenticated")


@dataclass(frozen=True)
class Someone:
    """A person who owns an organization."""

    user: uuid.UUID
    organization: uuid.UUID
    email: str


def someone(database: Sql, *, plan: str = "free") -> Someone:
    """A new person with a new organization on that plan."""
    made = Someone(uuid.uuid4(), uuid.uuid4(), f"{uuid.uuid4().hex[:12]}@people.test")
    with database.connect() as owner:
        owner.execute(
            "select kijko.register(%s, %s, 'Some', 'One', true, 'Theirs', %s)",
            (made.user, made.email, made.organization),
        )
        if plan != "free":
            owner.execute("select kijko.grant_plan(%s, %s, 'a test')", (made.organization, plan))
    return made


def colleague(database: Sql, of: Someone, role: str = "member") -> Someone:
    """A new person who joins that organization too, and has it as the active one here."""
    joined = someone(database)
    database.run(
        "insert into memberships (organization_id, user_id, role) values (%s, %s, %s)",
        of.organization,
        joined.user,
        role,
    )
    return Someone(joined.user, of.organization, joined.email)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgres.Server]:
    """Postgres alone, with an empty database `blank` and a migrated one, `migrated`, to copy from."""
    stack = Stack(tmp_path_factory.mktemp("postgres") / "home", parts=("postgres",))
    stack.start()
    try:
        running = stack.database()
        _hurry(running)
        _create(running, "blank")
        postgres.prepare_database(running, "blank")
        _create(running, "migrated", template="blank")
        migrations.migrate(running.url("postgres", "migrated"), MIGRATIONS)
        postgres.give_logins(running)
        yield running
    finally:
        stack.remove()


def _hurry(server: postgres.Server) -> None:
    """Nothing here outlives the test run, so nothing waits for the disk: copies take a tenth of the time.

    A test of a plan vacuums for itself; what autovacuum did beside it would be another plan every time.
    """
    with psycopg.connect(server.url(database="postgres"), autocommit=True) as admin:
        admin.execute("alter system set fsync = off")
        admin.execute("alter system set synchronous_commit = off")
        admin.execute("alter system set autovacuum = off")
        admin.execute("select pg_reload_conf()")


def _create(server: postgres.Server, name: str, *, template: str = "template0") -> None:
    statement = sql.SQL("create database {} owner postgres template {} strategy file_copy")
    with psycopg.connect(server.url(database="postgres"), autocommit=True) as admin:
        admin.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))


@pytest.fixture(scope="session")
def copy(server: postgres.Server) -> Callable[[str], Sql]:
    """Makes databases: a copy of `migrated`, or of `blank`."""

    def make(template: str) -> Sql:
        name = f"t{next(_numbers)}"
        _create(server, name, template=template)
        return Sql(server, name)

    return make


@pytest.fixture(scope="session")
def database(copy: Callable[[str], Sql]) -> Sql:
    """A migrated database that tests share, each with people and organizations of its own."""
    return copy("migrated")


@pytest.fixture
def blank(copy: Callable[[str], Sql]) -> Sql:
    """A database as a new Supabase project has it, before the first migration."""
    return copy("blank")
