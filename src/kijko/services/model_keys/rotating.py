"""A new master key: what lies under an older one is moved, for `kijko rotate-master` with the owner's login."""

from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import psycopg

from kijko.core.crypto import Unreadable
from kijko.core.envelope import Masters, Sealed
from kijko.core.words import counted
from kijko.services.model_keys import rules

_BATCH: Final = 100
_FIRST: Final = (UUID(int=0), "")
_NEXT = """
select k.organization_id, k.provider, k.master_id, k.wrapped_key, k.sealed_key
from public.model_keys k
where k.master_id <> %s and (k.organization_id, k.provider) > (%s, %s)
order by k.organization_id, k.provider
limit %s
for update
"""
_MOVE = "update public.model_keys set master_id = %s, wrapped_key = %s where organization_id = %s and provider = %s"
_THERE = "select count(*) from public.model_keys where master_id = %s"


class RotationError(Exception):
    """Not everything was moved; the text says why and what to do. What was moved stays so: run it again."""


@dataclass
class _Tally:
    moved: int = 0
    left: dict[str, int] = field(default_factory=dict)
    """How many could not be moved, by why."""


def rotate_master(database_url: str, keys: str) -> str:
    """Moves every model key under the first of the masters, a hundred to a transaction; answers what was done.

    Args:
        database_url: the owner's. keys: the masters, as KIJKO_KEYS_MASTER has them.

    Raises:
        RotationError: some cannot be moved, or the database does not answer.
    """
    masters, tally, after = Masters(keys), _Tally(), _FIRST
    try:
        with psycopg.connect(database_url, connect_timeout=10) as connection:
            before = _count(connection, masters.current)
            while (last := _move_some(connection, masters, after, tally)) is not None:
                after = last
                connection.commit()
    except psycopg.OperationalError as error:
        raise RotationError(f"The database does not answer. Is it running? {str(error).strip()}") from error
    except psycopg.errors.UndefinedTable as error:
        raise RotationError("This database has no model keys yet. Run `kijko migrate` first.") from error
    done = f"Moved {counted(tally.moved, 'model key')} under the master {masters.current}; {before} lay there already."
    if tally.left:
        reasons = " ".join(f"{counted(number, 'model key')} left: {why}" for why, number in sorted(tally.left.items()))
        raise RotationError(f"{done} {reasons}")
    return f"{done} Older masters are needed no more." if len(masters.ids) > 1 else done


def _move_some(
    connection: psycopg.Connection[Any], masters: Masters, after: tuple[UUID, str], tally: _Tally
) -> tuple[UUID, str] | None:
    """Moves the next ones; answers the last of them, None where there are no more."""
    rows = connection.execute(_NEXT, (masters.current, *after, _BATCH)).fetchall()
    for organization_id, provider, master_id, wrapped, content in rows:
        try:
            moved = masters.rewrap(Sealed(master_id, wrapped, content), rules.bound(organization_id, provider))
        except Unreadable as error:
            tally.left[str(error)] = tally.left.get(str(error), 0) + 1
        else:
            connection.execute(_MOVE, (moved.master_id, moved.wrapped, organization_id, provider))
            tally.moved += 1
    return (rows[-1][0], rows[-1][1]) if rows else None


def _count(connection: psycopg.Connection[Any], master_id: str) -> int:
    row = connection.execute(_THERE, (master_id,)).fetchone()
    return int(row[0]) if row is not None else 0
