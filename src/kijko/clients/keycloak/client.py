"""The calls that Kijko makes: the token endpoint as its confidential client, the admin API as its service account."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

import httpx

from kijko.clients.keycloak.shapes import Grant, Identity, Session, User, instant
from kijko.clients.keycloak.transport import Refused, SignInUnavailable, Transport
from kijko.settings import Keycloak as KeycloakSettings
from kijko.settings import required

log = logging.getLogger(__name__)

# Renewed this long before it expires, so that no call leaves with a token that dies on the way.
_MARGIN_S: Final = 15.0


class Keycloak:
    """One realm of one Keycloak. Nothing is connected before the first call."""

    def __init__(self, settings: KeycloakSettings) -> None:
        """Raises MissingSetting."""
        self.client_id: Final = settings.client_id
        self._secret = required(settings.client_secret, "KIJKO_KEYCLOAK_CLIENT_SECRET")
        base = required(settings.url, "KIJKO_KEYCLOAK_URL")
        self.public_realm_url: Final = f"{settings.public_url or base}/realms/{settings.realm}"
        self._transport = Transport(base, settings.timeout_s)
        managed = settings.management_url
        self._management = Transport(managed, settings.timeout_s) if managed else None
        self._oidc = f"/realms/{settings.realm}/protocol/openid-connect"
        self._admin = f"/admin/realms/{settings.realm}"
        self._realm = f"/realms/{settings.realm}"
        self._service_token = ""
        self._service_token_until = 0.0
        self._renewing = asyncio.Lock()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.http.aclose()
        if self._management is not None:
            await self._management.http.aclose()

    async def check(self) -> None:
        """Returns when the realm answers and, as far as the management port can be asked, its database is there.

        The realm alone tells nothing of the database: Keycloak answers from its cache.

        Raises:
            SignInUnavailable: not well. Refused: no such realm, or no such port.
        """
        asked = [self._transport.send("GET", self._realm)]
        if self._management is not None:
            asked.append(self._management.send("GET", "/health/ready"))
        await asyncio.gather(*asked)

    # ---- tokens --------------------------------------------------------------------------------------------------

    async def grant_by_password(self, email: str, password: str) -> Grant:
        """A new session. Refused 400 invalid_grant: the credentials, a locked or a disabled account."""
        return await self._grant(grant_type="password", username=email, password=password, scope="openid")

    async def grant_by_code(self, code: str, verifier: str, redirect_uri: str) -> Grant:
        """The session of a browser's sign-in. Refused 400 invalid_grant: the code was used or is too old."""
        return await self._grant(
            grant_type="authorization_code", code=code, code_verifier=verifier, redirect_uri=redirect_uri
        )

    async def refresh(self, refresh_token: str) -> Grant:
        """New tokens of the same session; the refresh token is used up. Refused 400 invalid_grant."""
        return await self._grant(grant_type="refresh_token", refresh_token=refresh_token)

    async def _grant(self, **form: str) -> Grant:
        return Grant.read(await self._token(form))

    async def _token(self, form: Mapping[str, str]) -> dict[str, Any]:  # any JSON: an outside system's
        client = {"client_id": self.client_id, "client_secret": self._secret}
        try:
            answer = await self._transport.send("POST", f"{self._oidc}/token", form={**form, **client})
        except Refused as refused:
            if refused.status == 400:
                raise
            log.error("signing in is set up wrongly; check the realm, the client and its secret: %s", refused)
            raise SignInUnavailable from None
        document: dict[str, Any] = answer.json()
        return document

    # ---- accounts ------------------------------------------------------------------------------------------------

    async def create_user(
        self,
        *,
        email: str,
        password: str,
        first_name: str,
        last_name: str,
        organization_id: UUID,
        email_verified: bool = False,
    ) -> UUID:
        """A new account, its address unproven unless told so.

        Refused 409: the address has one; 400: the password or address.
        """
        answer = await self._ask(
            "POST",
            "/users",
            json={
                "username": email,
                "email": email,
                "emailVerified": email_verified,
                "firstName": first_name,
                "lastName": last_name,
                "enabled": True,
                "attributes": {"org_id": [str(organization_id)]},
                "credentials": [{"type": "password", "value": password, "temporary": False}],
            },
        )
        return UUID(answer.headers["Location"].rpartition("/")[2])

    async def user(self, user_id: UUID) -> User | None:
        """The account of this id."""
        answer = await self._find(f"/users/{user_id}")
        return User.read(answer.json()) if answer else None

    async def user_by_email(self, email: str) -> User | None:
        """The account with this address, whatever its case."""
        answer = await self._ask("GET", "/users", params={"email": email, "exact": "true"})
        found: Sequence[dict[str, Any]] = answer.json()
        return User.read(found[0]) if found else None

    async def update_user(self, user: User, **changes: Any) -> None:  # Any: fields of Keycloak's document
        """Change fields of an account, such as firstName="…". Refused 400: the user profile does not allow it."""
        await self._ask("PUT", f"/users/{user.id}", json={**user.whole, **changes})

    async def set_organization(self, user: User, organization_id: UUID) -> None:
        """Put the default organization into the account's further tokens."""
        attributes = {**user.whole.get("attributes", {}), "org_id": [str(organization_id)]}
        await self.update_user(user, attributes=attributes)

    async def delete_user(self, user_id: UUID) -> None:
        """Delete an account with its sessions; one that is gone already is fine."""
        await self._find(f"/users/{user_id}", method="DELETE")

    async def set_password(self, user_id: UUID, password: str) -> None:
        """Give an account a new password; its sessions go on. Refused 400: the password policy."""
        credential = {"type": "password", "value": password, "temporary": False}
        await self._ask("PUT", f"/users/{user_id}/reset-password", json=credential)

    async def password_since(self, user_id: UUID) -> datetime | None:
        """When the account's password was set; None when it has none."""
        answer = await self._find(f"/users/{user_id}/credentials")
        found = answer.json() if answer else []
        return next((instant(each["createdDate"]) for each in found if each["type"] == "password"), None)

    async def mail_verification(self, user_id: UUID, *, redirect_uri: str, client_id: str, lifespan_s: int) -> None:
        """Mail a link that proves the account's address."""
        params = {"client_id": client_id, "redirect_uri": redirect_uri, "lifespan": str(lifespan_s)}
        await self._ask("PUT", f"/users/{user_id}/send-verify-email", params=params)

    async def mail_reset(self, user_id: UUID, *, redirect_uri: str, client_id: str, lifespan_s: int) -> None:
        """Mail a link to choose a new password, which works once."""
        params = {"client_id": client_id, "redirect_uri": redirect_uri, "lifespan": str(lifespan_s)}
        await self._ask("PUT", f"/users/{user_id}/execute-actions-email", params=params, json=["UPDATE_PASSWORD"])

    # ---- sessions and identities ---------------------------------------------------------------------------------

    async def sessions(self, user_id: UUID) -> list[Session]:
        """The account's living sessions."""
        answer = await self._find(f"/users/{user_id}/sessions")
        return [Session.read(each) for each in answer.json()] if answer else []

    async def end_session(self, session_id: str) -> None:
        """End one session; one that has ended already is fine."""
        await self._find(f"/sessions/{quote(session_id, safe='')}", method="DELETE")

    async def identities(self, user_id: UUID) -> list[Identity]:
        """The outside accounts that sign in to this one."""
        answer = await self._find(f"/users/{user_id}/federated-identity")
        found = answer.json() if answer else []
        return [Identity(each["identityProvider"], each["userId"], each["userName"]) for each in found]

    async def unlink(self, user_id: UUID, provider: str) -> None:
        """Take an outside account away; one that is not there is fine."""
        await self._find(f"/users/{user_id}/federated-identity/{provider}", method="DELETE")

    async def link(self, user_id: UUID, identity: Identity) -> None:
        """Put an outside account back."""
        document = {
            "identityProvider": identity.provider,
            "userId": identity.user_id,
            "userName": identity.username,
        }
        await self._ask("POST", f"/users/{user_id}/federated-identity/{identity.provider}", json=document)

    # ---- the service account -------------------------------------------------------------------------------------

    async def _find(self, path: str, *, method: str = "GET") -> httpx.Response | None:
        try:
            return await self._ask(method, path)
        except Refused as refused:
            if refused.status != 404:
                raise
            return None

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,  # any JSON
        params: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        token = await self._service()
        try:
            return await self._transport.send(method, self._admin + path, json=json, params=params, token=token)
        except Refused as refused:
            if refused.status != 401:
                raise
        # The token died early: Keycloak was restarted with new keys, or its sessions were ended.
        self._service_token_until = 0
        token = await self._service()
        return await self._transport.send(method, self._admin + path, json=json, params=params, token=token)

    async def _service(self) -> str:
        if time.monotonic() < self._service_token_until:
            return self._service_token
        async with self._renewing:
            if time.monotonic() >= self._service_token_until:
                asked = time.monotonic()
                answer = await self._token({"grant_type": "client_credentials"})
                self._service_token = answer["access_token"]
                self._service_token_until = asked + float(answer["expires_in"]) - _MARGIN_S
        return self._service_token
