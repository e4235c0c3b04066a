"""Accounts at git providers on the wire."""

from typing import Annotated

from pydantic import ConfigDict, StringConstraints

from kijko.models.base import Request, Text, Timestamp, Uri, Wire
from kijko.models.enums import GitProvider


class OAuthConnection(Wire):
    """A git provider, and the account there that the caller has connected."""

    provider: GitProvider
    connected: bool
    username: str | None = None
    avatar_url: Uri | None = None
    connected_at: Timestamp | None = None
    scope: list[str] | None = None


class ConnectResponse(Wire):
    """Where to send the browser."""

    auth_url: Uri


class ConnectCallbackRequest(Request):
    """What the provider sent the browser back with."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"provider": "github", "code": "3a2b", "state": "K1fE5Xb0"}]}
    )

    provider: GitProvider
    code: Annotated[Text, StringConstraints(min_length=1, max_length=2000)]
    state: Annotated[Text, StringConstraints(min_length=1, max_length=200)]


class BatchRepository(Wire):
    """A repository that the connected account may read."""

    id: str
    name: str
    full_name: str
    url: Uri
    is_private: bool
    last_updated: Timestamp
    is_archived: bool


class BatchRepositories(Wire):
    """Repositories of the connected account, last changed first."""

    repositories: list[BatchRepository]
    total: int
