"""kill -9, part after part, while runs go on: everything comes back, and every accepted run ends once.

The client does what a careful one does: it repeats a request whose answer it did not get, under the same key.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.conftest import Shared, start_stack, stop_stack
from tests.conftest import read_status as status_of

_PARTS = ("WORKER", "API", "REDIS", "SCHEDULER", "POSTGRES", "KEYCLOAK")
_BACK_S = 120


@pytest.fixture
def own_stack(shared: Shared) -> Iterator[Path]:
    """A stack that may be killed: not the one that the other tests share."""
    folder = Path(tempfile.mkdtemp(prefix="kijko-k-", dir="/tmp" if Path("/tmp").is_dir() else None))  # noqa: S108
    own = replace(shared, folder=folder)
    pid = start_stack(own)
    yield own.home
    stop_stack(pid)
    if not os.environ.get("KIJKO_TESTS_KEEP"):
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Client:
    """Starts runs without end, each until it was accepted."""

    url: str
    token: str
    skill: str
    accepted: dict[str, str] = field(default_factory=dict)
    stopped: bool = False

    async def go(self) -> None:
        async with httpx.AsyncClient(
            base_url=self.url, headers={"Authorization": f"Bearer {self.token}"}, timeout=10
        ) as http:
            while not self.stopped:
                await self._start_one(http, str(uuid.uuid4()))
                await asyncio.sleep(0.02)

    async def _start_one(self, http: httpx.AsyncClient, key: str) -> None:
        while True:
            with contextlib.suppress(httpx.TransportError):
                answer = await http.post(
                    f"/skills/{self.skill}/execute",
                    json={"input": {"text": f"sleep:0.3 {key}"}},
                    headers={"Idempotency-Key": key},
                )
                if answer.status_code == 202:
                    self.accepted[key] = answer.json()["executionId"]
                    return
                # 409: the first try of this key is still being worked on; 503: a part is away.
                assert answer.status_code in (409, 503), answer.text
            await asyncio.sleep(0.2)


async def _kill_and_await(home: Path, part: str) -> float:
    before = status_of(home)[f"KIJKO_PID_{part}"]
    os.kill(int(before), signal.SIGKILL)
    began = time.monotonic()
    while time.monotonic() - began < _BACK_S:
        await asyncio.sleep(0.5)
        now = await asyncio.to_thread(status_of, home)
        if now.get(f"KIJKO_PID_{part}", before) == before:
            continue
        with contextlib.suppress(httpx.HTTPError):
            async with httpx.AsyncClient() as http:
                health = (await http.get(now["KIJKO_API_URL"] + "/health", timeout=5)).json()
            if health["status"] == "healthy":
                return time.monotonic() - began
    raise AssertionError(f"{part} did not come back within {_BACK_S} s: {json.dumps(health)}")


async def _torment(home: Path, issuer: object, rounds: int) -> None:
    env = status_of(home)
    with psycopg.connect(env["KIJKO_DATABASE_URL"], autocommit=True) as owner:
        user = uuid.uuid4()
        row = owner.execute("select kijko.register(%s, 'k@people.test', '', '', true, 'K')", (user,)).fetchone()
        assert row is not None
        owner.execute("select kijko.grant_plan(%s, 'enterprise', 'a test')", (row[0],))
    token = issuer.token(user, row[0])  # type: ignore[attr-defined]
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as http:
        made = await http.post(
            env["KIJKO_API_URL"] + "/api/skills", json={"name": "Killed", "promptTemplate": "{{text}}"}
        )
    client = Client(env["KIJKO_API_URL"] + "/api", token, made.json()["id"])
    running = asyncio.create_task(client.go())
    for _ in range(rounds):
        for part in _PARTS:
            await asyncio.sleep(0.5)
            back_s = await _kill_and_await(home, part)
            print(f"{part} was back and healthy after {back_s:.1f} s; {len(client.accepted)} runs accepted so far")
    client.stopped = True
    await running
    _each_ended_once(env["KIJKO_DATABASE_URL"], client)


def _each_ended_once(database_url: str, client: Client) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        deadline = time.monotonic() + 120
        while True:
            open_ones = owner.execute("select count(*) from executions where status in ('pending', 'running')")
            if (row := open_ones.fetchone()) and row[0] == 0:
                break
            assert time.monotonic() < deadline, f"{row} runs did not end"
            time.sleep(0.5)
        rows = owner.execute(
            "select e.id::text, e.status, e.output, e.input ->> 'text', count(l.id), sum(l.quantity) "
            "from executions e left join usage_ledger l on l.subject_id = e.id group by e.id"
        ).fetchall()
        counted = owner.execute("select execution_count from skills").fetchone()
    assert len(client.accepted) > 50
    assert {row[0] for row in rows} == set(client.accepted.values())
    assert len(rows) == len(client.accepted)
    for _, status, output, text, entries, quantity in rows:
        assert (status, output, entries, quantity) == ("completed", text, 2, 1)
    assert counted == (len(rows),)


async def test_every_part_comes_back_and_every_accepted_run_ends_once(own_stack: Path, shared: Shared) -> None:
    await _torment(own_stack, shared.issuer, rounds=1)


@pytest.mark.soak
async def test_the_same_over_and_over(own_stack: Path, shared: Shared) -> None:
    await _torment(own_stack, shared.issuer, rounds=5)
