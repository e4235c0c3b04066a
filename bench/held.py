"""A thousand runs that only wait, held at once by one worker process."""

import asyncio
import threading
import time
from dataclasses import dataclass

import httpx
import psutil
import psycopg

from bench.scene import Scene

_MANY = 1000
_SECONDS = 5
_MB = 1_000_000


@dataclass(frozen=True)
class Held:
    """The worker's processes at their most, in MB of proportional memory, and when the last run had ended."""

    peak_mb: float
    most_at_once: int
    last_s: float


async def _ask(scene: Scene) -> None:
    headers = {"Authorization": f"Bearer {scene.token}"}
    limits = httpx.Limits(max_connections=16)
    async with httpx.AsyncClient(base_url=scene.api, headers=headers, timeout=60, limits=limits) as http:
        left = iter(range(_MANY))

        async def client() -> None:
            for _ in left:
                body = {"input": {"text": f"sleep:{_SECONDS} "}}
                assert (await http.post(f"/skills/{scene.skill}/execute", json=body)).status_code == 202

        await asyncio.gather(*(client() for _ in range(16)))


def _look(scene: Scene, ended: threading.Event, peak: list[float]) -> None:
    worker = scene.process("WORKER")
    while not ended.wait(0.2):
        peak[0] = max(peak[0], sum(_pss(each) for each in (worker, *worker.children(recursive=True))))


def _pss(process: psutil.Process) -> float:
    try:
        return float(process.memory_full_info().pss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0.0


def measure(scene: Scene) -> Held:
    """One turn. Time counts from when the last run was accepted: asking for them takes the API, not the worker."""
    peak, ended, most = [0.0], threading.Event(), 0
    looking = threading.Thread(target=_look, args=(scene, ended, peak))
    looking.start()
    try:
        asyncio.run(_ask(scene))
        began = time.perf_counter()
        with psycopg.connect(scene.environ["KIJKO_DATABASE_URL"], autocommit=True) as owner:
            while True:
                running, waiting = owner.execute(
                    "select count(*) filter (where status = 'running'), count(*) from executions "
                    "where status in ('pending', 'running')"
                ).fetchone() or (0, 0)
                most = max(most, running)
                if waiting == 0:
                    break
                time.sleep(0.05)
        took = time.perf_counter() - began
    finally:
        ended.set()
        looking.join()
    return Held(peak[0] / _MB, most, took)


def lines(found: Held) -> list[str]:
    """The table."""
    return [
        "",
        f"{_MANY} runs of sleep:{_SECONDS}, asked for by 16 clients: {found.most_at_once} held together by one worker, "
        f"all done {found.last_s:.1f} s after the last was asked for (bar 8), {found.peak_mb:.0f} MB (bar 300)",
    ]
