"""The way in: a pool of pipelined connections, and the readers and transactions that use it."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, Self, TypeVar, overload

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from kijko.core.db.codec import Decoder
from kijko.core.db.errors import DatabaseUnavailable
from kijko.core.db.link import Link, Stats
from kijko.core.db.pool import Pool
from kijko.core.db.query import Call, Context, command
from kijko.core.db.reader import Reader
from kijko.core.db.tx import Tx

ReaderT = TypeVar("ReaderT", bound=Reader)
TxT = TypeVar("TxT", bound=Tx)

_PING: Final = command("select")
_SLACK_S: Final = 3.0
_KEEPALIVE: Final = {"keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3"}
"""Seconds, seconds and a count: a host that vanished is noticed within 25 s."""
_SESSION: Final = "-c TimeZone=UTC -c plan_cache_mode=force_generic_plan"
"""A statement is planned once a connection, not at each call: planning a list costs as much as running it."""


class Database:
    """Postgres, as one event loop of one process uses it. Make it with `connect`, after any fork."""

    def __init__(self, pool: Pool, stats: Stats, opening: tuple[Call[None], ...]) -> None:
        self.pool: Final = pool
        self.decoder: Final = Decoder()
        self.opening: Final = opening
        """What opens every transaction before its context."""
        self._stats = stats

    @classmethod
    async def connect(
        cls,
        dsn: str,
        *,
        pool_size: int,
        statement_timeout_ms: int,
        connect_timeout_s: float,
        acquire_timeout_s: float,
        prepared: bool,
        application_name: str,
        eager: bool = True,
    ) -> Self:
        """Open the first connection; up to `pool_size` follow when they are needed. Without `eager`, none yet.

        `prepared=False` is for a pooler in transaction mode, which keeps neither named statements nor session
        settings: statements go unnamed, and the timeout is set inside each transaction.

        Raises:
            DatabaseUnavailable: the server cannot be reached or refuses the login (with `eager`).
        """
        conninfo = _conninfo(dsn, application_name, statement_timeout_ms if prepared else None)
        stats = Stats()

        async def link(generation: int) -> Link:
            owner = await _open(conninfo, connect_timeout_s)
            limit_s = 2 * statement_timeout_ms / 1000 + _SLACK_S
            return Link(owner, prepared=prepared, generation=generation, stats=stats, limit_s=limit_s)

        pool = Pool(link, size=pool_size, acquire_timeout_s=acquire_timeout_s)
        if eager:
            try:
                pool.release(await pool.acquire())
            except BaseException:
                await pool.close()
                raise
        timeout = command("select set_config('statement_timeout', $1, true)", str(statement_timeout_ms))
        return cls(pool, stats, () if prepared else (timeout,))

    @property
    def trips(self) -> int:
        """Round trips made so far, by all connections together."""
        return self._stats.trips

    @overload
    def reader(self, context: Context) -> Reader: ...
    @overload
    def reader(self, context: Context, kind: Callable[["Database", Context], ReaderT]) -> ReaderT: ...
    def reader(self, context: Context, kind: Callable[["Database", Context], Reader] = Reader) -> Reader:
        """Statements of one trip each, run after `context`. `kind` makes a subclass of Reader instead."""
        return kind(self, context)

    @overload
    def transaction(self, context: Context) -> AbstractAsyncContextManager[Tx]: ...
    @overload
    def transaction(
        self, context: Context, kind: Callable[["Database", Context], TxT]
    ) -> AbstractAsyncContextManager[TxT]: ...
    def transaction(
        self, context: Context, kind: Callable[["Database", Context], Tx] = Tx
    ) -> AbstractAsyncContextManager[Tx]:
        """A transaction that begins with `context`, commits at the end of the block, and rolls back on an error.

        `kind` makes a subclass of Tx instead. Leaving the block may raise ConstraintViolation (of a deferred
        constraint), CommitUnknown, or TransactionAborted when an error inside was caught and the work is lost.
        """
        return kind(self, context)

    async def ping(self, timeout_s: float) -> None:
        """Return when the server answers.

        Raises:
            DatabaseUnavailable: it did not within `timeout_s` seconds.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self.reader(Context()).call(_PING)
        except TimeoutError:
            raise DatabaseUnavailable(f"The database did not answer within {timeout_s:g} s.") from None

    async def close(self) -> None:
        """Close every connection; those in use close when they come back."""
        await self.pool.close()


def _conninfo(dsn: str, application_name: str, statement_timeout_ms: int | None) -> str:
    """The login with our settings. A pooler refuses those of the session, so None leaves them out."""
    given = conninfo_to_dict(dsn)
    settings = {**_KEEPALIVE, **given, "application_name": application_name, "client_encoding": "UTF8"}
    if statement_timeout_ms is not None:
        options = f"{given.get('options') or ''} -c statement_timeout={statement_timeout_ms} {_SESSION}"
        settings["options"] = options.strip()
    return make_conninfo("", **settings)


async def _open(conninfo: str, timeout_s: float) -> psycopg.AsyncConnection[tuple[object, ...]]:
    try:
        async with asyncio.timeout(timeout_s):
            return await psycopg.AsyncConnection.connect(conninfo, autocommit=True)
    except TimeoutError:
        raise DatabaseUnavailable(f"The database did not accept a connection within {timeout_s:g} s.") from None
    except psycopg.Error as error:
        raise DatabaseUnavailable(f"The database cannot be reached. Try again in a moment. ({error})") from None
