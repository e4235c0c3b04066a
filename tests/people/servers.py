"""Real SMTP servers for tests, which refuse, hang or take what comes."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from cryptography.fernet import Fernet

from kijko.local import ports
from tests.postgres import Sql

Answer = Callable[[str], str | None]


@dataclass
class Taking:
    """Takes mail, unless `answer` says something else to an address."""

    answer: Answer = lambda _: None
    taken: list[tuple[str, Any]] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, _: Any) -> str:
        self.tried.append(address)
        said = self.answer(address)
        if said is None:
            envelope.rcpt_tos.append(address)
        return said or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.original_content or b""
        self.taken.append((envelope.rcpt_tos[0], message_from_bytes(content, policy=policy.default)))
        return "250 Taken"


@dataclass
class Hanging(Taking):
    """Takes all of a mail and says nothing to it."""

    reached: threading.Event = field(default_factory=threading.Event)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.reached.set()
        await asyncio.sleep(60)
        return "451 Too late"


@dataclass
class Slow(Taking):
    """Takes a mail, and says so a while later."""

    reached: threading.Event = field(default_factory=threading.Event)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.reached.set()
        await asyncio.sleep(1.5)
        return await super().handle_DATA(server, session, envelope)


@contextmanager
def serving(handler: Taking, port: int | None = None) -> Iterator[int]:
    """Serve it; the port."""
    port = port or ports.choose(set())
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@contextmanager
def scheduler(database: Sql, log: Path, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """The scheduler as a process of its own, on that database; its other parts are away."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KIJKO_")}
    nowhere = {
        "KIJKO_DATABASE_WORKER_URL": database.url("kijko_worker"),
        "KIJKO_REDIS_URL": "redis://127.0.0.1:1/0",
        "KIJKO_KEYCLOAK_URL": "http://127.0.0.1:1",
        "KIJKO_KEYCLOAK_CLIENT_SECRET": "dev-only",
        "KIJKO_AUTH_ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "KIJKO_STORAGE_URL": log.parent.as_uri(),
        "KIJKO_LOG_FORMAT": "json",
        "KIJKO_MAIL_TLS": "none",
        "KIJKO_WORKER_SWEEP_S": "0.1",
    }
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "kijko.workers.schedule"], env=clean | nowhere | settings, stdout=out, stderr=out
        )
    deadline = time.monotonic() + 60
    while "scheduler.ready" not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
