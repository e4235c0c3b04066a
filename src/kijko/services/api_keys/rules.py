"""What a key looks like: `kjk_`, 8 characters to know it by, 43 that are secret, and 6 of a checksum.

All are of 0-9, A-Z, a-z. The checksum is the CRC-32 of what stands before it, as in GitHub's tokens: a scanner of code
knows a leaked key by itself, and a typing error is told without asking the database.
"""

import re
import secrets
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from kijko.core.errors import Invalid
from kijko.models.enums import ApiKeyScope
from kijko.services.api_keys.errors import MistypedKey

MARK: Final = "kjk_"
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_NAME: Final = 8
_SECRET: Final = 43
"""62 to the 43rd is more than 2 to the 256th."""
_CHECKSUM: Final = 6
_FORM: Final = re.compile(rf"{MARK}[0-9A-Za-z]{{{_NAME + _SECRET + _CHECKSUM}}}", re.ASCII)
_LONGEST_LIFE: Final = timedelta(days=5 * 366)

BY_DEFAULT: Final = (
    ApiKeyScope.ORGANIZATIONS_READ,
    ApiKeyScope.PROJECTS_READ,
    ApiKeyScope.SKILLS_READ,
    ApiKeyScope.EXECUTIONS_READ,
    ApiKeyScope.EXECUTIONS_RUN,
)
"""Of a key for which none are named: it reads, and runs skills; it changes nothing that somebody made."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A key in clear."""

    text: str = field(repr=False)

    @property
    def prefix(self) -> str:
        """What it is known by, in lists and logs."""
        return self.text[: len(MARK) + _NAME]

    @property
    def hash(self) -> bytes:
        """What is kept of it."""
        return sha256(self.text.encode()).digest()


def is_key(token: str) -> bool:
    """Whether a bearer token means to be an API key."""
    return token.startswith(MARK)


def make() -> Secret:
    """A new key."""
    text = MARK + "".join(secrets.choice(_DIGITS) for _ in range(_NAME + _SECRET))
    return Secret(text + _checksum(text))


def read(token: str) -> Secret:
    """The key that a bearer token is.

    Raises:
        MistypedKey: it has not the form of one, or its checksum is wrong.
    """
    if not _FORM.fullmatch(token) or _checksum(token[:-_CHECKSUM]) != token[-_CHECKSUM:]:
        raise MistypedKey
    return Secret(token)


def end_of(expires_at: datetime | None) -> datetime | None:
    """The end of a key's life, in UTC; None where it has none.

    Raises:
        Invalid: it is not ahead, or further ahead than five years.
    """
    if expires_at is None:
        return None
    now, end = datetime.now(UTC), expires_at if expires_at.tzinfo else expires_at.replace(tzinfo=UTC)
    if end <= now:
        raise Invalid("expiresAt has passed already. Name a time that is ahead, or none.", field="expiresAt")
    if end > now + _LONGEST_LIFE:
        raise Invalid("expiresAt may be five years ahead at the most. Leave it out for no end.", field="expiresAt")
    return end


def _checksum(text: str) -> str:
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(_CHECKSUM):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits
