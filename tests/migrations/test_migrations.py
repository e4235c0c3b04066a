"""Applying files: each whole or not at all, once, in order, and none that was tampered with."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import psycopg
import pytest

from kijko.core.migrations import MigrationError, migrate, status
from tests.postgres import MIGRATIONS, Sql

ONE, TWO, THREE = "20260101000000_one.sql", "20260102000000_two.sql", "20260103000000_three.sql"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, ONE, "create table one (a int);")
    write(tmp_path, TWO, "create table two (a int);\ninsert into two values (1);")
    return tmp_path


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)


def kept(database: Sql) -> list[str]:
    return [row[0] for row in database.run("select version from supabase_migrations.schema_migrations order by 1")]


def exists(database: Sql, table: str) -> bool:
    return bool(database.one("select to_regclass(%s) is not null", table))


def test_files_are_applied_in_order_and_once(blank: Sql, folder: Path) -> None:
    assert migrate(blank.url(), folder) == [ONE, TWO]
    assert migrate(blank.url(), folder) == []
    assert blank.run("select * from two") == [(1,)]
    write(folder, THREE, "alter table two add b int;")
    assert migrate(blank.url(), folder) == [THREE]
    assert kept(blank) == ["20260101000000", "20260102000000", "20260103000000"]


def test_the_status_says_what_is_applied_and_what_is_pending(blank: Sql, folder: Path) -> None:
    assert [one.state for one in status(blank.url(), folder)] == ["pending", "pending"]
    migrate(blank.url(), folder)
    write(folder, THREE, "select 1;")
    told = [(one.version, one.name, one.state) for one in status(blank.url(), folder)]
    assert told == [
        ("20260101000000", "one", "applied"),
        ("20260102000000", "two", "applied"),
        ("20260103000000", "three", "pending"),
    ]


def test_a_dry_run_names_the_files_and_changes_nothing(blank: Sql, folder: Path) -> None:
    assert migrate(blank.url(), folder, dry_run=True) == [ONE, TWO]
    assert blank.run("select 1 from pg_namespace where nspname = 'supabase_migrations'") == []
    assert not exists(blank, "public.one")


def test_a_file_that_fails_leaves_nothing_of_itself_and_keeps_those_before_it(blank: Sql, folder: Path) -> None:
    write(folder, TWO, "create table two (a int);\ninsert into two values ('no number');")
    with pytest.raises(MigrationError, match=rf"^{TWO}: invalid input syntax(?s:.*)Nothing of this file was applied"):
        migrate(blank.url(), folder)
    assert exists(blank, "public.one")
    assert not exists(blank, "public.two")
    write(folder, TWO, "create table two (a int);")
    assert migrate(blank.url(), folder) == [TWO]


@pytest.mark.parametrize(
    "text",
    ["create table x (a int); commit; select 1;", "BEGIN;\nselect 1;", "-- why\nrollback;", "start  transaction;"],
)
def test_a_file_that_ends_its_own_transaction_is_refused_before_anything_is_applied(
    blank: Sql, folder: Path, text: str
) -> None:
    write(folder, THREE, text)
    with pytest.raises(MigrationError, match=rf"^{THREE}: it begins or ends a transaction"):
        migrate(blank.url(), folder)
    assert not exists(blank, "public.one")


def test_begin_and_commit_inside_bodies_texts_and_comments_are_no_transactions(blank: Sql, folder: Path) -> None:
    write(
        folder,
        THREE,
        "-- it's fine; commit;\n/* begin; */\n"
        "create function f() returns int language plpgsql as $body$\nbegin\n  return 1;\nend $body$;\n"
        "create function g() returns int begin atomic select 1; end;\n"
        "create table t (a text default 'it''s; commit;', \"begin;\" int);",
    )
    assert migrate(blank.url(), folder) == [ONE, TWO, THREE]


def test_a_changed_file_is_refused_by_its_name(blank: Sql, folder: Path) -> None:
    migrate(blank.url(), folder)
    write(folder, ONE, "create table one (a bigint);")
    write(folder, THREE, "select 1;")
    for act in (migrate, status, partial(migrate, dry_run=True)):
        with pytest.raises(MigrationError, match=rf"^{ONE}: changed after it was applied"):
            act(blank.url(), folder)
    assert len(kept(blank)) == 2


def test_other_line_ends_are_no_change(blank: Sql, folder: Path) -> None:
    migrate(blank.url(), folder)
    (folder / TWO).write_bytes(b"\xef\xbb\xbf" + (folder / TWO).read_bytes().replace(b"\n", b"\r\n"))
    assert migrate(blank.url(), folder) == []


def test_a_missing_file_is_refused_by_its_name(blank: Sql, folder: Path) -> None:
    migrate(blank.url(), folder)
    (folder / ONE).unlink()
    with pytest.raises(MigrationError, match=rf"^{ONE}: applied to this database, but the file is missing"):
        migrate(blank.url(), folder)


def test_a_file_older_than_what_is_applied_is_refused_by_its_name(blank: Sql, folder: Path) -> None:
    migrate(blank.url(), folder)
    late = "20260101120000_late.sql"
    write(folder, late, "create table late (a int);")
    with pytest.raises(MigrationError, match=rf"^{late}: older than 20260102000000"):
        migrate(blank.url(), folder)
    assert not exists(blank, "public.late")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("one.sql", "^one.sql: name it"),
        ("2026_one.sql", "^2026_one.sql: name it"),
        ("20260102000000_twin.sql", "its version is also that of"),
    ],
)
def test_a_file_with_an_unusable_name_is_refused(blank: Sql, folder: Path, name: str, said: str) -> None:
    write(folder, name, "select 1;")
    with pytest.raises(MigrationError, match=said):
        migrate(blank.url(), folder)


def test_a_file_that_is_no_text_is_refused(blank: Sql, folder: Path) -> None:
    (folder / THREE).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MigrationError, match=rf"^{THREE}: it cannot be read"):
        migrate(blank.url(), folder)


def test_a_folder_without_files_is_said(blank: Sql, tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match="no migrations in"):
        migrate(blank.url(), tmp_path)


def test_a_database_that_is_away_is_said(folder: Path) -> None:
    with pytest.raises(MigrationError, match="The database does not answer"):
        migrate("postgresql://postgres:x@127.0.0.1:9/none", folder)


def test_what_one_file_sets_is_gone_for_the_next(blank: Sql, folder: Path) -> None:
    blank.run("create schema aside")
    write(folder, TWO, "set search_path = aside; set role service_role;")
    write(folder, THREE, "create table three (a int);")
    migrate(blank.url(), folder)
    assert exists(blank, "public.three")
    assert blank.one("select tableowner from pg_tables where tablename = 'three'") == "postgres"


def test_a_servers_timeouts_do_not_count(blank: Sql, folder: Path) -> None:
    blank.run("alter role postgres in database " + blank.name + " set statement_timeout = '100ms'")  # type: ignore[operator]  # our own name
    write(folder, THREE, "select pg_sleep(0.4);")
    assert migrate(blank.url(), folder) == [ONE, TWO, THREE]


def test_a_file_that_waits_for_a_table_lets_others_at_it_meanwhile(blank: Sql, folder: Path) -> None:
    migrate(blank.url(), folder)
    write(folder, THREE, "alter table two add b int;")
    with ThreadPoolExecutor() as pool, psycopg.connect(blank.url()) as reader:
        reader.execute("select * from two")  # and its transaction stays open, as a dump's does
        applied = pool.submit(migrate, blank.url(), folder, wait_s=0.2)
        waiting = "select count(*) from pg_locks where not granted and relation = 'two'::regclass"
        while not blank.one(waiting):
            time.sleep(0.01)
        with psycopg.connect(blank.url(), options="-c statement_timeout=2000") as other:
            assert other.execute("select * from two").fetchall() == [(1,)]
        assert not applied.done()
        reader.rollback()
        assert applied.result(timeout=30) == [THREE]


def test_two_at_once_apply_each_file_once(blank: Sql, folder: Path) -> None:
    write(folder, TWO, "create table two (a int); select pg_sleep(0.3);")
    write(folder, THREE, "create table three (a int);")
    start = threading.Barrier(4)

    def run() -> list[str]:
        start.wait(10)
        return migrate(blank.url(), folder)

    with ThreadPoolExecutor(4) as threads:
        done = [future.result() for future in [threads.submit(run) for _ in range(4)]]
    assert sorted(name for names in done for name in names) == [ONE, TWO, THREE]


def test_who_comes_while_a_file_is_applied_waits_for_it(blank: Sql, folder: Path) -> None:
    with blank.connect("postgres", autocommit=False) as other, ThreadPoolExecutor(1) as threads:
        migrate(blank.url(), folder)
        write(folder, THREE, "create table three (a int);")
        other.execute("lock table one in access exclusive mode")
        waiting = threads.submit(migrate, blank.url(), folder)
        assert waiting.result(30) == [THREE]
        (folder / "20260104000000_four.sql").write_text("alter table one add b int;")
        blocked = threads.submit(migrate, blank.url(), folder)
        deadline = time.monotonic() + 20
        while not blank.one("select exists (select from pg_locks where not granted)") and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not blocked.done()
        other.commit()
        assert blocked.result(30) == ["20260104000000_four.sql"]


def test_the_products_own_files_apply_to_a_new_database_and_then_have_nothing_to_do(blank: Sql) -> None:
    applied = migrate(blank.url(), MIGRATIONS)
    names = [name.split("_", 1)[1] for name in applied]
    assert {"projects.sql", "skills.sql", "habits_scheduler.sql"} <= set(names)
    assert migrate(blank.url(), MIGRATIONS) == []
    assert {one.state for one in status(blank.url(), MIGRATIONS)} == {"applied"}


def test_the_products_own_files_need_no_superuser(blank: Sql) -> None:
    assert blank.run("select rolsuper, rolcreaterole, rolbypassrls from pg_roles where rolname = current_user") == [
        (False, True, True)
    ]
    migrate(blank.url(), MIGRATIONS)
    assert blank.run("select distinct tableowner from pg_tables where schemaname = 'public'") == [("postgres",)]
