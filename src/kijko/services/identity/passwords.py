"""Forgotten and changed passwords. Whoever changes one ends every older session."""

import logging
from datetime import UTC, datetime
from uuid import UUID

from kijko.clients.keycloak import Grant, Refused
from kijko.core.tenancy import Principal
from kijko.services.identity import mails, queries, refusals, rules, sessions
from kijko.services.identity.desk import Desk, settle, spawn
from kijko.services.identity.errors import InvalidCredentials, WeakPassword
from kijko.services.identity.login import check_password
from kijko.services.identity.rules import Device

log = logging.getLogger(__name__)


async def forgot(desk: Desk, email: str) -> None:
    """Have a link to a new password mailed to that address, if it has an account.

    What the caller sees is the same for a known and an unknown address, the time it takes included: one row is
    written, and everything else comes after the answer.

    Raises:
        Invalid: that cannot be an address.
    """
    async with desk.database.gate() as tx:
        mail = await mails.queue(tx, "reset", rules.email(email))
    spawn(mails.send(desk.database.gate, desk.keycloak, desk.settings, mail))


async def change(desk: Desk, principal: Principal, current: str, new: str, device: Device) -> Grant:
    """Give the caller a new password and a new session; every older one ends.

    Raises:
        InvalidCredentials: `current` is not the present password. WeakPassword: the policy refuses the new one.
        SignInUnavailable, DatabaseError: a part does not answer.
    """
    await queries.profile(desk.database.reader(principal))  # refuses an ended session
    user = await desk.keycloak.user(principal.user_id)
    if user is None:
        raise InvalidCredentials
    username = str(user.whole["username"])
    proof = await desk.claims(await _prove(desk, username, current))
    older = {each.id for each in await desk.keycloak.sessions(user.id)} | {proof["sid"]}
    try:
        await _set(desk, user.id, new)
    except BaseException:
        await sessions.end(desk, user.id, [proof["sid"]])
        raise
    await sessions.refuse(desk, user.id, older)
    fresh = await settle(desk, await check_password(desk, username, new), device)
    await _end_rest(desk, user.id, older, fresh)
    return fresh


async def _prove(desk: Desk, username: str, current: str) -> Grant:
    try:
        return await check_password(desk, username, current)
    except InvalidCredentials:
        raise InvalidCredentials("The current password is wrong. Check it, or ask for a new one by e-mail.") from None


async def _set(desk: Desk, user_id: UUID, new: str) -> None:
    if not new:
        raise WeakPassword(field="new_password")
    try:
        await desk.keycloak.set_password(user_id, new)
    except Refused as refused:
        raise refusals.of_account(refused, password_field="new_password") or refused from None  # noqa: S106


async def _end_rest(desk: Desk, user_id: UUID, older: set[str], fresh: Grant) -> None:
    """End at Keycloak what is refused here, and whatever else the old password opened in these moments."""
    mine = (await desk.claims(fresh))["sid"]
    since = {each.id for each in await desk.keycloak.sessions(user_id)} - older - {mine}
    await sessions.refuse(desk, user_id, since)
    async with desk.database.gate() as tx:
        # Tokens carry whole seconds: a cut within this one would refuse a sign-in that comes right after.
        await queries.end_sessions_before(tx, user_id, datetime.now(UTC).replace(microsecond=0), mine)
    await sessions.confirm(desk, older | since)
