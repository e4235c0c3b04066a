"""Secrets that lie in the database for long: each under a key of its own, and that one under a master key.

Both are AES-256-GCM, and both are bound to a text of the caller's (whose secret it is): put into another's row it does
not open. To change the master only the small keys are sealed anew; the secrets themselves are not touched.
"""

import hmac
import secrets
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field, replace
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kijko.core.crypto import Unreadable
from kijko.settings import Keys, required

_NONCE: Final = 12
_KEY_BITS: Final = 256
_ID_BYTES: Final = 8


class UnknownMaster(Unreadable):
    """The master key that this lies under is not in KIJKO_KEYS_MASTER."""


class Tampered(Unreadable):
    """This was changed, or was kept for another organization or provider."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret as it is kept. `wrapped` is its own key under the master of that id."""

    master_id: str
    wrapped: bytes = field(repr=False)
    content: bytes = field(repr=False)


class Masters:
    """Seals under the first key, opens under any: so old and new ones work side by side."""

    def __init__(self, keys: str) -> None:
        """`keys`: of 32 bytes each, in url-safe base64, separated by commas."""
        given = [urlsafe_b64decode(key.strip()) for key in keys.split(",") if key.strip()]
        self._ciphers = {_id_of(key): AESGCM(key) for key in given}
        self.current: Final = _id_of(given[0])
        """The id of the master that what is sealed now lies under."""

    @classmethod
    def of(cls, settings: Keys) -> "Masters":
        """Those of this process's settings. Raises MissingSetting."""
        return cls(required(settings.master, "KIJKO_KEYS_MASTER"))

    @property
    def ids(self) -> frozenset[str]:
        """Of every master that is there."""
        return frozenset(self._ciphers)

    def seal(self, plain: bytes, bound: bytes) -> Sealed:
        """A secret under a new key, which lies under the current master."""
        key = AESGCM.generate_key(_KEY_BITS)
        return Sealed(self.current, self._wrap(key, bound), _encrypt(AESGCM(key), plain, bound))

    def open(self, sealed: Sealed, bound: bytes) -> bytes:
        """The secret. Raises UnknownMaster or Tampered."""
        return _decrypt(AESGCM(self._unwrap(sealed, bound)), sealed.content, bound)

    def rewrap(self, sealed: Sealed, bound: bytes) -> Sealed:
        """The same under the current master. Raises UnknownMaster or Tampered."""
        return replace(sealed, master_id=self.current, wrapped=self._wrap(self._unwrap(sealed, bound), bound))

    def _wrap(self, key: bytes, bound: bytes) -> bytes:
        return _encrypt(self._ciphers[self.current], key, _as_key(bound))

    def _unwrap(self, sealed: Sealed, bound: bytes) -> bytes:
        cipher = self._ciphers.get(sealed.master_id)
        if cipher is None:
            raise UnknownMaster(f"The master key {sealed.master_id} that this lies under is not in KIJKO_KEYS_MASTER.")
        return _decrypt(cipher, sealed.wrapped, _as_key(bound))


def _as_key(bound: bytes) -> bytes:
    """A wrapped key is never taken for a secret, nor a secret for a key."""
    return b"key:" + bound


def _encrypt(cipher: AESGCM, plain: bytes, bound: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE)
    return nonce + cipher.encrypt(nonce, plain, bound)


def _decrypt(cipher: AESGCM, sealed: bytes, bound: bytes) -> bytes:
    try:
        return cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], bound)
    except (InvalidTag, ValueError):
        raise Tampered("This was changed, or was kept for another organization or provider.") from None


def _id_of(key: bytes) -> str:
    """A name for a key, from which nobody comes back to it."""
    return hmac.digest(key, b"kijko:master-id", "sha256")[:_ID_BYTES].hex()
