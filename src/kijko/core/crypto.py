"""Secrets that must be read again are kept encrypted (Fernet: AES-128-CBC with an HMAC)."""

import hmac

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from kijko.settings import Auth, required


class Unreadable(ValueError):
    """What was kept cannot be decrypted: it was changed, or its key is no longer in KIJKO_AUTH_ENCRYPTION_KEY."""


class Box:
    """Encrypts with the first key and decrypts with any, so that a key is changed by putting a new one in front."""

    def __init__(self, keys: str) -> None:
        """`keys`: Fernet keys (32 bytes, url-safe base64), separated by commas.

        Raises:
            ValueError: one of them is not a Fernet key.
        """
        self._keys = tuple(key.strip().encode() for key in keys.split(",") if key.strip())
        try:
            self._fernet = MultiFernet([Fernet(key) for key in self._keys])
        except ValueError:
            raise ValueError(
                "KIJKO_AUTH_ENCRYPTION_KEY must hold Fernet keys (32 bytes, url-safe base64), separated by commas."
            ) from None

    @classmethod
    def of(cls, settings: Auth) -> "Box":
        """The box of this process's settings. Raises MissingSetting or ValueError."""
        return cls(required(settings.encryption_key, "KIJKO_AUTH_ENCRYPTION_KEY"))

    def seal(self, plain: bytes) -> bytes:
        """The encrypted form, in ASCII."""
        return self._fernet.encrypt(plain)

    def derived(self, purpose: bytes) -> tuple[bytes, ...]:
        """Secrets of 32 bytes for a purpose, one of each key, the newest first. They need not be kept anywhere."""
        return tuple(hmac.digest(key, b"kijko:" + purpose, "sha256") for key in self._keys)

    def open(self, sealed: bytes, *, max_age_s: int | None = None) -> bytes:
        """What was sealed.

        Raises:
            Unreadable: changed, of an unknown key, or sealed more than `max_age_s` seconds ago.
        """
        try:
            return self._fernet.decrypt(sealed, ttl=max_age_s)
        except InvalidToken:
            raise Unreadable(" ".join((Unreadable.__doc__ or "").split())) from None
