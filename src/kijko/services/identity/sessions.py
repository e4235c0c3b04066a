"""Sessions: which there are, and their ends. A row ends one here at once, in every process; Keycloak's end follows."""

import asyncio
import logging
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from kijko.clients.keycloak import Refused, SignInUnavailable
from kijko.core.db.errors import DatabaseError
from kijko.core.tenancy import Principal
from kijko.core.tokens import InvalidToken
from kijko.models.auth import Session
from kijko.services.identity import queries, rules
from kijko.services.identity.desk import Desk, spawn
from kijko.services.identity.errors import InvalidLogoutToken, SessionNotFound

log = logging.getLogger(__name__)

_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
_FRESH_S: Final = 300


async def logout(desk: Desk, principal: Principal) -> None:
    """End the session that asks. It may have ended already; without Keycloak the sweep does the rest."""
    if principal.session_id is not None:
        await end(desk, principal.user_id, [principal.session_id])


async def end(desk: Desk, user_id: UUID, session_ids: Iterable[str]) -> None:
    """Refuse these sessions from now on, then have Keycloak end them."""
    ids = list(session_ids)
    await refuse(desk, user_id, ids)
    await confirm(desk, ids)


async def refuse(desk: Desk, user_id: UUID, session_ids: Iterable[str]) -> None:
    """Refuse these sessions from now on. The sweep has Keycloak end them, unless `confirm` was quicker."""
    seconds = rules.remember_s(desk.settings.auth)
    async with desk.database.gate() as tx:
        for each in session_ids:
            await queries.sign_out(tx, each, user_id, seconds)


async def confirm(desk: Desk, session_ids: Iterable[str]) -> None:
    """Have Keycloak end sessions that are refused here already."""
    try:
        for each in session_ids:
            await desk.keycloak.end_session(each)
            async with desk.database.gate() as tx:
                await queries.signed_out(tx, each)
    except (SignInUnavailable, Refused) as error:
        log.warning("the end of a session is left to the sweep: %s", error)


async def end_if_gone(desk: Desk, session_id: str, *, within_s: float) -> None:
    """Refuse a session whose refresh token was refused, if Keycloak has taken its tokens back or knows it no more.

    The id is the word of a token that nobody here can check. So it is believed in nothing else: whose the session is
    says the row of its begin, and whether it lives says Keycloak. What cannot be asked in time is let be.
    """
    try:
        async with desk.database.gate() as tx:
            user_id = await queries.session_person(tx, session_id)
        if user_id is None:
            return
        async with asyncio.timeout(within_s):
            found = await desk.keycloak.sessions(user_id)
        if session_id in {each.id for each in found if each.in_use}:
            return
        await refuse(desk, user_id, [session_id])
    except (SignInUnavailable, Refused, DatabaseError, TimeoutError) as error:
        log.warning("whether a session has ended could not be seen: %r", error)
        return
    spawn(confirm(desk, [session_id]))


async def list_sessions(desk: Desk, principal: Principal) -> list[Session]:
    """The caller's living sessions, last used first.

    Raises:
        SignInUnavailable: Keycloak, which keeps them, does not answer.
    """
    known = {each.session_id: each for each in await queries.my_sessions(desk.database.reader(principal))}
    found = []
    for session in await desk.keycloak.sessions(principal.user_id):
        here = known.get(session.id)
        if here is not None and here.ended:
            continue
        found.append(
            Session(
                id=session.id,
                ip_address=(here and here.ip_address) or session.ip_address,
                user_agent=here.user_agent if here else None,
                started_at=session.started_at,
                last_access_at=session.last_access_at,
                current=session.id == principal.session_id,
            )
        )
    return sorted(found, key=lambda each: each.last_access_at, reverse=True)


async def end_one(desk: Desk, principal: Principal, session_id: str) -> None:
    """End one of the caller's sessions.

    Raises:
        SessionNotFound: it is none of theirs, or has ended.
    """
    if session_id not in {each.id for each in await list_sessions(desk, principal)}:
        raise SessionNotFound
    await end(desk, principal.user_id, [session_id])


async def end_others(desk: Desk, principal: Principal) -> None:
    """End all of the caller's sessions but the one that asks."""
    others = [each.id for each in await list_sessions(desk, principal) if not each.current]
    await end(desk, principal.user_id, others)


async def ended_elsewhere(desk: Desk, logout_token: str) -> None:
    """Take note that Keycloak ended a session, by the logout token that it sends (OpenID Connect back-channel logout).

    A token that is sent twice changes nothing: it names a session that will not come back, or ends what was begun
    before the token itself.

    Raises:
        InvalidLogoutToken: it is not a fresh logout token of our realm.
    """
    try:
        claims = await desk.tokens.claims(
            logout_token, audience=desk.keycloak.client_id, kind="Logout", issuer=desk.tokens.issuer
        )
        user_id = UUID(claims["sub"])
    except (InvalidToken, ValueError):
        raise InvalidLogoutToken from None
    issued_at = datetime.fromtimestamp(claims["iat"], UTC)
    events = claims.get("events")
    fresh = datetime.now(UTC) - issued_at < timedelta(seconds=_FRESH_S)
    if not fresh or "nonce" in claims or not isinstance(events, dict) or _EVENT not in events:
        raise InvalidLogoutToken
    session_id = claims.get("sid")
    async with desk.database.gate() as tx:
        if isinstance(session_id, str) and session_id:
            await queries.end_session(tx, session_id, user_id, rules.remember_s(desk.settings.auth))
            await queries.signed_out(tx, session_id)
        else:
            await queries.end_sessions_before(tx, user_id, issued_at + timedelta(seconds=1), None)
