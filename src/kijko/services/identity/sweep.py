"""The sweep: what a crash, or a sign-in server that was down, left half done is finished or taken back.

Run it every minute, from one process or several; each step may run twice.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from uuid import UUID

from kijko.clients.keycloak import Keycloak
from kijko.core.tenancy import Tenants
from kijko.services.identity import mails, queries, sweep_queries
from kijko.services.identity.attempts import attempt
from kijko.services.identity.queries import Gate, StaleSignup
from kijko.settings import Settings

log = logging.getLogger(__name__)

Door = Callable[[], AbstractAsyncContextManager[Gate]]


async def repair(database: Tenants, keycloak: Keycloak, settings: Settings) -> None:
    """One round, for the scheduler: it uses the database as the system.

    What fails is logged and tried again in the next round; the rest goes on.
    """

    def door() -> AbstractAsyncContextManager[Gate]:
        return database.system("finish or take back sign-ins that were cut off")

    await attempt("sign-ups", _take_back_all(door, keycloak))
    await attempt("logouts", _end_sessions(database, keycloak))
    await attempt("mails", _send_mails(database, door, keycloak, settings))
    await attempt("old rows", _forget(database))


async def _take_back_all(door: Door, keycloak: Keycloak) -> None:
    async with door() as tx:
        stale = await queries.stale_signups(tx)
    for each in stale:
        await attempt("a sign-up", _take_back(door, keycloak, each, None))


async def _end_sessions(database: Tenants, keycloak: Keycloak) -> None:
    async with database.system("end at the sign-in server what ended here") as tx:
        pending = await sweep_queries.pending_logouts(tx)
    for each in pending:
        await attempt("a logout", _end_session(database, keycloak, each.session_id))


async def _end_session(database: Tenants, keycloak: Keycloak, session_id: str) -> None:
    await keycloak.end_session(session_id)
    async with database.system("note that the sign-in server has ended a session") as tx:
        await queries.signed_out(tx, session_id)


async def _send_mails(database: Tenants, door: Door, keycloak: Keycloak, settings: Settings) -> None:
    async with database.system("send the mails of sign-in that are due") as tx:
        due = await sweep_queries.due_mails(tx)
    for mail in due:
        await attempt("a mail", mails.send(door, keycloak, settings, mail))


async def _forget(database: Tenants) -> None:
    async with database.system("forget sign-in's rows that had their time") as tx:
        await sweep_queries.forget_old(tx)


async def clear_signups(database: Tenants, keycloak: Keycloak, email: str, *, asking: UUID) -> bool:
    """Take back what dead sign-ups with this address left, for the sign-up that asks; whether there was anything."""
    async with database.gate() as tx:
        stale = await queries.stale_signups(tx, email)
    done = [await _take_back(database.gate, keycloak, each, asking) for each in stale]
    return any(done)


async def _take_back(door: Door, keycloak: Keycloak, stale: StaleSignup, asking: UUID | None) -> bool:
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
