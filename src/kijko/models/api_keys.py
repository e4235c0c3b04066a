"""API keys on the wire."""

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, ConfigDict, Field, StringConstraints

from kijko.models.base import Request, Timestamp, Wire, composed, readable
from kijko.models.enums import ApiKeyScope

_EXAMPLE = "kjk_" + "x" * 57
_MOST_GRACE_S = 2_592_000

KeyName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    BeforeValidator(composed),
    AfterValidator(readable),
]


class CreateApiKeyRequest(Request):
    """A new key. Without `scopes` it reads everything and runs skills; without `expiresAt` it has no end."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"name": "Nightly report", "scopes": ["skills:read", "executions:run"]},
                {"name": "Anything goes"},
            ]
        }
    )

    name: KeyName
    scopes: Annotated[list[ApiKeyScope], Field(min_length=1, max_length=50)] | None = None
    expires_at: AwareDatetime | None = None
    """At most five years ahead."""


class RotateApiKeyRequest(Request):
    """For how many more seconds the old key works: up to 30 days."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"graceSeconds": 3600}]})

    grace_seconds: Annotated[int, Field(ge=0, le=_MOST_GRACE_S, strict=True)] = 0


class ApiKey(Wire):
    """A key, without its secret. `prefix` is how it begins; `userId` is whom it acts as."""

    id: UUID
    user_id: UUID
    name: str
    prefix: str
    scopes: list[ApiKeyScope]
    created_at: Timestamp
    last_used_at: Timestamp | None
    """To the minute."""
    expires_at: Timestamp | None
    rotated_at: Timestamp | None
    """Since when another one stands in its place."""


class ApiKeyWithSecret(ApiKey):
    """A new key with its secret, which is shown this once."""

    key: Annotated[str, Field(examples=[_EXAMPLE])]
