"""The tokens in the links of mails. What is kept of one is its digest."""

from hashlib import sha256
from secrets import token_urlsafe


def fresh() -> str:
    """A new token, of 256 bits."""
    return token_urlsafe(32)


def digest(token: str) -> bytes:
    """What is kept of it, and found by it."""
    return sha256(token.encode("utf-8", "replace")).digest()
