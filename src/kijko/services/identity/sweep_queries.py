"""The statements of the sweep, which reads and writes sign-in's tables itself."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kijko.core.db import Query, Statement
from kijko.core.tenancy import SystemTx
from kijko.services.identity.queries import Mail


@dataclass(frozen=True, slots=True)
class PendingLogout:
    """A session that the sign-in server has not confirmed the end of."""

    session_id: str
    user_id: UUID


@dataclass(frozen=True, slots=True)
class PendingReset:
    """Somebody with a link to a new password, and since when they have their present one."""

    user_id: UUID
    password_since: datetime | None


@dataclass(frozen=True, slots=True)
class SessionStart:
    """When a session was begun through this API."""

    session_id: str
    started_at: datetime


_PENDING_LOGOUTS = Query(
    PendingLogout,
    """
    select session_id, user_id
    from pending_logouts
    where asked_at < now() - interval '10 seconds'
    order by asked_at
    limit 100
    """,
)
_DUE_MAILS = Query(
    Mail,
    """
    update pending_mails
    set attempts = attempts + 1, due_at = now() + least(attempts + 1, 10) * interval '1 minute'
    where id in (
      select id
      from pending_mails
      where due_at < now() and expires_at > now()
      order by due_at
      limit 20
      for update skip locked
    )
    returning id, kind, email
    """,
)
# Most links are used within minutes; the longer one lies unused, the less often it is looked for.
_DUE_RESETS = Query(
    PendingReset,
    """
    update pending_resets
    set look_at = now() + greatest(interval '1 second', least((now() - asked_at) / 20, interval '1 minute'))
    where user_id in (
      select user_id
      from pending_resets
      where look_at <= now() and expires_at > now()
      order by look_at
      limit 50
      for update skip locked
    )
    returning user_id, password_since
    """,
)
_SESSION_STARTS = Query(SessionStart, "select session_id, started_at from session_devices where user_id = $1::uuid")
_DROP_RESET = Statement("delete from pending_resets where user_id = $1::uuid")
_FORGET = Statement("select kijko.forget_old_sign_ins()")


async def pending_logouts(tx: SystemTx) -> list[PendingLogout]:
    """Logouts that were not confirmed at once, oldest first."""
    return await tx.all(_PENDING_LOGOUTS)


async def due_mails(tx: SystemTx) -> list[Mail]:
    """Mails to be tried now, at most 20; each is put off, in case this try fails as well."""
    return await tx.all(_DUE_MAILS)


async def due_resets(tx: SystemTx) -> list[PendingReset]:
    """People whose link to a new password may have been used; each is put off until its next look."""
    return await tx.all(_DUE_RESETS)


async def session_starts(tx: SystemTx, user_id: UUID) -> dict[str, datetime]:
    """When the person's sessions were begun, exactly; the sign-in server keeps whole seconds."""
    return {each.session_id: each.started_at for each in await tx.all(_SESSION_STARTS, user_id)}


async def drop_reset(tx: SystemTx, user_id: UUID) -> None:
    """The link was used."""
    await tx.run(_DROP_RESET, user_id)


async def forget_old(tx: SystemTx) -> None:
    """Delete what has had its time."""
    await tx.run(_FORGET)
