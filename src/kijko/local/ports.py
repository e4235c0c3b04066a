"""Free ports on loopback, chosen once and kept."""

import random
import socket

HOST = "127.0.0.1"
# Below the range that kernels hand out to outgoing connections, so that a kept port is rarely taken between two starts.
_RANGE = range(20_000, 32_000)


def is_free(port: int) -> bool:
    """Whether a server may listen on this port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # old connections do not count
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def choose(taken: set[int]) -> int:
    """A free port that is not among `taken`."""
    while True:
        port = random.choice(_RANGE)  # noqa: S311  # no secret
        if port not in taken and is_free(port):
            return port


def answers(port: int, timeout_s: float = 0.5) -> bool:
    """Whether something accepts connections on this port."""
    try:
        with socket.create_connection((HOST, port), timeout=timeout_s):
            return True
    except OSError:
        return False
