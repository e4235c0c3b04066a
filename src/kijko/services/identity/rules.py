"""What an address, a name and a device may look like. Pure: no input, no output."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from kijko.core.errors import Invalid
from kijko.settings import Auth

# An ended session is remembered this much longer than its last access token lives (seconds): clocks differ.
_MARGIN_S: Final = 60
_LONGEST_EMAIL: Final = 255
_LONGEST_LOCAL: Final = 64
_LONGEST_NAME: Final = 255
_LONGEST_AGENT: Final = 400
_LONGEST_ORGANIZATION: Final = 100
_LABEL: Final = re.compile(r"[^\W_]([\w-]{0,61}[^\W_])?")
# What RFC 5322 calls dot-atom, with letters of any script.
_LOCAL: Final = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*")


@dataclass(frozen=True, slots=True)
class Device:
    """From where somebody signs in."""

    ip_address: str
    user_agent: str | None

    @classmethod
    def of(cls, ip_address: str, user_agent: str | None) -> "Device":
        """A device as it may be kept: what it says of itself is shortened and made printable."""
        said = "".join(each for each in user_agent or "" if each.isprintable())[:_LONGEST_AGENT]
        return cls(ip_address, said or None)


def folded(email: str) -> str:
    """An address as accounts are told apart by it: no surrounding blanks, lower case."""
    return email.strip().lower()


def email(text: str) -> str:
    """A new address, trimmed and in lower case.

    Raises:
        Invalid: it cannot be an address; with the reason.
    """
    address = folded(text)
    reason = _wrong_with(address)
    if reason:
        raise Invalid(f"This is not an e-mail address: {reason}. Write it like ada@example.org.", field="email")
    return address


def _wrong_with(address: str) -> str | None:
    local, at, domain = address.rpartition("@")
    labels = domain.split(".")
    faults = (
        (not at, "it has no @"),
        (len(address) > _LONGEST_EMAIL, f"it is longer than {_LONGEST_EMAIL} characters"),
        (not 1 <= len(local) <= _LONGEST_LOCAL, f"before the @ there must be 1 to {_LONGEST_LOCAL} characters"),
        (not _LOCAL.fullmatch(local), "before the @ is a character, or a dot, that cannot stand there"),
        ("=?" in local, "before the @ is =?, by which mail programs read another address"),
        (len(labels) < 2, "after the @ there must be a name with a dot"),
        (not all(map(_LABEL.fullmatch, labels)), "what follows the @ is not the name of a mail server"),
    )
    return next((reason for wrong, reason in faults if wrong), None)


def name(text: str, field: str) -> str:
    """A first or last name, trimmed.

    Raises:
        Invalid: it is empty, longer than 255 characters or holds control characters.
    """
    trimmed = unicodedata.normalize("NFC", text.strip())
    label = field.replace("_", " ")
    if not trimmed:
        raise Invalid(f"Enter a {label}.", field=field)
    if len(trimmed) > _LONGEST_NAME:
        raise Invalid(f"The {label} may have at most {_LONGEST_NAME} characters.", field=field)
    if not trimmed.isprintable():
        raise Invalid(f"The {label} holds a character that cannot be shown. Remove it.", field=field)
    return trimmed


def organization_name(first_name: str, address: str) -> str:
    """What a person's own organization is called until they rename it."""
    owner = first_name or address.partition("@")[0] or "My"
    suffix = "'s organization"
    return owner[: _LONGEST_ORGANIZATION - len(suffix)] + suffix


def remember_s(auth: Auth) -> int:
    """For how many seconds an ended session must be refused by name."""
    return auth.access_token_s + auth.leeway_s + _MARGIN_S
