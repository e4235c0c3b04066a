"""Asking a server on loopback whether it is ready."""

import http.client

from kijko.local.ports import HOST


def http_ok(port: int, path: str, timeout_s: float = 1) -> bool:
    """Whether GET of this path answers 200."""
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
