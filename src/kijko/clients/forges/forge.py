"""What a forge can be asked, and what it answers."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Protocol

from kijko.clients.git import Credential
from kijko.core.errors import Unavailable


class ForgeUnavailable(Unavailable):
    """The git provider does not answer at the moment. Please try again in a little while."""


class ForgeRefused(Exception):
    """The forge said no: a code or token that is not, or no longer, good, or a repository that is not there."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What an account's connection consists of."""

    access: str = field(repr=False)
    refresh: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    scope: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """Whose connection it is."""

    username: str
    avatar_url: str | None


@dataclass(frozen=True, slots=True)
class Listed:
    """A repository that an account may read."""

    id: str
    name: str
    full_name: str
    url: str
    is_private: bool
    last_updated: datetime
    is_archived: bool


@dataclass(frozen=True, slots=True)
class Info:
    """A repository as the forge tells of it. `lines` is an estimate; a count that is not told is 0."""

    name: str
    full_name: str
    url: str
    default_branch: str
    commits_per_month: int
    files: int
    lines: int
    language: str
    last_updated: datetime
    is_private: bool
    stars: int | None
    description: str | None


class Forge(Protocol):
    """One forge. Every call may raise ForgeUnavailable, and ForgeRefused where it needs something to be good."""

    title: ClassVar[str]

    @property
    def is_set_up(self) -> bool:
        """Whether people can connect accounts: an OAuth app is there."""

    def authorize_url(self, state: str, challenge: str) -> str:
        """Where a person says yes; `challenge` is PKCE's, by S256."""

    def credential(self, token: str) -> Credential:
        """The token as git shows it."""

    async def exchange(self, code: str, verifier: str) -> Tokens:
        """The tokens that a code is worth."""

    async def refresh(self, token: str) -> Tokens:
        """The next tokens for a refresh token, which then has had its day."""

    async def revoke(self, token: str) -> None:
        """End an access token."""

    async def account(self, token: str) -> Account:
        """Whose token it is."""

    async def repositories(self, token: str, limit: int) -> list[Listed]:
        """What the account may read, last changed first, at most `limit`."""

    async def info(self, full_name: str, token: str | None) -> Info:
        """What is known of a repository."""

    async def close(self) -> None:
        """Close its connections."""
