"""What a setting's text may be. A refusal completes the sentence "it has to be …"."""

import re
from base64 import urlsafe_b64decode
from email.utils import parseaddr
from ipaddress import ip_network
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, SecretStr

_KEY_BYTES: Final = 32
_ADDRESS: Final = re.compile(r"[^@\s<>]+@[^@\s<>]+")


def _parts(text: str) -> SplitResult | None:
    """An address in its parts; None where it cannot be taken apart, its port for instance is none."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return None
    return None if any(character.isspace() for character in text) else parts


def _url(text: str) -> str:
    parts = _parts(text)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("a web address, such as https://example.test or http://127.0.0.1:8000")
    return text.rstrip("/")


def _origin(text: str) -> str:
    parts = _parts(text)
    if (
        parts is None
        or parts.scheme not in {"http", "https"}
        or not parts.hostname
        or text != f"{parts.scheme}://{parts.netloc}"
    ):
        raise ValueError('a JSON list of origins without a path, such as ["https://app.example.test"]')
    return text


def _postgres(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    # libpq takes several hosts in one address, and `name=value` words as well.
    by_words = "://" not in text and "=" in text
    if not by_words and not text.startswith(("postgresql://", "postgres://")):
        raise ValueError("a Postgres address, such as postgresql://user:password@host:5432/database")
    return secret


def _redis(secret: SecretStr) -> SecretStr:
    parts = _parts(secret.get_secret_value())
    if parts is None or parts.scheme not in {"redis", "rediss"} or not parts.hostname:
        raise ValueError("a Redis address, such as redis://:password@host:6379/0, or rediss:// with TLS")
    return secret


def _storage(text: str) -> str:
    parts = _parts(text.replace(" ", "%20"))
    folder = parts is not None and parts.scheme == "file" and not parts.netloc and len(parts.path) > 1
    bucket = parts is not None and parts.scheme == "s3" and bool(parts.netloc)
    if not folder and not bucket:
        raise ValueError("file:///folder or s3://bucket/prefix")
    return text


def _network(text: str) -> str:
    try:
        ip_network(text.strip(), strict=False)
    except ValueError:
        raise ValueError('a JSON list of networks, such as ["10.0.0.0/8"]') from None
    return text


def _host_and_port(text: str) -> str:
    parts = _parts(f"//{text}")
    if parts is None or not parts.hostname or parts.port is None or parts.netloc != text or "@" in text:
        raise ValueError('a JSON list of host:port pairs, such as ["127.0.0.1:8080"]')
    return text


def _sender(text: str) -> str:
    name, address = parseaddr(text)
    shown = (name + address).isprintable() and text.isprintable()
    if not shown or not _ADDRESS.fullmatch(address):
        raise ValueError("an e-mail address, such as no-reply@example.test or Kijko <no-reply@example.test>")
    return text


def _fernet(secret: SecretStr) -> SecretStr:
    keys = [key.strip() for key in secret.get_secret_value().split(",") if key.strip()]
    if not keys or not all(_is_key(key) for key in keys):
        raise ValueError("Fernet keys (32 bytes, url-safe base64), separated by commas")
    return secret


def _is_key(text: str) -> bool:
    try:
        return len(urlsafe_b64decode(text)) == _KEY_BYTES
    except ValueError:
        return False


Url = Annotated[str, AfterValidator(_url)]
"""An http(s) address; a slash at its end is taken away."""
Origin = Annotated[str, AfterValidator(_origin)]
PostgresUrl = Annotated[SecretStr, AfterValidator(_postgres)]
RedisUrl = Annotated[SecretStr, AfterValidator(_redis)]
StorageUrl = Annotated[str, AfterValidator(_storage)]
Network = Annotated[str, AfterValidator(_network)]
HostAndPort = Annotated[str, AfterValidator(_host_and_port)]
Sender = Annotated[str, AfterValidator(_sender)]
FernetKeys = Annotated[SecretStr, AfterValidator(_fernet)]
