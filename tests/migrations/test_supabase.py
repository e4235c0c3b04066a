"""The table is that of Supabase's CLI: what one of the two applied, the other takes as applied."""

import re
from pathlib import Path

import pytest

from kijko.core.migrations import MigrationError, migrate, status
from tests.postgres import MIGRATIONS, Sql

# As the CLI makes it, over the versions it has had.
TABLES = {
    "today": "create table supabase_migrations.schema_migrations "
    "(version text not null primary key, statements text[], name text)",
    "with the columns of hosted projects": "create table supabase_migrations.schema_migrations (version text not null "
    "primary key, statements text[], name text, created_by text, idempotency_key text unique, rollback text[])",
    "at first": "create table supabase_migrations.schema_migrations (version text not null primary key)",
}


def split(text: str) -> list[str]:
    """The statements of a file as the CLI records them: parted at semicolons outside of bodies, texts and comments."""
    token = re.compile(r"\$(\w*)\$.*?\$\1\$|'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/|;", re.DOTALL)
    found, begin = [], 0
    for match in token.finditer(text):
        if match[0] == ";":
            found.append(text[begin : match.start()].strip())
            begin = match.end()
    return [statement for statement in [*found, text[begin:].strip()] if statement]


def push(database: Sql, table: str, *, files: int) -> None:
    """What `supabase db push` leaves behind when it applied the first files."""
    database.run("create schema supabase_migrations")
    database.run(TABLES[table])  # type: ignore[arg-type]  # a text of this file
    for path in sorted(MIGRATIONS.glob("*.sql"))[:files]:
        version, name = path.stem.split("_", 1)
        statements = split(path.read_text())
        assert len(statements) > 3
        with database.connect() as connection:
            for statement in statements:
                connection.execute(statement.encode())
        if table == "at first":
            database.run("insert into supabase_migrations.schema_migrations values (%s)", version)
        else:
            insert = "insert into supabase_migrations.schema_migrations (version, name, statements) values (%s, %s, %s)"
            database.run(insert, version, name, statements)


@pytest.mark.parametrize("table", TABLES)
def test_files_that_the_cli_applied_are_not_applied_again(blank: Sql, table: str) -> None:
    push(blank, table, files=3)
    assert [one.state for one in status(blank.url(), MIGRATIONS)][:4] == ["applied"] * 3 + ["pending"]
    rest = [path.name for path in sorted(MIGRATIONS.glob("*.sql"))[3:]]
    assert migrate(blank.url(), MIGRATIONS, dry_run=True) == rest
    assert migrate(blank.url(), MIGRATIONS) == rest
    assert migrate(blank.url(), MIGRATIONS) == []


def test_a_file_that_was_changed_after_the_cli_applied_it_is_refused(blank: Sql, tmp_path: Path) -> None:
    push(blank, "today", files=1)
    first = min(MIGRATIONS.glob("*.sql"))
    (tmp_path / first.name).write_text(first.read_text() + "\ncreate table public.more (a int);\n")
    with pytest.raises(MigrationError, match=f"^{first.name}: changed after it was applied"):
        migrate(blank.url(), tmp_path)


def test_what_is_recorded_here_is_what_the_cli_looks_for(blank: Sql) -> None:
    migrate(blank.url(), MIGRATIONS)
    recorded = blank.run("select version, name, statements from supabase_migrations.schema_migrations order by version")
    files = sorted(MIGRATIONS.glob("*.sql"))
    assert recorded == [(*path.stem.split("_", 1), [path.read_text()]) for path in files]
    columns = blank.run(
        "select column_name, data_type from information_schema.columns "
        "where table_schema = 'supabase_migrations' and table_name = 'schema_migrations' order by 1"
    )
    assert columns == [("name", "text"), ("statements", "ARRAY"), ("version", "text")]
