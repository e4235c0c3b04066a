"""Whose data a transaction may touch. A query takes one of these types, and they come only from here:

- `OrgReader`, `OrgTx`: as the person, in one organization, behind row-level security. Reads in one trip each, or a
  transaction.
- `GateReader`, `GateTx`: before a tenant is known (sign-in, an API key, a webhook) or for several at once (rooms): only
  functions granted to the API's own role.
- `SystemReader`, `SystemTx`: the worker and the scheduler, past row-level security; each says why.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from uuid import UUID

import orjson

from kijko.core import quotas
from kijko.core.db import Context, Database, Reader, Scalar, Tx
from kijko.core.db.errors import (
    CommitUnknown,
    DatabaseError,
    DatabaseUnavailable,
    Raised,
    SerializationFailure,
    StatementTimeout,
)
from kijko.core.errors import AppError, Conflict, Forbidden, Invalid, NotFound, Unauthenticated, Unavailable


class SessionEnded(Unauthenticated):
    """This session has ended. Sign in again."""


class KeyRefused(Unauthenticated):
    """This API key does not work: it was revoked or has expired, or its maker left the organization. Make a new one."""


class OrganizationNotFound(NotFound):
    """You have no organization with this id."""

    code = "ORGANIZATION_NOT_FOUND"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """The key by which a program asks as its maker. `prefix` is public; without a scope it may do nothing."""

    id: UUID
    prefix: str
    scopes: frozenset[str]


@dataclass(frozen=True)
class Principal:
    """Who asks: a verified token's person, or an API key's maker, and the organization they ask for."""

    user_id: UUID
    session_id: str | None
    issued_at: datetime
    organization_id: UUID | None
    """The organization named in the request, else the token's default; checked by the database, not here."""
    chosen: bool
    """Whether the request named it: then a stranger's is a 404; the default falls back to one the person has."""
    expires_at: datetime
    email: str = ""
    name: str = ""
    key: ApiKey | None = None

    @cached_property
    def claims(self) -> str:
        """What auth.uid() and auth.jwt() read in the database, as JSON."""
        claims = {"sub": str(self.user_id), "role": "authenticated", "session_id": self.session_id, "email": self.email}
        return orjson.dumps(claims).decode()


class OrgReader(Reader):
    """Reads, and single statements, as the person in the active organization: one trip and one transaction each."""


class OrgTx(Tx):
    """A transaction as the person in the active organization."""


class GateTx(Tx):
    """A transaction before a tenant is known; it may call what is granted to the API's own role and nothing else."""


class GateReader(Reader):
    """Single statements before a tenant is known; they may call what a GateTx may, each a transaction and a trip."""


class SystemTx(Tx):
    """A transaction of the worker or the scheduler that sees every organization."""


class SystemReader(Reader):
    """Single statements of the worker or the scheduler, each a transaction and a trip of its own."""


_ENTER = (
    "select kijko.enter($1::uuid, $2::text, $3::timestamptz, $4::uuid, $5::boolean), "
    "set_config('request.jwt.claims', $6::text, true), set_config('role', 'authenticated', true)"
)
_INSUFFICIENT_PRIVILEGE = "42501"
_NOTHING = Scalar(int, "select 1")
_IDLE = Scalar(str, "select set_config('idle_in_transaction_session_timeout', $1::text, true)")
_SYSTEM = "select set_config('role', 'service_role', true), set_config('app.reason', $1::text, true)"


def _person(principal: Principal) -> Context:
    return Context(
        _ENTER,
        (
            principal.user_id,
            principal.session_id,
            principal.issued_at,
            principal.organization_id,
            principal.chosen,
            principal.claims,
        ),
    )


class Tenants:
    """The door to the database of the API (`org`, `reader`, `gate`) or of the worker (`system`)."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def reader(self, principal: Principal) -> OrgReader:
        """Statements as that person, each in one trip."""
        return self.database.reader(_person(principal), kind=OrgReader)

    async def admit(self, principal: Principal) -> None:
        """What the first statement of a request asks anyway, alone, in one trip.

        Raises:
            Raised: their session has ended, or their key does not work (KJ401); X-Organization-Id is none of theirs
                (KJ404).
        """
        await self.reader(principal).one(_NOTHING)

    @asynccontextmanager
    async def org(self, principal: Principal) -> AsyncIterator[OrgTx]:
        """A transaction as that person; it commits at the end of the block."""
        async with self.database.transaction(_person(principal), kind=OrgTx) as tx:
            yield tx

    @asynccontextmanager
    async def snapshot(self, principal: Principal, *, idle_s: float) -> AsyncIterator[OrgTx]:
        """Reads as that person that all see the same moment. It holds a connection, and rows that were replaced since.

        Args:
            idle_s: left alone for longer between two statements, it is ended: the next one raises DatabaseUnavailable.
        """
        async with self.database.transaction(_person(principal), kind=partial(OrgTx, snapshot=True)) as tx:
            await tx.one(_IDLE, f"{idle_s * 1000:.0f}")
            yield tx

    @asynccontextmanager
    async def gate(self) -> AsyncIterator[GateTx]:
        """A transaction before a tenant is known."""
        async with self.database.transaction(Context(None), kind=GateTx) as tx:
            yield tx

    def gate_reader(self) -> GateReader:
        """Single statements before a tenant is known."""
        return self.database.reader(Context(None), kind=GateReader)

    def system_reader(self, reason: str) -> SystemReader:
        """Single statements past row-level security, with the reason for it: for what one statement does alone."""
        return self.database.reader(Context(_SYSTEM, (reason,)), kind=SystemReader)

    @asynccontextmanager
    async def system(self, reason: str) -> AsyncIterator[SystemTx]:
        """A transaction past row-level security, with the reason for it."""
        async with self.database.transaction(Context(_SYSTEM, (reason,)), kind=SystemTx) as tx:
            yield tx


_UNAVAILABLE: Sequence[tuple[type[DatabaseError], str]] = (
    (
        CommitUnknown,
        "The connection to the database broke while the change was being kept. Look whether it was made before you "
        "repeat it, or repeat it with the same Idempotency-Key.",
    ),
    (SerializationFailure, "Another change came in between, and nothing was kept. Please try again."),
    (StatementTimeout, "This took the database too long and was stopped; nothing was changed. Ask for less at once."),
    (DatabaseUnavailable, "The database does not answer at the moment. Nothing was changed; please try again."),
)


def translate(error: DatabaseError) -> AppError | None:
    """What a database error means to the person who asked; None where it is ours to mend."""
    if isinstance(error, Raised):
        return _raised(error)
    return next((Unavailable(text) for kind, text in _UNAVAILABLE if isinstance(error, kind)), None)


def _raised(error: Raised) -> AppError | None:
    match error.sqlstate:
        case "KJ401":
            return KeyRefused() if error.hint == "api_key" else SessionEnded()
        case "KJ404":
            return OrganizationNotFound()
        case "KJ409":
            return Conflict(error.message)
        case "KJ422":
            return Invalid(error.message)
        case "KJ429":
            return quotas.refused(error)
        case _:
            return Forbidden() if error.sqlstate == _INSUFFICIENT_PRIVILEGE else None
