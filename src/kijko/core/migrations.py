"""Applies the SQL files of `supabase/migrations`, each in a transaction of its own, and records them where Supabase's
CLI does (`supabase_migrations.schema_migrations`), so that `supabase db push` and `kijko migrate` agree.

A file is `<14 digits>_<name>.sql` and does not begin or end transactions itself. What was applied may not be changed,
removed or overtaken by an older version.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import psycopg

# Two `migrate` at once: one waits for the other's file and goes on with the next. It is the transaction's lock, so that
# it holds behind a pooler too. No timeout of the server's counts: a file takes the time it takes. But who waits for a
# table that is in use makes everybody wait who comes after, so a file waits for a short time only, and then anew.
_LOCK = 0x6B696A6B6F
_BEGIN = """
select set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true),
  set_config('idle_in_transaction_session_timeout', '0', true);
"""
_WAIT_S = 3.0
"""How long a file waits for a table: so long at the most does it hold up who reads there."""
_PAUSE_S = 2.0
_TRIES = 40
_FILE = re.compile(r"(\d{14})_(\w+)\.sql")
_CREATE_TABLE = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (version text not null primary key);
alter table supabase_migrations.schema_migrations
  add column if not exists statements text[], add column if not exists name text;
"""
# What is skipped when looking for statements: bodies of functions, literals, comments.
_QUOTED = re.compile(r"\$(\w*)\$.*?\$\1\$|'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|/\*.*?\*/", re.DOTALL)
_OWN_TRANSACTION = re.compile(
    r"\s*(begin|start\s+transaction|commit|rollback|abort|prepare\s+transaction)\b", re.IGNORECASE
)
_TABLE = re.compile(r"\b(create|drop)\s+table\s+(?:if\s+(?:not\s+)?exists\s+)?(\w+\.\w+)", re.IGNORECASE)


class MigrationError(RuntimeError):
    """The files and the database do not agree, or a file failed; the text names the file and says what to do."""


class _InUse(Exception):
    """A table that a file changes is in use; nothing of the file was applied."""


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
        file = Migration(match[1], match[2], _text(path))
        if any(_OWN_TRANSACTION.match(statement) for statement in _QUOTED.sub(" ", file.text).split(";")):
            raise MigrationError(f"{file.file}: it begins or ends a transaction; leave that out, each file is in one")
        found.append(file)
    if not found:
        raise MigrationError(f"no migrations in {folder}")
    for first, second in pairwise(found):
        if first.version == second.version:
            raise MigrationError(f"{second.file}: its version is also that of {first.file}; give it a later one")
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise MigrationError(f"{path.name}: it cannot be read as UTF-8 text: {error}") from error


def _essence(text: str) -> str:
    # Supabase's CLI stores a file split into statements, without their semicolons and outer white space.
    return re.sub(r"[\s;]+", "", text)


def _pending(files: list[Migration], applied: dict[str, tuple[str, str | None]]) -> list[Migration]:
    known = {file.version: file for file in files}
    for version, (name, text) in applied.items():
        file = known.get(version)
        if file is None:
            raise MigrationError(
                f"{version}_{name}.sql: applied to this database, but the file is missing; put it back"
            )
        if text is not None and _essence(text) != _essence(file.text):
            raise MigrationError(f"{file.file}: changed after it was applied; put it back and write a new migration")
    newest = max(applied, default="")
    pending = [file for file in files if file.version not in applied]
    for file in pending:
        if file.version < newest:
            raise MigrationError(f"{file.file}: older than {newest}, which is applied; give it a later version")
    return pending


def _applied(connection: psycopg.Connection[Any]) -> dict[str, tuple[str, str | None]]:
    exists = connection.execute("select to_regclass('supabase_migrations.schema_migrations') is not null").fetchone()
    if not (exists and exists[0]):
        return {}
    rows = connection.execute(
        # As JSON, since a table that Supabase's CLI began may lack the two columns.
        "select m.version, coalesce(to_jsonb(m) ->> 'name', ''), "
        "(select string_agg(s, '') from jsonb_array_elements_text(nullif(to_jsonb(m) -> 'statements', 'null')) s) "
        "from supabase_migrations.schema_migrations m order by m.version"
    )
    return {version: (name, text) for version, name, text in rows}


@contextmanager
def _connection(url: str) -> Iterator[psycopg.Connection[Any]]:
    try:
        # A pooler in transaction mode keeps no prepared statements.
        connection = psycopg.connect(url, autocommit=True, connect_timeout=10, prepare_threshold=None)
    except psycopg.Error as error:
        raise MigrationError(f"The database does not answer. Is it running? {error}".strip()) from error
    with connection:
        try:
            yield connection
        except psycopg.Error as error:
            raise MigrationError(f"The database refused: {error}".strip()) from error


def _apply(connection: psycopg.Connection[Any], file: Migration) -> None:
    try:
        # Bytes, since the text of a file is not a literal; without parameters it may hold many statements.
        connection.execute(file.text.encode())
        connection.execute("reset role")
        connection.execute(
            "insert into supabase_migrations.schema_migrations (version, name, statements) values (%s, %s, %s)",
            (file.version, file.name, [file.text]),
        )
    except psycopg.errors.LockNotAvailable as error:
        raise _InUse(file.file) from error
    except psycopg.Error as error:
        raise MigrationError(f"{file.file}: {error}".strip() + "\nNothing of this file was applied.") from error


def _apply_next(connection: psycopg.Connection[Any], files: list[Migration], wait_s: float) -> Migration | None:
    for _ in range(_TRIES):
        try:
            return _try_next(connection, files, wait_s)
        except _InUse as error:
            file = error
            time.sleep(_PAUSE_S * min(1.0, wait_s))
    raise MigrationError(
        f"{file}: a table that it changes stayed in use. End what holds it, the oldest xact_start in pg_stat_activity, "
        "and try again.\nNothing of this file was applied."
    )


def _try_next(connection: psycopg.Connection[Any], files: list[Migration], wait_s: float) -> Migration | None:
    with connection.transaction():
        connection.execute(_BEGIN)
        connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
        connection.execute(_CREATE_TABLE)
        pending = _pending(files, _applied(connection))
        if not pending:
            return None
        connection.execute("select set_config('lock_timeout', %s, true)", (f"{wait_s * 1000:.0f}",))
        _apply(connection, pending[0])
    # Nothing that one file sets, a search path for example, is there for the next.
    connection.execute("discard all")
    return pending[0]


def migrate(url: str, folder: Path, *, dry_run: bool = False, wait_s: float = _WAIT_S) -> list[str]:
    """Applies what is pending and answers the names of those files, in order; `dry_run` only names them.

    Args:
        url: the owner's database URL. folder: where the files are. wait_s: how long a file waits at a time for a table
            that is in use; others wait behind it for as long. After a few minutes of tries it gives up.

    Raises:
        MigrationError: the database is out of reach, a file was changed, is missing or out of order, or failed. Files
            before a failing one stay applied.
    """
    files = _read(folder)
    applied = []
    with _connection(url) as connection:
        if dry_run:
            return [file.file for file in _pending(files, _applied(connection))]
        while (file := _apply_next(connection, files, wait_s)) is not None:
            applied.append(file.file)
    return applied


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


def missing_tables(url: str, folder: Path) -> list[str]:
    """Tables that applied files made and that are not in the database any more, by name.

    Raises:
        MigrationError: as `migrate`.
    """
    files = _read(folder)
    with _connection(url) as connection:
        applied = _applied(connection)
        made: dict[str, None] = {}
        for file in files:
            if file.version in applied:
                for verb, table in _TABLE.findall(_QUOTED.sub(" ", file.text)):
                    made.pop(table, None) if verb.lower() == "drop" else made.setdefault(table)
        gone = "select t from unnest(%s::text[]) t where to_regclass(t) is null order by t"
        return [table for (table,) in connection.execute(gone, (list(made),))]
