"""Doctor tells a part that refuses us from one that is not in order: the one is mended here, the other there."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.local.running import kijko

from kijko.local.doctor import PART_OF


@contextmanager
def answering(status: int) -> Iterator[str]:
    """A server that answers everything with this status; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def findings(home: Path) -> Callable[[int], dict[str, str]]:
    """What doctor says of Keycloak and Stripe when both answer everything with a status."""

    def examined(status: int) -> dict[str, str]:
        with answering(status) as url:
            told = kijko(
                home,
                "doctor",
                KIJKO_KEYCLOAK_URL=url,
                KIJKO_KEYCLOAK_CLIENT_SECRET="dev-only-secret",
                KIJKO_STRIPE_API_BASE=url,
                KIJKO_STRIPE_SECRET_KEY="sk_test_devonly",
            ).stdout
        lines = (line[7:].split(": ", 1) for line in told.splitlines() if line.startswith("WRONG"))
        return dict(lines)

    return examined


@pytest.mark.parametrize("status", [500, 503])
def test_a_part_that_fails_is_not_said_to_refuse_us(findings: Callable[[int], dict[str, str]], status: int):
    found = findings(status)
    for name in ("Keycloak", "Keycloak's client", "Stripe"):
        assert f"It is not in order at the moment ({status})." in found[name]
        assert "try again" in found[name]
        assert "Correct" not in found[name]
    assert "log" in found["Keycloak's client"]


def test_a_refusal_names_the_setting_to_correct(findings: Callable[[int], dict[str, str]]):
    found = findings(401)
    assert "Correct KIJKO_KEYCLOAK_CLIENT_SECRET" in found["Keycloak's client"]
    assert "Correct KIJKO_STRIPE_SECRET_KEY" in found["Stripe"]


@pytest.mark.parametrize(
    ("command", "setting"),
    [
        (("migrate", "--status"), "KIJKO_DATABASE_URL"),
        (("plan", "a@b.test", "pro"), "KIJKO_DATABASE_URL"),
        (("seed",), "KIJKO_API_URL"),
        (("rotate-master",), "KIJKO_DATABASE_URL"),
    ],
    ids=lambda given: given[0] if isinstance(given, tuple) else given,
)
def test_a_command_says_first_that_nothing_runs(home: Path, command: tuple[str, ...], setting: str):
    told = kijko(home, *command)
    assert told.returncode == 1
    assert told.stderr == (
        f"kijko: Nothing is running in {home} and {setting} is not set: start everything with `make up`, or set it.\n"
    )


def test_every_finding_that_hangs_on_a_part_is_one_that_there_is(home: Path):
    told = kijko(home, "doctor").stdout
    assert set(PART_OF) <= {line[7:].split(": ", 1)[0] for line in told.splitlines()}
