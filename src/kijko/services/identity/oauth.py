"""Signing in with Google or GitHub: Keycloak talks to them, the browser is sent there and back.

`begin` gives the browser an address to go to and a cookie that holds, encrypted, what only this browser may know. The
browser comes back with a code and a state; `finish` wants both to fit the cookie, and gives a one-time code that the
web app exchanges for the tokens, so that no token ever stands in an address.
"""

from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from secrets import compare_digest, token_urlsafe
from typing import Final, get_args
from urllib.parse import urlencode

import orjson

from kijko.clients.keycloak import Grant, Refused
from kijko.core.crypto import Unreadable
from kijko.core.tokens import InvalidToken
from kijko.models.auth import CallbackQuery, Provider
from kijko.services.identity import queries, refusals
from kijko.services.identity.desk import Desk, settle
from kijko.services.identity.errors import InvalidCode, InvalidState, ProviderNotSetUp, UnknownProvider
from kijko.services.identity.rules import Device

PENDING_S: Final = 600
"""How long a browser may take at Google's or GitHub's pages."""
_CODE_S: Final = 60
_CALLBACK: Final = "/api/auth/oauth/callback"
_NAMES: Final = {"google": "Google", "github": "GitHub"}


@dataclass(frozen=True, slots=True)
class Departure:
    """Where the browser goes, and the cookie that it must come back with."""

    url: str
    cookie: str
    cookie_name: str


def cookie_name(state: str) -> str:
    """One cookie for each attempt, so that two tabs do not disturb each other."""
    return f"kijko_sign_in_{sha256(state.encode()).hexdigest()[:16]}"


def begin(desk: Desk, provider: str) -> Departure:
    """The first step.

    Raises:
        UnknownProvider: there is no such one. ProviderNotSetUp: there is, but not in this installation.
    """
    if provider not in get_args(Provider):
        raise UnknownProvider
    if not desk.settings.is_set_up(provider):
        raise ProviderNotSetUp(f"Signing in with {_NAMES[provider]} is not set up here. Choose another way to sign in.")
    state, nonce, verifier = token_urlsafe(32), token_urlsafe(32), token_urlsafe(64)
    query = {
        "client_id": desk.keycloak.client_id,
        "redirect_uri": desk.settings.public_url + _CALLBACK,
        "response_type": "code",
        "scope": "openid",
        "state": state,
        "nonce": nonce,
        "code_challenge": urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
        "kc_idp_hint": provider,
    }
    secret = orjson.dumps({"state": state, "nonce": nonce, "verifier": verifier})
    return Departure(
        url=f"{desk.keycloak.public_realm_url}/protocol/openid-connect/auth?{urlencode(query)}",
        cookie=desk.box.seal(secret).decode(),
        cookie_name=cookie_name(state),
    )


async def finish(desk: Desk, said: CallbackQuery, cookie: str | None, device: Device) -> str:
    """The one-time code for the web app, after the browser came back with a code and, perhaps, its cookie.

    Raises:
        InvalidState: this browser did not begin that sign-in, took too long, or the answer is not our realm's.
        SignInUnavailable, DatabaseError: a part does not answer.
    """
    secret = _opened(desk, cookie)
    if not compare_digest(secret["state"].encode(), said.state.encode()):
        raise InvalidState
    if said.iss not in (None, desk.tokens.issuer):
        raise InvalidState
    grant = await _exchange(desk, said.code, secret["verifier"])
    await _check_nonce(desk, grant, secret["nonce"])
    grant = await settle(desk, grant, device)
    once = token_urlsafe(32)
    session_id = (await desk.claims(grant))["sid"]
    async with desk.database.gate() as tx:
        await queries.keep_code(tx, _hash(once), session_id, desk.seal(grant), _CODE_S)
    return once


async def redeem(desk: Desk, code: str) -> Grant:
    """The tokens that a one-time code buys, once, within a minute.

    Raises:
        InvalidCode: unknown, used or late, or its session has ended.
    """
    async with desk.database.gate() as tx:
        kept = await queries.take_code(tx, _hash(code))
    if kept is None:
        raise InvalidCode
    try:
        return desk.unseal(kept)
    except Unreadable:
        raise InvalidCode from None


def _opened(desk: Desk, cookie: str | None) -> dict[str, str]:
    try:
        opened: dict[str, str] = orjson.loads(desk.box.open((cookie or "").encode(), max_age_s=PENDING_S))
    except Unreadable:
        raise InvalidState from None
    return opened


async def _exchange(desk: Desk, code: str, verifier: str) -> Grant:
    try:
        return await desk.keycloak.grant_by_code(code, verifier, desk.settings.public_url + _CALLBACK)
    except Refused as refused:
        if not refusals.is_bad_grant(refused):
            raise
        raise InvalidState from None


async def _check_nonce(desk: Desk, grant: Grant, nonce: str) -> None:
    try:
        claims = await desk.tokens.claims(
            grant.id_token or "", audience=desk.keycloak.client_id, kind="ID", issuer=desk.tokens.issuer
        )
    except InvalidToken:
        raise InvalidState from None
    if not compare_digest(str(claims.get("nonce", "")), nonce):
        raise InvalidState


def _hash(code: str) -> bytes:
    return sha256(code.encode()).digest()
