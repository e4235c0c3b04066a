"""API processes of a test's own, beside the running stack's, with other settings."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Shared

_READY_S = 60


@dataclass(frozen=True)
class Served:
    """A running API."""

    url: str
    log: Path
    process: subprocess.Popen[bytes]

    def lines(self, **wanted: Any) -> list[dict[str, Any]]:
        """Its log's lines whose fields are these, waiting a moment for the first."""
        deadline = time.monotonic() + 5
        while True:
            found = [
                line for line in map(json.loads, self.log.read_text().splitlines()) if wanted.items() <= line.items()
            ]
            if found or time.monotonic() > deadline:
                return found
            time.sleep(0.05)


@pytest.fixture
def serve(stack_env: dict[str, str], shared: Shared, tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """`serve(KIJKO_REDIS_URL=…)`: an API of its own on the stack's parts; it trusts the tests' token issuer."""
    started: list[subprocess.Popen[bytes]] = []

    def start(**changed: str) -> Served:
        port = _free_port()
        clean = {name: value for name, value in os.environ.items() if not name.startswith("KIJKO_")}
        trusted = [{"issuer": shared.issuer.url, "jwks_url": shared.issuer.url + "/jwks"}]
        env = clean | stack_env | {"KIJKO_AUTH_TRUSTED_ISSUERS": json.dumps(trusted)} | changed
        log = tmp_path / f"api-{port}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "uvicorn", "--factory", "kijko.main:app_factory", "--loop=uvloop",
                 "--no-access-log", "--no-proxy-headers", "--no-server-header", f"--port={port}"],
                env=env, stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip
        started.append(process)
        served = Served(f"http://127.0.0.1:{port}", log, process)
        _wait(served)
        return served

    yield start
    for process in started:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait(served: Served) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline and served.process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            httpx.get(served.url + "/health/live", timeout=2)
            return
        time.sleep(0.1)
    pytest.fail("the API did not start:\n" + served.log.read_text()[-3000:])


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


async def get(url: str) -> httpx.Response:
    """One request by nobody in particular."""
    async with httpx.AsyncClient() as http:
        return await http.get(url)


@pytest.fixture
def nobody_listens() -> int:
    """A port at which nothing answers."""
    return _free_port()
