"""Executions of `echo`, POST to stored result, against bare Celery's empty task in the same run."""

import asyncio
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
import psycopg
from celery import Celery
from celery.result import AsyncResult
from redis import Redis

from bench.client import Connection, connect, request
from bench.processes import running
from bench.scene import Scene

_MANY = 1000
_ALONE = 60
_CLIENTS = 32


@dataclass(frozen=True)
class Runs:
    """Done a second of many at once, and the median round trip of one alone in ms."""

    per_second: float
    alone_ms: float


def _run(scene: Scene, wait: int) -> bytes:
    path = f"/api/skills/{scene.skill}/execute?wait={wait}"
    return request("POST", path, f"Authorization: Bearer {scene.token}\r\n", {"input": {"text": "Hello"}})


async def _kijko(scene: Scene) -> Runs:
    connections = await asyncio.gather(*(connect(scene.host) for _ in range(_CLIENTS)))
    alone = []
    for _ in range(_ALONE):
        began = time.perf_counter()
        status, body = await connections[0].ask(_run(scene, 30))
        alone.append(time.perf_counter() - began)
        assert status == 200, body
    rates = [await _many(scene, connections) for _ in range(3)]
    return Runs(max(rates), statistics.median(alone) * 1000)


async def _many(scene: Scene, connections: Sequence[Connection]) -> float:
    asked, ids = _run(scene, 0), []
    left = iter(range(_MANY))

    async def client(connection: Connection) -> None:
        for _ in left:
            status, body = await connection.ask(asked)
            assert status == 202, body
            ids.append(orjson.loads(body)["executionId"])

    began = time.perf_counter()
    await asyncio.gather(*(client(connection) for connection in connections))
    # All are done when the last ones are; the newest is asked first, then everything still open.
    for execution_id in reversed(ids):
        while True:
            status, body = await connections[0].ask(_get(scene, execution_id))
            assert status == 200, body
            if orjson.loads(body)["status"] == "completed":
                break
            await asyncio.sleep(0.005)
        if time.perf_counter() - began > 60:
            raise SystemExit("1,000 executions took longer than 60 s")
        if await _none_open(scene):
            break
    return _MANY / (time.perf_counter() - began)


def _get(scene: Scene, execution_id: str) -> bytes:
    return request("GET", f"/api/executions/{execution_id}", f"Authorization: Bearer {scene.token}\r\n")


async def _none_open(scene: Scene) -> bool:
    async with await psycopg.AsyncConnection.connect(scene.environ["KIJKO_DATABASE_URL"]) as owner:
        rows = await owner.execute("select not exists (select from executions where status in ('pending', 'running'))")
        row = await rows.fetchone()
        return bool(row and row[0])


def _celery(scene: Scene) -> Runs:
    app = Celery("bench", broker=scene.environ["KIJKO_REDIS_URL"], backend=scene.environ["KIJKO_REDIS_URL"])
    app.conf.task_default_queue = "bench-empty"
    argv = [sys.executable, "-m", "celery", "-A", "bench.empty", "worker", "-P", "prefork", "-c", "2", "-l", "ERROR"]
    with running(argv, scene.baseline):
        app.send_task("bench.empty").get(timeout=60)
        alone = []
        for _ in range(_ALONE):
            began = time.perf_counter()
            app.send_task("bench.empty").get(timeout=30, interval=0.001)
            alone.append(time.perf_counter() - began)
        rates = [_celery_many(app, scene) for _ in range(3)]
    return Runs(max(rates), statistics.median(alone) * 1000)


def _celery_many(app: Celery, scene: Scene) -> float:
    redis = Redis.from_url(scene.environ["KIJKO_REDIS_URL"])
    began = time.perf_counter()
    sent: list[AsyncResult] = [app.send_task("bench.empty") for _ in range(_MANY)]
    keys = ["celery-task-meta-" + one.id for one in sent]
    while redis.exists(*keys) < _MANY:
        time.sleep(0.005)
    return _MANY / (time.perf_counter() - began)


def measure(scene: Scene) -> tuple[Runs, Runs]:
    """Kijko's and Celery's."""
    first = asyncio.run(_kijko(scene))
    celery = _celery(scene)
    second = asyncio.run(_kijko(scene))
    return Runs(max(first.per_second, second.per_second), min(first.alone_ms, second.alone_ms)), celery


def lines(kijko: Runs, celery: Runs) -> list[str]:
    """The table."""
    return [
        "",
        "Runs                        done/s   alone p50 ms",
        f"kijko, echo executions {kijko.per_second:>11.0f} {kijko.alone_ms:>14.1f}",
        f"celery, empty task     {celery.per_second:>11.0f} {celery.alone_ms:>14.1f}",
        f"-> {kijko.per_second / celery.per_second:.2f} x Celery's done/s (bar 0.7), "
        f"alone {kijko.alone_ms / celery.alone_ms:.2f} x Celery's round trip (bar 3.0)",
    ]
