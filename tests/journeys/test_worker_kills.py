"""Workers killed at random under load, Redis emptied: each run has one result, and the ledger adds up to the cent."""

import asyncio
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from redis import Redis

from tests.conftest import Shared, read_status, start_stack, stop_stack
from tests.executions.test_stream import read

_WORKERS = 2
_SETTINGS = {"KIJKO_WORKER_LEASE_S": "3", "KIJKO_WORKER_MAX_ATTEMPTS": "8", "KIJKO_MODELS_TIMEOUT_S": "30"}
_LOAD = (
    ("echo", "sleep:0.5 {}"),
    ("echo", "stream:1 one two three four {}"),
    ("claude-sonnet-5", "{} [slow 10 0.1]"),
    ("gpt-5.4-mini", "{} [slow 5 0.1]"),
    ("gemini-2.5-flash", "{} [slow 5 0.1]"),
    ("claude-sonnet-5", "{} [cut once]"),
    ("gpt-5.4-mini", "{} [529 once]"),
)


@pytest.fixture
def own_stack(shared: Shared) -> Iterator[Path]:
    """A stack whose leases run out soon."""
    folder = Path(tempfile.mkdtemp(prefix="kijko-w-", dir="/tmp" if Path("/tmp").is_dir() else None))  # noqa: S108
    own = replace(shared, folder=folder)
    pid = start_stack(own, **_SETTINGS, KIJKO_EVENTS_CONNECTIONS="500")
    yield own.home
    stop_stack(pid)
    if not os.environ.get("KIJKO_TESTS_KEEP"):
        shutil.rmtree(folder, ignore_errors=True)


class Workers:
    """Some beside the stack's own, each begun anew when it was killed."""

    def __init__(self, home: Path) -> None:
        self._environ = os.environ | read_status(home) | _SETTINGS
        self._processes = [self._start() for _ in range(_WORKERS)]
        self.killed = 0

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "kijko.workers"],
            env=self._environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill_one(self) -> None:
        """Without warning, whatever it is at."""
        place = random.randrange(_WORKERS)
        self._processes[place].kill()
        self._processes[place].wait()
        self._processes[place] = self._start()
        self.killed += 1

    def stop(self) -> None:
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        for process in self._processes:
            process.wait(30)


@dataclass
class Client:
    """Starts runs, follows some of them."""

    http: httpx.AsyncClient
    skills: dict[str, str]
    accepted: list[str] = field(default_factory=list)
    heard: dict[str, str] = field(default_factory=dict)
    following: list[asyncio.Task[None]] = field(default_factory=list)
    stopped: bool = False

    async def go(self) -> None:
        while not self.stopped:
            model, text = random.choice(_LOAD)
            answer = await self.http.post(
                f"/skills/{self.skills[model]}/execute", json={"input": {"text": text.format(uuid.uuid4())}}
            )
            assert answer.status_code == 202, answer.text
            self.accepted.append(answer.json()["executionId"])
            if len(self.accepted) % 5 == 0:
                self.following.append(asyncio.create_task(self._follow(self.accepted[-1])))
            await asyncio.sleep(0.05)

    async def _follow(self, execution_id: str) -> None:
        """As an app does that comes back with the last id it saw; sometimes it hangs up by itself."""
        last, text = "", ""
        while last != "end":
            with contextlib.suppress(httpx.TransportError):
                async with self.http.stream(
                    "GET", f"/executions/{execution_id}/stream", headers={"Last-Event-ID": last} if last else {}
                ) as answer:
                    assert answer.status_code == 200
                    rest = ""
                    async for piece in answer.aiter_text():
                        *whole, rest = (rest + piece).split("\n\n")
                        for last, event, data in read("\n\n".join([*whole, ""])):  # noqa: B007  # the last id is asked with next
                            if event == "delta":
                                text += data["text"]
                            elif event == "restart":
                                text = ""
                        if random.random() < 0.05:
                            break
        self.heard[execution_id] = text


async def _torment(home: Path, issuer: Any, seconds: float) -> None:
    env = read_status(home)
    with psycopg.connect(env["KIJKO_DATABASE_URL"], autocommit=True) as owner:
        user = uuid.uuid4()
        row = owner.execute("select kijko.register(%s, 'w@people.test', '', '', true, 'W')", (user,)).fetchone()
        assert row is not None
        owner.execute("select kijko.grant_plan(%s, 'enterprise', 'a test')", (row[0],))
    headers = {"Authorization": f"Bearer {issuer.token(user, row[0])}"}
    workers = Workers(home)
    try:
        async with httpx.AsyncClient(base_url=env["KIJKO_API_URL"] + "/api", headers=headers, timeout=60) as http:
            client = Client(http, await _skills(http))
            running = asyncio.create_task(client.go())
            await _kill(workers, Redis.from_url(env["KIJKO_REDIS_URL"]), seconds)
            client.stopped = True
            await running
            await asyncio.wait_for(asyncio.gather(*client.following), 120)
    finally:
        await asyncio.to_thread(workers.stop)
    print(f"{len(client.accepted)} runs, {workers.killed} workers killed, {len(client.heard)} runs followed")
    _adds_up(env["KIJKO_DATABASE_URL"], client)


async def _skills(http: httpx.AsyncClient) -> dict[str, str]:
    made = {}
    for model in {model for model, _ in _LOAD}:
        body = {"name": f"Killed {model}", "promptTemplate": "{{text}}", "model": model}
        made[model] = (await http.post("/skills", json=body)).json()["id"]
    return made


async def _kill(workers: Workers, redis: Redis, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await asyncio.sleep(random.uniform(1, 4))
        await asyncio.to_thread(workers.kill_one)
        if random.random() < 0.2:
            await asyncio.to_thread(redis.flushall)


def _adds_up(database_url: str, client: Client) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        deadline = time.monotonic() + 120
        while True:
            row = owner.execute(
                "select count(*) from executions where completed_at is null or lease_owner is not null"
            ).fetchone()
            if row == (0,):
                break
            assert time.monotonic() < deadline, f"{row} runs did not end"
            time.sleep(0.5)
        rows = owner.execute(
            """
            select e.id::text, e.status, e.output, e.prompt_tokens, e.completion_tokens, e.cost_cents, e.attempts,
              (select array[sum(a.prompt_tokens), sum(a.completion_tokens), sum(a.cost_cents)]
                from execution_attempts a where a.execution_id = e.id),
              (select count(*) from execution_attempts a where a.execution_id = e.id and a.status = 'completed'),
              (select array_agg(array[l.prompt_tokens, l.completion_tokens, l.cost_cents])
                from usage_ledger l where l.subject_id = e.id and l.entry = 'settle'),
              (select sum(l.quantity) from usage_ledger l where l.subject_id = e.id)
            from executions e
            """
        ).fetchall()
        total = owner.execute(
            "select (select sum(cost_cents) from executions), (select sum(cost_cents) from execution_attempts), "
            "(select sum(cost_cents) from usage_ledger), (select sum(execution_count) from skills)"
        ).fetchone()
    assert len(rows) == len(client.accepted) == len(set(client.accepted)) > 20
    assert {row[0] for row in rows} == set(client.accepted)
    for execution_id, status, output, prompt, completion, cost, attempts, kept, completed, settled, quantity in rows:
        assert (status, completed, quantity) == ("completed", 1, 1), (execution_id, status, attempts)
        assert kept == [prompt, completion, cost]
        assert settled == [[prompt, completion, cost]]
        if execution_id in client.heard:
            assert client.heard[execution_id] == output
    assert total is not None
    assert total[0] == total[1] == total[2] > 0
    assert total[3] == len(rows)
    assert len(client.heard) == len(client.following) > 3


async def test_each_run_has_one_result_and_one_account_whichever_worker_dies(own_stack: Path, shared: Shared) -> None:
    await _torment(own_stack, shared.issuer, 15)


@pytest.mark.soak
async def test_the_same_for_two_minutes(own_stack: Path, shared: Shared) -> None:
    await _torment(own_stack, shared.issuer, 120)
