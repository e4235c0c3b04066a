"""The sweep: what a crash, or a sign-in server that was down, left half done is finished or taken back.

Run it every minute, from one process or several; each step may run twice.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from uuid import UUID

from kijko.clients.keycloak import Keycloak, Refused, Session, SignInUnavailable
from kijko.core.db.errors import DatabaseError
from kijko.core.tenancy import Tenants
from kijko.services.identity import mails, queries, rules
from kijko.services.identity.queries import Gate, StaleSignup
from kijko.settings import Settings

log = logging.getLogger(__name__)

Open = Callable[[], AbstractAsyncContextManager[Gate]]


async def repair(database: Tenants, keycloak: Keycloak, settings: Settings) -> None:
    """One round, for the scheduler: it uses the database as the system.

    A step that fails is logged and tried again in the next round; the others go on.
    """

    def door() -> AbstractAsyncContextManager[Gate]:
        return database.system("finish or take back sign-ins that were cut off")

    async def signups() -> None:
        async with door() as tx:
            stale = await queries.stale_signups(tx)
        await _take_back(door, keycloak, stale)

    async def sending() -> None:
        async with database.system("send the mails of sign-in that are due") as tx:
            due = await queries.due_mails(tx)
        for mail in due:
            await mails.send(door, keycloak, settings, mail)

    async def forgetting() -> None:
        async with database.system("forget sign-in's rows that had their time") as tx:
            await queries.forget_old(tx)

    await _try("unfinished sign-ups", signups)
    await _try("unconfirmed logouts", lambda: _end_sessions(database, keycloak))
    await _try("mails", sending)
    await _try("old rows", forgetting)


async def clear_signups(database: Tenants, keycloak: Keycloak, email: str, *, asking: UUID) -> bool:
    """Take back what dead sign-ups with this address left, for the sign-up that asks; whether there was anything."""
    async with database.gate() as tx:
        stale = await queries.stale_signups(tx, email)
    return await _take_back(database.gate, keycloak, stale, asking)


async def _take_back(door: Open, keycloak: Keycloak, stale: list[StaleSignup], asking: UUID | None = None) -> bool:
    done = [await _take_back_one(door, keycloak, each, asking) for each in stale]
    return any(done)


async def _take_back_one(door: Open, keycloak: Keycloak, stale: StaleSignup, asking: UUID | None) -> bool:
    user_id = stale.user_id or await _account(keycloak, stale.email)
    verdict = "gone"
    if user_id is not None:
        async with door() as tx:
            verdict = await queries.condemn_signup(tx, stale.id, user_id, besides=asking)
        if verdict == "busy":
            return False
        if verdict == "condemned":
            await keycloak.delete_user(user_id)
            log.info("a sign-up that was cut off has been taken back")
    async with door() as tx:
        await queries.finish_signup(tx, stale.id)
    return verdict == "condemned"


async def _account(keycloak: Keycloak, email: str) -> UUID | None:
    user = await keycloak.user_by_email(email)
    return user.id if user else None


async def _end_sessions(database: Tenants, keycloak: Keycloak) -> None:
    async with database.system("end at the sign-in server what ended here") as tx:
        pending = await queries.pending_logouts(tx)
    for each in pending:
        await keycloak.end_session(each.session_id)
        async with database.system("end at the sign-in server what ended here") as tx:
            await queries.signed_out(tx, each.session_id)


async def watch_resets(database: Tenants, keycloak: Keycloak, settings: Settings) -> None:
    """One round, for the scheduler, every second or two: end the older sessions of whoever used a mailed link.

    Keycloak's page does that too, at once, when it is asked to. It costs next to nothing while no link is out.
    """
    await _try("new passwords", lambda: _end_after_resets(database, keycloak, settings))


async def _end_after_resets(database: Tenants, keycloak: Keycloak, settings: Settings) -> None:
    async with database.system("see whether links to new passwords were used") as tx:
        due = await queries.due_resets(tx)
    for each in due:
        since = await keycloak.password_since(each.user_id)
        if since is not None and since != each.password_since:
            await _end_before(database, keycloak, settings, each.user_id, since)


async def _end_before(
    database: Tenants, keycloak: Keycloak, settings: Settings, user_id: UUID, instant: datetime
) -> None:
    sessions = await keycloak.sessions(user_id)
    async with database.system("end the sessions from before a new password") as tx:
        begun = await queries.session_starts(tx, user_id)
        older = [each.id for each in sessions if _is_older(each, begun.get(each.id), instant)]
        for session_id in older:
            await queries.sign_out(tx, session_id, user_id, rules.remember_s(settings.auth))
        await queries.end_sessions_before(tx, user_id, instant.replace(microsecond=0), None)
        await queries.drop_reset(tx, user_id)
    for session_id in older:
        await keycloak.end_session(session_id)


def _is_older(session: Session, begun: datetime | None, instant: datetime) -> bool:
    # Keycloak keeps the start of a session in whole seconds, as a token its time.
    return begun < instant if begun else session.started_at < instant.replace(microsecond=0)


async def _try(what: str, step: Callable[[], Awaitable[None]]) -> None:
    started = datetime.now(UTC)
    try:
        await step()
    except (SignInUnavailable, Refused, DatabaseError) as error:
        took = (datetime.now(UTC) - started).total_seconds()
        log.warning("sign-in's sweep: %s wait for the next round, after %.1f s: %s", what, took, error)
