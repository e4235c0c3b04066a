"""Calls of the quota engine in SQL, each in a transaction of its own, many at once where asked."""

import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any, TypeVar

import psycopg

from tests.postgres import Someone, Sql, someone

T = TypeVar("T")
METRICS = ("api_calls", "ingestions", "storage", "seats", "oracle_queries")
COLUMNS = {"storage": "storage_bytes"}


def take(
    connection: psycopg.Connection[Any],
    of: Someone,
    metric: str,
    quantity: object = 1,
    subject: uuid.UUID | None = None,
) -> None:
    """As a function of a feature does it for that person; the connection is the system's."""
    values = (of.organization, metric, quantity, subject or uuid.uuid4(), of.user)
    connection.execute("select kijko.reserve_for(%s, %s, %s, %s, %s)", values)


def seatless(database: Sql, *, plan: str = "free") -> Someone:
    """A new person who holds nothing, not even their own seat: here seats are a metric like others."""
    made = someone(database, plan=plan)
    database.run("select kijko.release('seats', m.seat_id) from memberships m where m.user_id = %s", made.user)
    return made


def reserve(database: Sql, of: Someone, metric: str, quantity: object = 1, subject: uuid.UUID | None = None) -> bool:
    """In a transaction of its own; False where the quota is used up."""
    try:
        with database.system() as connection:
            take(connection, of, metric, quantity, subject)
    except psycopg.Error as error:
        if error.sqlstate != "KJ429":
            raise
        return False
    return True


def release(database: Sql, metric: str, *subjects: uuid.UUID) -> int:
    with database.system() as connection:
        return len(connection.execute("select kijko.release_all(%s, %s)", (metric, list(subjects))).fetchall())


def settle(database: Sql, of: Someone, metric: str, subject: uuid.UUID, actual: object) -> bool:
    with database.system() as connection:
        row = connection.execute("select kijko.settle(%s, %s, %s, %s)", (of.organization, metric, subject, actual))
        return bool(row.fetchone() == (True,))


def past(database: Sql, of: Someone, metric: str, quantity: int, at: str) -> uuid.UUID:
    """A reservation as it stands in the ledger when it was made at another time."""
    subject = uuid.uuid4()
    database.run(
        "insert into usage_ledger (organization_id, metric, entry, quantity, subject_id, at) "
        f"values (%s, %s, 'reserve', %s, %s, {at})",  # type: ignore[arg-type]  # an expression of this file
        of.organization,
        metric,
        quantity,
        subject,
    )
    return subject


def grant(database: Sql, of: Someone, plan: str | None) -> None:
    with database.connect() as owner:
        owner.execute("select kijko.grant_plan(%s, %s, 'a test')", (of.organization, plan))


def used(database: Sql, of: Someone, metric: str) -> int:
    return int(database.one("select used from kijko.usage_of(%s) where metric = %s", of.organization, metric))


def ledger(database: Sql, of: Someone, metric: str) -> int:
    """What the ledger sums up to, in all windows: the truth that every counter is held to."""
    text = "select coalesce(sum(quantity), 0) from usage_ledger where organization_id = %s and metric = %s"
    return int(database.one(text, of.organization, metric))


def allow(database: Sql, plan: str, metric: str, limit: int | None) -> None:
    """Another limit than the plan's own, in a copy that no other test shares."""
    column = COLUMNS.get(metric, metric)
    database.run(f"update plans set {column} = %s where id = %s", limit, plan)  # type: ignore[arg-type]  # a column of METRICS


def at_once(acts: Sequence[Callable[[], T]]) -> list[T | BaseException]:
    """What each of these calls answered or raised, all begun at the same moment."""
    start = Barrier(len(acts))

    def begin(act: Callable[[], T]) -> T:
        start.wait(30)
        return act()

    with ThreadPoolExecutor(len(acts)) as threads:
        running = [threads.submit(begin, act) for act in acts]
    return [one.exception() or one.result() for one in running]


def rows(connection: psycopg.Connection[Any], text: str, *values: object) -> list[tuple[Any, ...]]:
    return connection.execute(text, values or None).fetchall()  # type: ignore[arg-type]  # texts of the tests
