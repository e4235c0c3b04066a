"""Where a request comes from. X-Forwarded-For is anybody's word: it counts as far as trusted proxies wrote it."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from starlette.types import Scope

Address = IPv4Address | IPv6Address
Networks = tuple[IPv4Network | IPv6Network, ...]


def networks(cidrs: Iterable[str]) -> Networks:
    """The networks of a setting such as ("10.0.0.0/8", "::1/128"). Raises ValueError for what is none."""
    return tuple(ip_network(cidr.strip(), strict=False) for cidr in cidrs)


def client_address(scope: Scope, trusted: Networks) -> str:
    """The client's address: the peer's, or what the nearest trusted proxies say of where they got it from.

    Read from the right: each proxy appends the address it was called from, so the first one that is not trusted is the
    client as far as anyone reliable knows. An empty text when there is no peer (a test without a socket).
    """
    peer = scope.get("client")
    current = _parse(peer[0]) if peer else None
    if current is None:
        return ""
    hops = _forwarded(scope) if trusted else []
    while hops and _is_trusted(current, trusted):
        said = _parse(hops.pop())
        if said is None:
            break
        current = said
    return str(current)


def bucket(address: str) -> str:
    """What a limit counts for an address: itself, or for IPv6 its /64, since one host holds all of that."""
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((parsed, 64), strict=False))
    return address


def counted_address(scope: Scope, trusted: Networks) -> str:
    """What a limit counts for where a request comes from."""
    return bucket(client_address(scope, trusted))


def _forwarded(scope: Scope) -> list[str]:
    lines = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return [hop.strip() for line in lines for hop in line.split(",")]


def _is_trusted(address: Address, trusted: Networks) -> bool:
    return any(address in network for network in trusted)


def _parse(text: str) -> Address | None:
    bare = text[1 : text.find("]")] if text.startswith("[") else text
    if bare.count(":") == 1:  # an IPv4 address with a port
        bare = bare.split(":")[0]
    try:
        parsed = ip_address(bare)
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed
