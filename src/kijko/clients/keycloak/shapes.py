"""What Keycloak answers, as far as Kijko reads it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

Json = Mapping[str, Any]  # any JSON: an outside system's


def instant(milliseconds: float) -> datetime:
    """A time as Keycloak writes it: milliseconds since the epoch."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


@dataclass(frozen=True, slots=True)
class Grant:
    """The tokens of a session. Lifetimes are seconds from now."""

    access_token: str
    refresh_token: str
    token_type: str
    expires_in: int
    refresh_expires_in: int
    id_token: str | None = None

    @classmethod
    def read(cls, answer: Json) -> Self:
        """From the token endpoint's answer."""
        return cls(
            access_token=answer["access_token"],
            refresh_token=answer["refresh_token"],
            token_type=answer["token_type"],
            expires_in=int(answer["expires_in"]),
            refresh_expires_in=int(answer["refresh_expires_in"]),
            id_token=answer.get("id_token"),
        )


@dataclass(frozen=True, slots=True)
class User:
    """An account. `whole` is Keycloak's own document, since an update must send all of it."""

    id: UUID
    email: str
    email_verified: bool
    enabled: bool
    organization_id: str | None
    whole: Json

    @classmethod
    def read(cls, answer: Json) -> Self:
        """From the admin API's answer."""
        organization = answer.get("attributes", {}).get("org_id") or [None]
        return cls(
            id=UUID(answer["id"]),
            email=answer.get("email", ""),
            email_verified=bool(answer.get("emailVerified", False)),
            enabled=bool(answer.get("enabled", False)),
            organization_id=organization[0],
            whole=answer,
        )


@dataclass(frozen=True, slots=True)
class Session:
    """A session of an account. `ip_address` is that of whoever asked Keycloak: often this API.

    One that is not `in_use` has no tokens any more: Keycloak took them back, as a refresh token had come twice.
    """

    id: str
    ip_address: str
    started_at: datetime
    last_access_at: datetime
    in_use: bool

    @classmethod
    def read(cls, answer: Json) -> Self:
        """From the admin API's answer."""
        return cls(
            id=answer["id"],
            ip_address=answer.get("ipAddress", ""),
            started_at=instant(answer["start"]),
            last_access_at=instant(answer["lastAccess"]),
            in_use=bool(answer.get("clients")),
        )


@dataclass(frozen=True, slots=True)
class Identity:
    """An outside account (Google, GitHub) that signs in to this one."""

    provider: str
    user_id: str
    username: str
