"""What is secret is kept encrypted, and never logged."""

import io
import json
import logging
import subprocess
import sys
from typing import Any

import pytest
import structlog
from cryptography.fernet import Fernet

from kijko.core.crypto import Box, Unreadable
from kijko.core.logging import configure, flush, request_id, scrubbed
from kijko.settings import Log


def test_what_was_sealed_opens_again() -> None:
    box = Box(Fernet.generate_key().decode())
    assert box.open(box.seal(b"plain")) == b"plain"
    assert b"plain" not in box.seal(b"plain")


def test_a_new_key_in_front_still_opens_what_the_old_one_sealed() -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    sealed = Box(old).seal(b"plain")
    both = Box(f"{new}, {old}")
    assert both.open(sealed) == b"plain"
    assert Box(new).open(both.seal(b"plain")) == b"plain"


def test_what_was_changed_or_is_too_old_or_of_another_key_does_not_open() -> None:
    box = Box(Fernet.generate_key().decode())
    sealed = box.seal(b"plain")
    for bad in (sealed[:-8] + b"AAAAAAA=", b"nonsense", b""):
        with pytest.raises(Unreadable):
            box.open(bad)
    with pytest.raises(Unreadable):
        Box(Fernet.generate_key().decode()).open(sealed)
    with pytest.raises(Unreadable):
        box.open(Fernet(key := Fernet.generate_key()).encrypt_at_time(b"x", 0) or key, max_age_s=1)


def test_a_key_that_is_none_is_refused_by_the_name_of_its_setting() -> None:
    with pytest.raises(ValueError, match="KIJKO_AUTH_ENCRYPTION_KEY"):
        Box("too short")


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer s3cr3t-s3cr3t-s3cr3t",
        "token eyJhbGciOiJSUzI1NiJ9.s3cr3tcGF5bG9hZA.c2lnbmF0dXJl",
        "redis://:s3cr3t@127.0.0.1:6379/0 refused",
        "postgresql://kijko_api:s3cr3t@db/kijko",
        "the key kjk_s3cr3ts3cr3t was refused",
        "sk_test_s3cr3ts3cr3t",
        '{"refresh_token": "s3cr3t", "a": 1}',
        "POST https://x/token?client_secret=s3cr3t&grant_type=password",
        "password=s3cr3t",
    ],
)
def test_a_logged_text_loses_what_looks_secret(text: str) -> None:
    assert "s3cr3t" not in scrubbed(text)


@pytest.mark.parametrize("text", ["3 tokens used", "https://app.kijko.nl/skills?page=2", "the code of the error"])
def test_and_nothing_else(text: str) -> None:
    assert scrubbed(text) == text


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Logs as JSON into memory: called, it gives the lines so far."""
    out = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(sys, "stdout", out)
    root = logging.getLogger()
    before = root.handlers[:], root.level
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    configure(Log(format="json", level="INFO"))

    def lines() -> list[dict[str, Any]]:
        flush()
        return [json.loads(line) for line in out.buffer.getvalue().splitlines()]  # type: ignore[attr-defined]

    yield lines
    root.handlers[:], root.level = before
    logging.captureWarnings(False)
    structlog.reset_defaults()


def test_both_kinds_of_loggers_write_the_same_kind_of_line(logged: Any) -> None:
    token = request_id.set("the-request")
    logging.getLogger("some.module").warning("half of %s is gone", "it")
    structlog.get_logger().warning("cache.gone", half=True)
    logging.getLogger("some.module").debug("not now")
    request_id.reset(token)
    plain, structured = logged()
    assert plain.items() >= {"level": "warning", "event": "half of it is gone", "request_id": "the-request"}.items()
    assert structured.items() >= {"level": "warning", "event": "cache.gone", "request_id": "the-request"}.items()


_DYING = """
import warnings
from kijko.core.logging import configure
from kijko.settings import Log
configure(Log(format="json"))
warnings.warn("said once")
raise RuntimeError("no redis://:s3cr3t@cache")
"""


def test_warnings_and_the_exception_that_ends_a_process_are_lines_of_its_log_too() -> None:
    ended = subprocess.run([sys.executable, "-c", _DYING], capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stderr) == (1, "")
    warned, died = map(json.loads, ended.stdout.splitlines())
    assert (warned["level"], "said once" in warned["event"]) == ("warning", True)
    assert (died["level"], died["event"]) == ("critical", "process.died")
    assert "RuntimeError: no redis://:[hidden]@cache" in died["exception"]


def test_secret_fields_and_traces_are_hidden(logged: Any) -> None:
    structlog.get_logger().info("signed in", access_token="s3cr3t", password="s3cr3t", user="u-1")
    try:
        raise RuntimeError("cannot reach redis://:s3cr3t@cache:6379/0")
    except RuntimeError:
        logging.getLogger("some.module").exception("failed")
    first, second = logged()
    assert first["access_token"] == first["password"] == "[hidden]"
    assert first["user"] == "u-1"
    assert "RuntimeError: cannot reach redis://:[hidden]@cache" in second["exception"]
    assert "s3cr3t" not in json.dumps([first, second])
