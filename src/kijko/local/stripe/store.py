"""What the stand-in remembers, in one SQLite file, so that a restart forgets nothing."""

import json
import secrets
import sqlite3
import string
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Object = dict[str, Any]  # a Stripe object as its API shows it
_ALPHABET = string.ascii_letters + string.digits
_KEEP_ANSWERS_S = 24 * 3600

_TABLES = """
create table if not exists objects (
    number integer primary key autoincrement,
    id text not null unique,
    kind text not null,
    deleted integer not null default 0,
    body text not null
);
create index if not exists objects_by_kind on objects (kind, number);
create table if not exists answers (
    key text primary key,
    request text not null,
    status integer not null,
    body text not null,
    kept_at real not null
);
"""


@dataclass(frozen=True)
class Answer:
    """What was answered to a request that carried an idempotency key. `request` is its method, path and parameters."""

    request: str
    status: int
    body: Object


class Store:
    """Objects by id, newest first, and kept answers. One thread's."""

    def __init__(self, file: Path | str) -> None:
        self._database = sqlite3.connect(file, isolation_level=None)
        self._database.executescript("pragma journal_mode = wal; pragma synchronous = normal;" + _TABLES)

    def begin(self) -> None:
        """Start a request's transaction."""
        self._database.execute("begin immediate")

    def commit(self) -> None:
        """Keep what the request did."""
        self._database.execute("commit")

    def rollback(self) -> None:
        """Undo what the request did."""
        self._database.execute("rollback")

    def new_id(self, prefix: str, length: int = 14) -> str:
        """An id such as Stripe gives: `cus_` and random letters."""
        return f"{prefix}_{''.join(secrets.choice(_ALPHABET) for _ in range(length))}"

    def add(self, kind: str, body: Object) -> Object:
        """Keep a new object under its `id`."""
        values = (body["id"], kind, json.dumps(body))
        self._database.execute("insert into objects (id, kind, body) values (?, ?, ?)", values)
        return body

    def get(self, kind: str, object_id: str) -> Object | None:
        """The object, a deleted one too."""
        query = "select body from objects where kind = ? and id = ?"
        row = self._database.execute(query, (kind, object_id)).fetchone()
        return json.loads(row[0]) if row else None

    def replace(self, body: Object, *, deleted: bool = False) -> Object:
        """Put a changed object in the place of the old one; a deleted one leaves the lists."""
        query = "update objects set body = ?, deleted = ? where id = ?"
        self._database.execute(query, (json.dumps(body), int(deleted), body["id"]))
        return body

    def list(self, kind: str) -> list[Object]:
        """All living objects of a kind, newest first."""
        query = "select body from objects where kind = ? and deleted = 0 order by number desc"
        return [json.loads(row[0]) for row in self._database.execute(query, (kind,))]

    def kept(self, key: str) -> Answer | None:
        """The answer kept under an idempotency key in the last 24 hours."""
        self._database.execute("delete from answers where kept_at < ?", (time.time() - _KEEP_ANSWERS_S,))
        row = self._database.execute("select request, status, body from answers where key = ?", (key,)).fetchone()
        return Answer(row[0], row[1], json.loads(row[2])) if row else None

    def keep(self, key: str, answer: Answer) -> None:
        """Keep an answer under an idempotency key."""
        values = (key, answer.request, answer.status, json.dumps(answer.body), time.time())
        self._database.execute("insert into answers values (?, ?, ?, ?, ?)", values)
