"""Which addresses this server calls on somebody's word: public ones, over https, by names written in one plain way.

An address is read here (`target`) and resolved once (`resolve`); every answer must be public, and the connection then
goes to an address that was checked, so that a name which answers differently a moment later leads nowhere else.
`host:port` pairs on an allow list may be anything, over http too: for development, tests, and a git server inside.
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Resolver = Callable[[str, int], Awaitable[list[str]]]
"""A name and a port → the addresses it has now, as texts. Raises OSError."""

_LONGEST: Final = 2000
_RESOLVE_S: Final = 5.0
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.ASCII)
_ENDS_IN_A_NUMBER: Final = re.compile(r"(?:\d+|0x[0-9a-f]*)", re.ASCII)
_UNSAFE: Final = re.compile(r"[\x00-\x20\x7f-\U0010ffff\\\"<>^`{|}]|%(?:[01][0-9a-fA-F]|7[fF]|5[cC])")
_SCHEMES: Final = {"https": 443, "http": 80}
_NOT_PUBLIC: Final = tuple(
    IPv4Network(each)
    for each in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's metadata at a public-looking address
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
    )
)
_UNICAST: Final = IPv6Network("2000::/3")
# Inside it: protocol assignments with Teredo, documentation, and 6to4, which carries an IPv4 address.
_NOT_PUBLIC_6: Final = tuple(IPv6Network(each) for each in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"))


_PRIVATE: Final = "The address leads into a private network, which is never called."


class AddressRefused(ValueError):
    """An address that is not called on somebody's word. The text says why, for the person who gave it."""


class Unresolvable(OSError):
    """A host's name has no address at the moment. The text says so, for the person who gave it."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads, in one spelling."""

    scheme: str
    host: str
    """A name in small letters without its last dot, or an IP address; IPv6 without brackets."""
    port: int
    path: str
    """With its query; begins with a slash, or is empty."""

    @property
    def pair(self) -> str:
        """`host:port`, as in the allow list and in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL, its port left out where it is the scheme's own."""
        usual = _SCHEMES[self.scheme] == self.port
        return f"{self.scheme}://{self.pair.rpartition(':')[0] if usual else self.pair}{self.path}"


def target(url: str, *, allowed: frozenset[str] = frozenset()) -> Target:
    """Read a URL strictly: what two programs might read differently is refused, not mended.

    Raises:
        AddressRefused: no https, a user's name in it, a host in an unusual spelling, or what is no URL at all.
    """
    if len(url) > _LONGEST or _UNSAFE.search(url):
        raise AddressRefused("The address has characters that do not belong in one, or is too long.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise AddressRefused("The address is no valid URL.") from None
    if parts.scheme not in _SCHEMES or not parts.netloc:
        raise AddressRefused("The address has to begin with https://.")
    if "@" in parts.netloc:
        raise AddressRefused("The address may hold no user name or password. Connect an account instead.")
    if port == 0 or parts.netloc.endswith(":"):
        raise AddressRefused("The address's port is no number from 1 to 65535.")
    if "#" in url:
        raise AddressRefused("The address may have no part after a #.")
    host = _host(parts.netloc)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    found = Target(parts.scheme, host, port or _SCHEMES[parts.scheme], path)
    if found.scheme != "https" and found.pair not in allowed:
        raise AddressRefused("The address has to begin with https://.")
    return found


def check_literal(to: Target, *, allowed: frozenset[str] = frozenset()) -> None:
    """Nothing, where the host is a name, which is looked up when it is called, or a public address, or an allowed one.

    Raises:
        AddressRefused: it is an address that is never called.
    """
    literal = _literal(to.host)
    if literal is not None and to.pair not in allowed and not is_public(literal):
        raise AddressRefused(_PRIVATE)


async def resolve(
    host: str, port: int, *, allowed: frozenset[str] = frozenset(), resolver: Resolver | None = None
) -> list[Address]:
    """The addresses to connect to, each of them checked; at least one.

    Args:
        host: as `Target.host` has it.
        allowed: `host:port` pairs that may be anything.
        resolver: what asks for a name's addresses; default the system's.

    Raises:
        AddressRefused: one of them is not public. Unresolvable: there is none.
    """
    literal = _literal(host)
    answers = [literal] if literal is not None else await _ask(host, port, resolver or _system)
    pair = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if pair not in allowed and not all(is_public(each) for each in answers):
        raise AddressRefused(_PRIVATE)
    return answers


def is_public(address: Address) -> bool:
    """Whether an address is an ordinary one of the public internet; IPv4 in an IPv6 coat is not."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC)
    plain = address.scope_id is None
    return plain and address in _UNICAST and not any(address in network for network in _NOT_PUBLIC_6)


def _host(netloc: str) -> str:
    """The host of the part between `//` and the path, which holds no user name.

    Raises:
        AddressRefused: it is neither a plain name nor an address in its usual spelling.
    """
    if netloc.startswith("["):
        inside, _, rest = netloc[1:].partition("]")
        found = _literal(inside)
        if isinstance(found, IPv6Address) and found.scope_id is None and (not rest or rest.startswith(":")):
            return str(found)
        raise AddressRefused("The address's host is no valid IPv6 address.")
    host = netloc.partition(":")[0].lower().removesuffix(".")
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressRefused("The address's host is no valid name.")
    if _ENDS_IN_A_NUMBER.fullmatch(labels[-1]) and _literal(host) is None:
        raise AddressRefused("The address's host is a number in an unusual spelling.")
    return host


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


async def _ask(host: str, port: int, resolver: Resolver) -> list[Address]:
    try:
        async with asyncio.timeout(_RESOLVE_S):
            texts = await resolver(host, port)
        answers = [ip_address(text) for text in texts]
    except (OSError, ValueError):
        answers = []
    if not answers:
        raise Unresolvable(f"No host is called {host}.")
    return answers


async def _system(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
