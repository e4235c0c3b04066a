"""Whose address counts: the peer's, or what trusted proxies say, and nobody else's word."""

import pytest

from kijko.middleware.address import bucket, client_address, networks

TRUSTED = networks(("10.0.0.0/8", "fd00::/8"))


def asked(peer: str | None, *forwarded: str, trusted: tuple[str, ...] = ("10.0.0.0/8", "fd00::/8")) -> str:
    headers = [(b"x-forwarded-for", line.encode()) for line in forwarded]
    client = None if peer is None else (peer, 1)
    return client_address({"type": "http", "client": client, "headers": headers}, networks(trusted))


def test_a_stranger_cannot_name_an_address() -> None:
    assert asked("203.0.113.9", "1.2.3.4") == "203.0.113.9"
    assert asked("10.0.0.1", "1.2.3.4", trusted=()) == "10.0.0.1"


def test_a_trusted_proxy_can() -> None:
    assert asked("10.0.0.1", "1.2.3.4") == "1.2.3.4"


def test_what_stands_left_of_the_first_untrusted_hop_is_anybodys_invention() -> None:
    assert asked("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2") == "1.2.3.4"
    assert asked("10.0.0.1", "6.6.6.6", "1.2.3.4", "10.0.0.2") == "1.2.3.4"


def test_when_all_are_proxies_the_farthest_counts() -> None:
    assert asked("10.0.0.1", "10.0.0.3, 10.0.0.2") == "10.0.0.3"


@pytest.mark.parametrize("line", ["", "nonsense", "1.2.3.4, nonsense", "unknown", "<script>", ","])
def test_what_is_no_address_ends_the_walk(line: str) -> None:
    assert asked("10.0.0.1", line) == "10.0.0.1"


def test_ports_brackets_and_mapped_addresses_are_understood() -> None:
    assert asked("10.0.0.1", "1.2.3.4:5678") == "1.2.3.4"
    assert asked("10.0.0.1", "[2001:db8::1]:5678") == "2001:db8::1"
    assert asked("::ffff:10.0.0.1", "1.2.3.4") == "1.2.3.4"


def test_a_request_without_a_peer_has_no_address() -> None:
    assert asked(None, "1.2.3.4") == ""


def test_an_ipv6_host_counts_by_its_network() -> None:
    assert bucket("2001:db8:1:2:3:4:5:6") == bucket("2001:db8:1:2::1") == "2001:db8:1:2::/64"
    assert bucket("2001:db8:1:3::1") != bucket("2001:db8:1:2::1")
    assert bucket("1.2.3.4") == "1.2.3.4"
