"""Text as it comes: how much later a token is with who follows a run than with who asked the provider directly.

The stand-in of the provider says, instead of words, when it says them; the machine's clock is one for all processes.
Both sides read with the same few lines, alternately, in one run.
"""

import asyncio
import statistics
import sys
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import httpx
import orjson

from bench.client import request
from bench.processes import running
from bench.scene import Scene

_ALONE = 40
_TOGETHER = 50
_MODEL = "gpt-5.4-mini"


@dataclass(frozen=True)
class Delays:
    """In ms: the first token of a call, and all later ones, after they were said."""

    first: Sequence[float]
    later: Sequence[float]

    @property
    def p50(self) -> float:
        """The median delay of a first token."""
        return statistics.median(self.first)


@dataclass(frozen=True)
class Streams:
    """Straight from the stand-in, and through Kijko; one alone, and many at once. The last two: from the request on."""

    straight: Delays
    kijko: Delays
    straight_many: Delays
    kijko_many: Delays
    straight_whole_ms: float
    kijko_whole_ms: float


def _prompt(tokens: int, pause_s: float) -> str:
    return f"{uuid.uuid4()} [clock {tokens} {pause_s}]"


async def _lines(host: str, asked: bytes) -> AsyncIterator[tuple[bytes, int]]:
    """The data lines of an event stream, and when they were read."""
    name, _, port = host.partition(":")
    reader, writer = await asyncio.open_connection(name, int(port))
    writer.write(asked)
    try:
        while line := await reader.readline():
            if line.startswith(b"data: "):
                yield line[6:], time.monotonic_ns()
            if line == b"0\r\n":
                return
    finally:
        writer.close()


async def _straight(scene: Scene, prompt: str) -> list[float]:
    body = {"model": _MODEL, "messages": [{"role": "user", "content": prompt}], "stream": True}
    body["stream_options"] = {"include_usage": True}
    found = []
    async for data, at in _lines(scene.models, request("POST", "/v1/chat/completions", "", body)):
        choices = orjson.loads(data)["choices"] if data[:1] == b"{" else []
        if choices and (text := choices[0]["delta"].get("content")):
            found.append((at - int(text)) / 1e6)
    return found


async def _kijko(scene: Scene, http: httpx.AsyncClient, skill: str, prompt: str) -> list[float]:
    accepted = await http.post(f"/skills/{skill}/execute", json={"input": {"text": prompt}})
    path = f"/api/executions/{accepted.json()['executionId']}/stream"
    asked = request("GET", path, f"Authorization: Bearer {scene.token}\r\n")
    found: list[float] = []
    async for data, at in _lines(scene.host, asked):
        told = orjson.loads(data)
        if "text" in told:
            found += [(at - int(said)) / 1e6 for said in told["text"].split()]
        else:
            assert told["status"] == "completed", told
            break
    return found


def _delays(samples: Sequence[Sequence[float]]) -> Delays:
    return Delays([one[0] for one in samples], [delay for one in samples for delay in one[1:]])


async def _whole(scene: Scene, http: httpx.AsyncClient, skill: str) -> tuple[float, float]:
    """From the request to the end of a call that answers at once: straight; accepted, queued, run and followed."""
    straight, kijko = [], []
    for _ in range(_ALONE):
        began = time.monotonic_ns()
        await _straight(scene, _prompt(1, 0))
        straight.append(time.monotonic_ns() - began)
        began = time.monotonic_ns()
        await _kijko(scene, http, skill, _prompt(1, 0))
        kijko.append(time.monotonic_ns() - began)
    return statistics.median(straight) / 1e6, statistics.median(kijko) / 1e6


async def _measure(scene: Scene) -> Streams:
    headers = {"Authorization": f"Bearer {scene.token}"}
    async with httpx.AsyncClient(base_url=scene.api, headers=headers, timeout=30) as http:
        body = {"name": f"Stream {uuid.uuid4()}", "promptTemplate": "{{text}}", "model": _MODEL}
        skill = (await http.post("/skills", json=body)).json()["id"]
        await _kijko(scene, http, skill, _prompt(2, 0.2))  # the worker imports the SDK
        straight, kijko = [], []
        for _ in range(_ALONE):
            straight.append(await _straight(scene, _prompt(4, 0.1)))
            kijko.append(await _kijko(scene, http, skill, _prompt(4, 0.1)))
        many = [_straight(scene, _prompt(40, 0.1)) for _ in range(_TOGETHER)]
        straight_many = await asyncio.gather(*many)
        calls = [_kijko(scene, http, skill, _prompt(40, 0.1)) for _ in range(_TOGETHER)]
        kijko_many = await asyncio.gather(*calls)
        whole = await _whole(scene, http, skill)
    return Streams(_delays(straight), _delays(kijko), _delays(straight_many), _delays(kijko_many), *whole)


def measure(scene: Scene) -> Streams:
    """Both sides, alternately."""
    port = int(scene.models.partition(":")[2])
    with running([sys.executable, "-m", "bench.stand_in", str(port)], {}, port=port):
        return asyncio.run(_measure(scene))


def lines(found: Streams) -> list[str]:
    """The table."""

    def row(name: str, one: Delays) -> str:
        p99 = statistics.quantiles(one.later, n=100)[98]
        return f"{name:<32}{one.p50:>9.2f}{statistics.median(one.later):>12.2f}{p99:>11.2f}"

    return [
        "",
        "Text as it comes, ms after it was said  first  later p50  later p99",
        row("straight", found.straight),
        row("kijko", found.kijko),
        row(f"straight, {_TOGETHER} at once", found.straight_many),
        row(f"kijko, {_TOGETHER} at once", found.kijko_many),
        f"-> the first token is {found.kijko.p50 - found.straight.p50:.2f} ms later (bar 5)",
        f"from the request to the end of a call that answers at once: straight {found.straight_whole_ms:.1f} ms; "
        f"accepted, queued, run and followed {found.kijko_whole_ms:.1f} ms",
    ]
