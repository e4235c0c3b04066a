"""Applies the SQL files of `supabase/migrations`, each in a transaction of its own, and records them where Supabase's
CLI does (`supabase_migrations.schema_migrations`), so that `supabase db push` and `kijko migrate` agree.

A file is `<14 digits>_<name>.sql`. What was applied may not be changed, removed or overtaken by an older version.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psycopg

# Two `migrate` at once: the second waits here and then finds nothing left to do.
_LOCK = 0x6B696A6B6F
_FILE = re.compile(r"(\d{14})_(\w+)\.sql")
_CREATE_TABLE = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (
  version text not null primary key,
  statements text[],
  name text
);
"""


class MigrationError(RuntimeError):
    """The files and the database do not agree, or a file failed; the text names the file and says what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file."""

    version: str
    name: str
    text: str

    @property
    def file(self) -> str:
        return f"{self.version}_{self.name}.sql"


@dataclass(frozen=True, slots=True)
class MigrationStatus:
    """A file and whether this database has it."""

    version: str
    name: str
    state: Literal["applied", "pending"]


def _read(folder: Path) -> list[Migration]:
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = _FILE.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"{path.name}: name it <14 digits>_<name>.sql")
        found.append(Migration(match[1], match[2], path.read_text(encoding="utf-8")))
    if not found:
        raise MigrationError(f"no migrations in {folder}")
    for first, second in zip(found, found[1:], strict=False):
        if first.version == second.version:
            raise MigrationError(f"{second.file}: its version is also that of {first.file}; give it a later one")
    return found


def _essence(text: str) -> str:
    # Supabase's CLI stores a file split into statements, without their semicolons and outer white space.
    return re.sub(r"[\s;]+", "", text)


def _pending(files: list[Migration], applied: dict[str, tuple[str, str | None]]) -> list[Migration]:
    known = {file.version: file for file in files}
    for version, (name, text) in applied.items():
        file = known.get(version)
        if file is None:
            raise MigrationError(f"{version}_{name}.sql: applied to this database, but the file is missing")
        if text is not None and _essence(text) != _essence(file.text):
            raise MigrationError(f"{file.file}: changed after it was applied; put it back and write a new migration")
    newest = max(applied, default="")
    pending = [file for file in files if file.version not in applied]
    for file in pending:
        if file.version < newest:
            raise MigrationError(f"{file.file}: older than {newest}, which is applied; give it a later version")
    return pending


def _applied(connection: psycopg.Connection) -> dict[str, tuple[str, str | None]]:
    exists = connection.execute("select to_regclass('supabase_migrations.schema_migrations') is not null").fetchone()
    if not (exists and exists[0]):
        return {}
    rows = connection.execute(
        "select version, coalesce(name, ''), array_to_string(statements, '') from "
        "supabase_migrations.schema_migrations order by version"
    )
    return {version: (name, text) for version, name, text in rows}


@contextmanager
def _connection(url: str) -> Iterator[psycopg.Connection]:
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
            yield connection
    except psycopg.OperationalError as error:
        raise MigrationError(f"the database does not answer: {error}".strip()) from error


def _apply(connection: psycopg.Connection, file: Migration) -> None:
    try:
        with connection.transaction():
            # Bytes, since the text of a file is not a literal; without parameters it may hold many statements.
            connection.execute(file.text.encode())
            connection.execute(
                "insert into supabase_migrations.schema_migrations (version, name, statements) values (%s, %s, %s)",
                (file.version, file.name, [file.text]),
            )
    except psycopg.Error as error:
        raise MigrationError(f"{file.file}: {error}".strip() + "\nNothing of this file was applied.") from error


def migrate(url: str, folder: Path, *, dry_run: bool = False) -> list[str]:
    """Applies what is pending and answers the names of those files, in order; `dry_run` only names them.

    Args:
        url: the owner's database URL. folder: where the files are.

    Raises:
        MigrationError: the database is out of reach, a file was changed, is missing or out of order, or failed.
    """
    files = _read(folder)
    with _connection(url) as connection:
        if dry_run:
            return [file.file for file in _pending(files, _applied(connection))]
        connection.execute("select pg_advisory_lock(%s)", (_LOCK,))
        try:
            connection.execute(_CREATE_TABLE)
            pending = _pending(files, _applied(connection))
            for file in pending:
                _apply(connection, file)
        finally:
            connection.execute("select pg_advisory_unlock(%s)", (_LOCK,))
        return [file.file for file in pending]


def status(url: str, folder: Path) -> list[MigrationStatus]:
    """Every file with whether it is applied.

    Raises:
        MigrationError: as `migrate`.
    """
    files = _read(folder)
    with _connection(url) as connection:
        pending = {file.version for file in _pending(files, _applied(connection))}
    return [
        MigrationStatus(file.version, file.name, "pending" if file.version in pending else "applied") for file in files
    ]
