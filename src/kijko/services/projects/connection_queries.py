"""Every statement on connected accounts. The API runs them as the person, the worker in that person's name."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

from kijko.core.db import Query, Scalar, Statement
from kijko.core.tenancy import OrgReader, OrgTx, SystemReader, SystemTx

Door: TypeAlias = OrgReader | OrgTx | SystemReader | SystemTx


@dataclass(frozen=True, slots=True)
class Connection:
    """An account that a person has connected; `tokens` are encrypted."""

    provider: str
    username: str
    avatar_url: str | None
    scope: list[str]
    tokens: bytes
    expires_at: datetime | None
    connected_at: datetime


_COLUMNS = "c.provider, c.username, c.avatar_url, c.scope, c.tokens, c.expires_at, c.connected_at"
_LIST = Query(Connection, "select " + _COLUMNS + " from git_connections c where c.user_id = auth.uid()")


async def list_own(reader: OrgReader) -> list[Connection]:
    """The caller's connections."""
    return await reader.all(_LIST)


_GET = Query(
    Connection, "select " + _COLUMNS + " from git_connections c where c.user_id = $1::uuid and c.provider = $2::text"
)


async def get(door: Door, person: UUID, provider: str) -> Connection | None:
    """A person's connection."""
    return await door.first(_GET, person, provider)


_KEEP = Query(
    Connection,
    """
    insert into git_connections as c (user_id, provider, username, avatar_url, scope, tokens, expires_at)
    values (auth.uid(), $1::text, $2::text, $3::text, $4::text[], $5::bytea, $6::timestamptz)
    on conflict (user_id, provider) do update
      set username = excluded.username, avatar_url = excluded.avatar_url, scope = excluded.scope,
        tokens = excluded.tokens, expires_at = excluded.expires_at, renewing_until = null, connected_at = now()
    returning """
    + _COLUMNS,
)


async def keep(
    tx: OrgTx,
    provider: str,
    *,
    username: str,
    avatar_url: str | None,
    scope: Sequence[str],
    tokens: bytes,
    expires_at: datetime | None,
) -> Connection:
    """Keeps the caller's connection, in place of an earlier one."""
    return await tx.one(_KEEP, provider, username, avatar_url, list(scope), tokens, expires_at)


_DROP = Scalar(
    bytes, "delete from git_connections c where c.user_id = $1::uuid and c.provider = $2::text returning c.tokens"
)


async def drop(tx: OrgTx, person: UUID, provider: str) -> bytes | None:
    """Forgets a connection; its tokens, where there was one."""
    return await tx.first(_DROP, person, provider)


_DROP_STALE = Statement(
    "delete from git_connections c where c.user_id = $1::uuid and c.provider = $2::text and c.tokens = $3::bytea"
)


async def drop_stale(door: Door, person: UUID, provider: str, tokens: bytes) -> None:
    """Forgets a connection whose tokens are no longer good, unless it has others by now."""
    await door.run(_DROP_STALE, person, provider, tokens)


_HOLD = Scalar(
    bool,
    """
    update git_connections c
    set renewing_until = now() + make_interval(secs => $3::double precision)
    where c.user_id = $1::uuid and c.provider = $2::text and c.tokens = $4::bytea
      and (c.renewing_until is null or c.renewing_until < now())
    returning true
    """,
)


async def hold(door: Door, person: UUID, provider: str, tokens: bytes, seconds: float) -> bool:
    """Takes the renewal of these tokens for so long; false where another has it, or they are others by now."""
    return await door.first(_HOLD, person, provider, seconds, tokens) is True


_RENEW = Statement(
    """
    update git_connections c
    set tokens = $4::bytea, expires_at = $5::timestamptz, renewing_until = null
    where c.user_id = $1::uuid and c.provider = $2::text and c.tokens = $3::bytea
    """
)


async def renew(
    door: Door, person: UUID, provider: str, tokens: bytes, *, fresh: bytes, expires_at: datetime | None
) -> None:
    """Keeps what a renewal brought."""
    await door.run(_RENEW, person, provider, tokens, fresh, expires_at)


_RELEASE = Statement(
    "update git_connections c set renewing_until = null where c.user_id = $1::uuid and c.provider = $2::text"
)


async def release(door: Door, person: UUID, provider: str) -> None:
    """Gives a renewal up, so that another may try."""
    await door.run(_RELEASE, person, provider)


_FORGET_LATE = Statement(
    "delete from git_authorizations a where a.user_id = auth.uid() and (a.expires_at < now() or a.provider = $1::text)"
)
_BEGIN = Statement(
    """
    insert into git_authorizations (state_hash, user_id, provider, secret, expires_at)
    values ($1::bytea, auth.uid(), $2::text, $3::bytea, now() + make_interval(secs => $4::double precision))
    """
)


async def begin(tx: OrgTx, state_hash: bytes, provider: str, secret: bytes, seconds: float) -> None:
    """Remembers that the caller was sent to a provider; an earlier way there leads nowhere any more."""
    await tx.gather(_FORGET_LATE.bind(provider), _BEGIN.bind(state_hash, provider, secret, seconds))


_TAKE = Scalar(
    bytes,
    """
    delete from git_authorizations a
    where a.state_hash = $1::bytea and a.user_id = auth.uid() and a.provider = $2::text and a.expires_at > now()
    returning a.secret
    """,
)


async def take(tx: OrgTx, state_hash: bytes, provider: str) -> bytes | None:
    """What was remembered with that state, once, for the caller alone."""
    return await tx.first(_TAKE, state_hash, provider)


WHO_MAY_FETCH: Final = Scalar(UUID, "select kijko.who_may_fetch($1::uuid, $2::uuid)")
"""Whose connection may read a repository for its project, the first to be tried first."""
