"""Logging in with a password, and renewing a session with its refresh token."""

import asyncio
import time
from base64 import urlsafe_b64decode
from contextlib import suppress
from hashlib import sha256
from typing import Final

import orjson

from kijko.clients.keycloak import Grant, Refused, SignInUnavailable
from kijko.core.crypto import Unreadable
from kijko.core.db.errors import Raised
from kijko.services.identity import queries, refusals, rules, sessions
from kijko.services.identity.desk import Desk, settle
from kijko.services.identity.errors import InvalidCredentials, InvalidRefreshToken
from kijko.services.identity.rules import Device

# Longer than a call to the sign-in server may take; then the process that holds the claim is taken for dead.
_LEASE_MARGIN_S: Final = 5
_POLL_S: Final = 0.04
_GUARD_S: Final = 0.2
_CONDEMNED: Final = "KJ401"


async def login(desk: Desk, email: str, password: str, device: Device) -> Grant:
    """A new session.

    Raises:
        InvalidCredentials: whatever the cause. SignInUnavailable, DatabaseError: a part does not answer.
    """
    grant = await check_password(desk, rules.folded(email), password)
    try:
        return await settle(desk, grant, device)
    except Raised as raised:
        if raised.sqlstate != _CONDEMNED:
            raise
        raise InvalidCredentials from None  # what a failed sign-up left is as good as gone


async def check_password(desk: Desk, username: str, password: str) -> Grant:
    """A session for the right password. Raises InvalidCredentials or SignInUnavailable."""
    if not username or not password:
        raise InvalidCredentials
    async with desk.turn(username) as waited:
        if waited:
            with suppress(InvalidCredentials):
                return await _granted(desk, username, password)
            # Keycloak's guard may hold an account for a moment after it has answered the one before.
            await asyncio.sleep(_GUARD_S)
        return await _granted(desk, username, password)


async def _granted(desk: Desk, username: str, password: str) -> Grant:
    try:
        return await desk.keycloak.grant_by_password(username, password)
    except Refused as refused:
        if not refusals.is_bad_grant(refused):
            raise
        raise InvalidCredentials from None


async def refresh(desk: Desk, refresh_token: str, device: Device) -> Grant:
    """New tokens of the same session. The same refresh token again, soon, gets the same answer.

    Two tabs of one browser often renew at once, and a second use of a token would end the session at the sign-in
    server. So one of them exchanges it, and the other waits for the answer; no transaction is open meanwhile.

    Raises:
        InvalidRefreshToken: it was never one, was used before, or its session has ended.
        SignInUnavailable, DatabaseError: a part does not answer.
    """
    digest = sha256(refresh_token.encode()).digest()
    session_id = named_session(refresh_token)
    deadline = time.monotonic() + desk.settings.keycloak.timeout_s
    while True:
        claim = await _claim(desk, digest, session_id)
        match claim.state:
            case "mine":
                return await _exchange(desk, digest, refresh_token, device, deadline)
            case "answered":
                return _again(desk, claim.answer or "")
            case "ended":
                raise InvalidRefreshToken
        if time.monotonic() > deadline:
            raise SignInUnavailable
        await asyncio.sleep(_POLL_S)


async def _claim(desk: Desk, digest: bytes, session_id: str | None) -> queries.RefreshClaim:
    lease_s = int(desk.settings.keycloak.timeout_s) + _LEASE_MARGIN_S
    async with desk.database.gate() as tx:
        return await queries.claim_refresh(tx, digest, session_id, lease_s, desk.settings.auth.refresh_reuse_s)


async def _exchange(desk: Desk, digest: bytes, refresh_token: str, device: Device, deadline: float) -> Grant:
    try:
        grant = await _ask(desk, refresh_token, deadline)
        grant = await settle(desk, grant, device, new=False)
    except BaseException:
        await asyncio.shield(_give_back(desk, digest))
        raise
    session_id = (await desk.claims(grant))["sid"]
    async with desk.database.gate() as tx:
        lives = await queries.keep_refresh(tx, digest, session_id, desk.seal(grant), desk.settings.auth.refresh_reuse_s)
    if not lives:
        raise InvalidRefreshToken
    return grant


async def _ask(desk: Desk, refresh_token: str, deadline: float) -> Grant:
    try:
        return await desk.keycloak.refresh(refresh_token)
    except Refused as refused:
        if not refusals.is_bad_grant(refused):
            raise
    session_id = named_session(refresh_token)
    if session_id is not None:
        # A token that came twice ends its session at Keycloak; the access tokens of it must end with it.
        await sessions.end_if_gone(desk, session_id, within_s=deadline - time.monotonic())
    raise InvalidRefreshToken


async def _give_back(desk: Desk, digest: bytes) -> None:
    async with desk.database.gate() as tx:
        await queries.drop_refresh(tx, digest)


def _again(desk: Desk, kept: str) -> Grant:
    try:
        return desk.unseal(kept)
    except Unreadable:  # the key was changed within these seconds
        raise InvalidRefreshToken from None


def named_session(refresh_token: str) -> str | None:
    """The session that a refresh token says it is of. Only the sign-in server can check that: enough for a refusal."""
    try:
        _, payload, _ = refresh_token.split(".")
        session = orjson.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4))).get("sid")
    except (ValueError, AttributeError):
        return None
    return session if isinstance(session, str) and "\x00" not in session else None
