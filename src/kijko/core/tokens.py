"""Access tokens: verified here, against the issuers' cached keys, with no call to anybody.

What is pinned comes from the settings, never from the token: algorithm, audience, issuers. Whether its session has
ended is not asked here but in the database, in the same trip as the request's first statement.
"""

import logging
import time
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import httpx
import jwt

from kijko.core.errors import Unauthenticated
from kijko.core.jwks import KeySet
from kijko.core.tenancy import Principal
from kijko.settings import Auth, Keycloak, required

log = logging.getLogger(__name__)

_CACHED_TOKENS: Final = 4096
_LONGEST_TOKEN: Final = 8192
_REQUIRED: Final = ["exp", "iat", "sub", "iss", "aud"]

Claims = dict[str, Any]  # any JSON: a token's


class InvalidToken(Unauthenticated):
    """Your sign-in has expired or is not valid. Sign in again."""


def realm_url(keycloak: Keycloak) -> str:
    """The issuer that this realm's tokens name: the address by which browsers reach it."""
    base = keycloak.public_url or required(keycloak.url, "KIJKO_KEYCLOAK_URL")
    return f"{base}/realms/{keycloak.realm}"


class Tokens:
    """Verifies access tokens. One for a process; the result of a token is kept until the token expires."""

    def __init__(self, keycloak: Keycloak, auth: Auth, http: httpx.AsyncClient) -> None:
        self._auth = auth
        self.issuer: Final = realm_url(keycloak)
        certs = f"{required(keycloak.url, 'KIJKO_KEYCLOAK_URL')}/realms/{keycloak.realm}/protocol/openid-connect/certs"
        addresses = {each.issuer: each.jwks_url for each in auth.trusted_issuers} | {self.issuer: certs}
        self._issuers = {
            issuer: KeySet(url, auth.algorithm, http, auth.jwks_refetch_s) for issuer, url in addresses.items()
        }
        self._known: OrderedDict[str, tuple[float, Principal]] = OrderedDict()

    async def verify(self, token: str) -> Principal:
        """The person of an access token, in the token's default organization.

        Raises:
            InvalidToken: it is not an access token of ours that is valid now.
            KeysUnavailable: its issuer's keys were never read, and cannot be read now.
        """
        known = self._known.get(token)
        if known is not None and time.time() < known[0]:
            self._known.move_to_end(token)
            return known[1]
        claims = await self.claims(token, audience=self._auth.audience, kind="Bearer")
        principal = _principal(claims)
        self._known[token] = (claims["exp"] + self._auth.leeway_s, principal)
        if len(self._known) > _CACHED_TOKENS:
            self._known.popitem(last=False)
        return principal

    async def claims(self, token: str, *, audience: str, kind: str, issuer: str | None = None) -> Claims:
        """The claims of a signed token of ours, once all of it was checked. `kind` is its `typ`: Bearer, ID, Logout.

        Args:
            issuer: the only one allowed; default: any trusted one.

        Raises:
            InvalidToken, KeysUnavailable: as `verify`.
        """
        try:
            if len(token) > _LONGEST_TOKEN:
                raise jwt.InvalidTokenError("too long")
            claims = await self._decode(token, audience, issuer)
            if claims.get("typ") != kind:
                raise jwt.InvalidTokenError(f"not of the kind {kind}")
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            log.info("token refused: %s", type(error).__name__)
            raise InvalidToken from None
        return claims

    async def _decode(self, token: str, audience: str, only: str | None) -> Claims:
        # Unverified, these two choose among our own issuers' keys and no more.
        kid = jwt.get_unverified_header(token).get("kid")
        issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
        keys = self._issuers.get(issuer) if isinstance(issuer, str) and only in (None, issuer) else None
        if keys is None:
            raise jwt.InvalidIssuerError("not a trusted issuer")
        key = await keys.get(kid) if isinstance(kid, str) else None
        if key is None:
            raise jwt.InvalidKeyError("no such key")
        return jwt.decode(
            token,
            key,
            algorithms=[self._auth.algorithm],
            audience=audience,
            issuer=issuer,
            leeway=self._auth.leeway_s,
            options={"require": _REQUIRED},
        )


def _principal(claims: Claims) -> Principal:
    session = claims.get("sid")
    try:
        user_id = UUID(claims["sub"])
    except ValueError:
        raise InvalidToken from None
    if not isinstance(session, str) or not session:
        raise InvalidToken  # a token without a session could not be ended: a service account's, for instance
    return Principal(
        user_id=user_id,
        session_id=session,
        issued_at=datetime.fromtimestamp(claims["iat"], UTC),
        organization_id=_uuid(claims.get("org_id")),
        chosen=False,
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        email=str(claims.get("email", "")),
        name=str(claims.get("name", "")),
    )


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
