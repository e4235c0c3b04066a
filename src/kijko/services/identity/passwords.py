"""Forgotten and changed passwords. Whoever changes one ends every older session."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid4

from kijko.clients.keycloak import Grant, Refused
from kijko.core.tenancy import Principal
from kijko.services.identity import mails, queries, refusals, rules, sessions
from kijko.services.identity.attempts import attempt
from kijko.services.identity.desk import Desk, settle, spawn
from kijko.services.identity.errors import InvalidCredentials, PasswordBeingChanged, WeakPassword
from kijko.services.identity.login import check_password
from kijko.services.identity.rules import Device

log = logging.getLogger(__name__)

# Longer than a change takes while Keycloak is slow; then the process that holds the claim is taken for dead.
_CLAIM_S: Final = 60


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
        PasswordBeingChanged: another request of theirs is at it, and would end the session that this one gives.
        SignInUnavailable, DatabaseError: a part does not answer.
    """
    await queries.profile(desk.database.reader(principal))  # refuses an ended session
    async with _claimed(desk, principal.user_id):
        return await _change(desk, principal, current, new, device)


@asynccontextmanager
async def _claimed(desk: Desk, user_id: UUID) -> AsyncIterator[None]:
    claim = uuid4()
    async with desk.database.gate() as tx:
        mine = await queries.claim_password(tx, user_id, claim, _CLAIM_S)
    if not mine:
        raise PasswordBeingChanged
    try:
        yield
    finally:
        await asyncio.shield(attempt("the end of a claim", _give_back(desk, user_id, claim)))


async def _give_back(desk: Desk, user_id: UUID, claim: UUID) -> None:
    async with desk.database.gate() as tx:
        await queries.drop_password_claim(tx, user_id, claim)


async def _change(desk: Desk, principal: Principal, current: str, new: str, device: Device) -> Grant:
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
