"""Kijko's own processes in a stack of their own: how they are missed when they end, and what they write."""

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.local.running import Up, up

PARTS = "postgres,redis,api,worker,scheduler"
OURS = ("api", "worker", "scheduler")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def serving(home: Path) -> Iterator[Up]:
    """Everything that serves, without a sign-in server or Stripe: health says that they are away."""
    nobody = f"http://127.0.0.1:{free_port()}"
    outside = {
        "KIJKO_KEYCLOAK_URL": nobody,
        "KIJKO_KEYCLOAK_CLIENT_SECRET": "dev-only-secret",
        "KIJKO_STRIPE_API_BASE": nobody,
        "KIJKO_STRIPE_SECRET_KEY": "sk_test_devonly",
    }
    with up(home, PARTS, KIJKO_PORT=str(free_port()), **outside) as running:
        running.wait_for("Ready")
        yield running


def until_workers_are(serving: Up, condition: str, within_s: float) -> str:
    """What health says of the workers, once it says so."""
    url, deadline = serving.status()["KIJKO_API_URL"], time.monotonic() + within_s
    while True:
        check = httpx.get(f"{url}/health", timeout=5).json()["checks"]["workers"]
        if check["status"] == condition:
            return str(check.get("error", ""))
        assert time.monotonic() < deadline, check
        time.sleep(0.1)


def test_health_misses_a_worker_that_stops_at_once_and_one_that_hangs_within_seconds(serving: Up):
    until_workers_are(serving, "healthy", 3)
    (worker,) = serving.pids("worker").values()
    os.kill(worker, signal.SIGSTOP)
    assert "No worker" in until_workers_are(serving, "degraded", 8)
    os.kill(worker, signal.SIGCONT)
    until_workers_are(serving, "healthy", 5)
    os.kill(worker, signal.SIGTERM)
    until_workers_are(serving, "degraded", 2.5)
    until_workers_are(serving, "healthy", 30)


def test_every_line_of_their_logs_is_json_from_their_start_to_their_stop_and_death(serving: Up):
    for pid in serving.pids("worker", "scheduler").values():
        os.kill(pid, signal.SIGTERM)
    serving.wait_for("Worker is back")
    serving.wait_for("Scheduler is back")
    assert serving.stop() == 0
    for name in OURS:
        lines = [json.loads(line) for line in (serving.home / "logs" / f"{name}.log").read_text().splitlines()]
        assert all({"time", "level", "event"} <= line.keys() for line in lines)
        if name != "api":
            said = [line["event"] for line in lines]
            assert said.count(f"{name}.ready") == said.count(f"{name}.stopped") == 2
