"""The local Postgres is, before the first migration, what a new Supabase project is."""

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from tests.local.running import kijko

from kijko.local import postgres
from kijko.local.stack import Stack


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("KIJKO_")}
    with tempfile.TemporaryDirectory(prefix="kijko-test-") as folder:
        stack = Stack(Path(folder) / "home", parts=("postgres",), environ=environ)
        stack.start()
        yield stack.database()
        stack.remove()


@pytest.fixture
def owner(server: postgres.Server) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server.url("postgres")) as connection:
        yield connection
        connection.rollback()


def test_the_owner_is_no_superuser_but_may_make_roles_and_pass_row_security(owner):
    row = owner.execute(
        "select rolsuper, rolcreaterole, rolcreatedb, rolbypassrls from pg_roles where rolname = current_user"
    ).fetchone()
    assert row == (False, True, True, True)


def test_the_roles_of_supabase_are_there_and_cannot_log_in(owner):
    rows = owner.execute(
        "select rolname, rolcanlogin, rolbypassrls from pg_roles "
        "where rolname in ('anon', 'authenticated', 'service_role') order by 1"
    ).fetchall()
    assert rows == [("anon", False, False), ("authenticated", False, False), ("service_role", False, True)]


def test_the_owner_may_hand_the_roles_on_to_a_role_it_makes(owner):
    owner.execute("create role kijko_test_login nologin")
    owner.execute("grant authenticated, service_role to kijko_test_login")
    assert owner.execute("select pg_has_role('kijko_test_login', 'authenticated', 'member')").fetchone() == (True,)


@pytest.mark.parametrize(
    ("claims", "uid", "role"),
    [
        (None, None, None),
        ("", None, None),
        ("{}", None, None),
        ('{"sub": "00000000-0000-0000-0000-00000000000a"}', "00000000-0000-0000-0000-00000000000a", None),
        ('{"sub": "", "role": "authenticated"}', None, "authenticated"),
    ],
)
def test_who_asks_is_read_from_the_claims_and_is_nobody_without_them(owner, claims, uid, role):
    if claims is not None:
        owner.execute("select set_config('request.jwt.claims', %s, true)", (claims,))
    owner.execute("set local role authenticated")
    assert owner.execute("select auth.uid()::text, auth.role()").fetchone() == (uid, role)
    assert owner.execute("select auth.jwt() is null").fetchone() == (not claims,)


def test_new_tables_and_functions_of_the_owner_are_granted_as_supabase_grants_them(owner):
    owner.execute("create table public.sample (id int)")
    owner.execute("create function public.sample_function() returns int language sql as 'select 1'")
    row = owner.execute(
        "select has_table_privilege('anon', 'public.sample', 'select'), "
        "has_table_privilege('authenticated', 'public.sample', 'insert'), "
        "has_function_privilege('anon', 'public.sample_function()', 'execute')"
    ).fetchone()
    assert row == (True, True, True)


def test_the_owner_may_add_the_extensions_that_migrations_ask_for(owner):
    for name in ("vector", "pg_trgm", "btree_gist", "citext"):
        owner.execute(f"create extension if not exists {name} with schema extensions")
    distance = owner.execute("select '[1,2]'::extensions.vector operator(extensions.<->) '[1,3]'").fetchone()
    assert distance == (1.0,)


def test_preparing_it_twice_changes_nothing_and_sets_the_passwords_anew(server, owner):
    postgres.bootstrap(server)
    with psycopg.connect(server.url("postgres")) as connection:
        assert connection.execute("select current_user").fetchone() == ("postgres",)


def test_a_wrong_password_does_not_get_in(server):
    url = server.url("postgres").replace(server.passwords["postgres"], "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)


def test_keycloaks_login_owns_its_own_database_and_cannot_read_ours(server):
    with psycopg.connect(server.url("keycloak", "keycloak")) as connection:
        assert connection.execute("select has_database_privilege('keycloak', 'create')").fetchone() == (True,)
    with psycopg.connect(server.url("postgres")) as connection:
        readable = "select has_schema_privilege('keycloak', 'auth', 'usage')"
        assert connection.execute(readable).fetchone() == (False,)


def test_doctor_names_the_grant_that_a_login_lacks_after_a_restore(server, owner, home):
    owner.execute("create role kijko_test_restored login password 'dev-only-restored'")
    owner.commit()  # as on a server to which a dump came without the grants between roles
    url = f"postgresql://kijko_test_restored:dev-only-restored@127.0.0.1:{server.port}/{postgres.DATABASE}"

    def told(**settings: str) -> str:
        return kijko(home, "doctor", **settings).stdout

    words = told(KIJKO_DATABASE_API_URL=url, KIJKO_DATABASE_WORKER_URL=url)
    assert "grant authenticated to kijko_test_restored" in words
    assert "grant service_role to kijko_test_restored" in words
    owner.execute("grant authenticated to kijko_test_restored")
    owner.commit()
    assert "ok     API's login: kijko_test_restored" in told(KIJKO_DATABASE_API_URL=url)


def test_doctor_names_migrations_and_tables_that_are_missing_and_what_mends_it(server, home):
    url = server.url("postgres")

    def told() -> str:
        return kijko(home, "doctor", KIJKO_DATABASE_URL=url).stdout

    assert re.search(r"WRONG  Migrations: \d+ not applied yet \(.*\)\. Run `kijko migrate`\.", told())
    assert kijko(home, "migrate", KIJKO_DATABASE_URL=url).returncode == 0
    assert "ok     Tables: " in told()
    with psycopg.connect(url) as connection:
        connection.execute("drop table public.search_postings, public.habits cascade")
    words = told()
    assert "ok     Migrations: " in words
    assert "WRONG  Tables: 2 tables missing (public.habits, public.search_postings)" in words
    assert "`kijko down`" in words
    assert "docs/runbook.md" in words
