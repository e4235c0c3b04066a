"""1,000 runs that each sleep five seconds, held by one worker process: its memory, and when the last one is done."""

import asyncio
import time
from dataclasses import dataclass

import httpx
import psutil
import psycopg

from bench.scene import Scene

_MANY = 1000
_CLIENTS = 16


@dataclass(frozen=True)
class Held:
    """The most memory the worker's process had, how many it held at once, and seconds until the last one was done."""

    megabytes: float
    most: int
    last_s: float


async def _accept(scene: Scene) -> None:
    headers = {"Authorization": f"Bearer {scene.token}"}
    left = iter(range(_MANY))
    async with httpx.AsyncClient(base_url=scene.api, headers=headers, timeout=60) as http:

        async def client() -> None:
            for _ in left:
                answer = await http.post(f"/skills/{scene.skill}/execute", json={"input": {"text": "sleep:5 x"}})
                assert answer.status_code == 202, answer.text

        await asyncio.gather(*(client() for _ in range(_CLIENTS)))


async def _watch(scene: Scene, worker: psutil.Process) -> Held:
    megabytes, most, began = 0.0, 0, time.perf_counter()
    async with await psycopg.AsyncConnection.connect(scene.environ["KIJKO_DATABASE_URL"], autocommit=True) as owner:
        while True:
            rows = await owner.execute(
                "select count(*) filter (where status = 'running'), count(*) from executions where completed_at is null"
            )
            row = await rows.fetchone()
            assert row is not None
            megabytes = max(megabytes, worker.memory_info().rss / 1e6)
            most = max(most, row[0])
            if row[1] == 0:
                return Held(megabytes, most, time.perf_counter() - began)
            await asyncio.sleep(0.05)


async def _measure(scene: Scene) -> Held:
    worker = scene.process("WORKER")
    worker.suspend()  # until all of them wait: they are to run at once, and not as fast as they are accepted
    try:
        await _accept(scene)
    finally:
        worker.resume()
    return await _watch(scene, worker)


def measure(scene: Scene) -> Held:
    """One round."""
    return asyncio.run(_measure(scene))


def lines(found: Held) -> list[str]:
    """The table."""
    return [
        "",
        f"{_MANY} runs that sleep 5 s: {found.most} held at once by one worker, {found.megabytes:.0f} MB at the most "
        f"(bar 300), the last done after {found.last_s:.1f} s (bar 8)",
    ]
