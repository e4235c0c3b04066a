"""A synchronous run through Kijko against the same call through the LiteLLM proxy, and straight, in one run.

All three end at one stand-in that answers at once. Kijko asks who it is, takes the quota, keeps a row, runs the model
in a worker and writes what it cost; LiteLLM's proxy has a master key and no database. LiteLLM is installed on demand.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import httpx

from bench.client import Connection, connect, request
from bench.concatenators import install, places
from bench.processes import free_port, running
from bench.scene import Scene
from kijko.local.cache import built

_LITELLM: Final = "litellm[proxy]==1.108.7"
_MODEL: Final = "gpt-5.4-mini"
_CLIENTS: Final = 32
_CALLS: Final = 600
_ALONE: Final = 100
_TURNS: Final = 2
_KEY: Final = "dev-only-litellm"


@dataclass(frozen=True)
class Calls:
    """Done a second of many at once with the median of each in ms, and the median of one alone in ms."""

    per_second: float
    many_ms: float
    alone_ms: float


@dataclass(frozen=True)
class Gateways:
    """Straight from the stand-in, through LiteLLM, through Kijko."""

    straight: Calls
    litellm: Calls
    kijko: Calls


_CALL: Final = {"model": _MODEL, "messages": [{"role": "user", "content": "Say hello."}]}


async def _timed(connection: Connection, asked: bytes) -> float:
    began = time.perf_counter()
    status, body = await connection.ask(asked)
    took = time.perf_counter() - began
    if status != 200:
        raise SystemExit(f"a call was answered with {status}: {body[:300]!r}")
    return took * 1000


async def _load(address: str, asked: bytes) -> tuple[float, float]:
    connections = await asyncio.gather(*(connect(address) for _ in range(_CLIENTS)))
    left, took = iter(range(_CALLS)), list[float]()

    async def client(connection: Connection) -> None:
        took.extend([await _timed(connection, asked) for _ in left])  # of all clients' calls, one after another

    began = time.perf_counter()
    await asyncio.gather(*(client(connection) for connection in connections))
    lasted = time.perf_counter() - began
    for each in connections:
        each.close()
    return _CALLS / lasted, statistics.median(took)


async def _side(address: str, asked: bytes) -> Calls:
    await _load(address, asked)  # so that all is imported, prepared and connected
    one = await connect(address)
    alone = [await _timed(one, asked) for _ in range(_ALONE)]
    one.close()
    return Calls(*await _load(address, asked), statistics.median(alone))


def _best(turns: Sequence[Calls]) -> Calls:
    return Calls(
        max(one.per_second for one in turns), min(one.many_ms for one in turns), min(one.alone_ms for one in turns)
    )


async def _skill(scene: Scene) -> str:
    body = {"name": f"Gateway {uuid.uuid4()}", "promptTemplate": "Say hello.", "model": _MODEL}
    async with httpx.AsyncClient(base_url=scene.api, headers={"Authorization": f"Bearer {scene.token}"}) as http:
        made: str = (await http.post("/skills", json=body)).raise_for_status().json()["id"]
        return made


async def _turns(scene: Scene, litellm: str) -> Gateways:
    bearer = f"Authorization: Bearer {scene.token}\r\n"
    sides = (
        (scene.models, request("POST", "/v1/chat/completions", "", _CALL)),
        (litellm, request("POST", "/v1/chat/completions", f"Authorization: Bearer {_KEY}\r\n", _CALL)),
        (
            scene.host,
            request("POST", f"/api/skills/{await _skill(scene)}/execute?wait=60", bearer, {}),
        ),
    )
    found: list[list[Calls]] = [[], [], []]
    for _ in range(_TURNS):
        for index, (address, asked) in enumerate(sides):
            found[index].append(await _side(address, asked))
    return Gateways(*(_best(turns) for turns in found))


def measure(scene: Scene) -> Gateways:
    """The three, by turns."""
    place = built(places(), _LITELLM, partial(install, package=_LITELLM))
    stand_in, port = int(scene.models.partition(":")[2]), free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "litellm.yaml"
        config.write_text(
            f"model_list:\n  - model_name: {_MODEL}\n    litellm_params:\n      model: openai/{_MODEL}\n"
            f"      api_base: http://127.0.0.1:{stand_in}/v1\n      api_key: dev-only\n"
            f"general_settings:\n  master_key: {_KEY}\nlitellm_settings:\n  telemetry: false\n"
        )
        # One worker a core, as its documentation wants it in production; uvicorn's own parent ends slow starters.
        command = [str(place / "venv" / "bin" / "litellm"), "--config", str(config), "--host", "127.0.0.1"]
        command += ["--port", str(port), "--num_workers", str(os.cpu_count() or 1), "--run_gunicorn"]
        environ = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION"}
        with (
            running([sys.executable, "-m", "bench.instant", str(stand_in)], {}, port=stand_in),
            running(command, environ, port=port, within_s=120),
        ):
            return asyncio.run(_turns(scene, f"127.0.0.1:{port}"))


def lines(found: Gateways) -> list[str]:
    """The table."""
    straight, litellm, kijko = found.straight, found.litellm, found.kijko

    def row(name: str, one: Calls) -> str:
        many, alone = one.many_ms - straight.many_ms, one.alone_ms - straight.alone_ms
        return f"{name:<20}{one.per_second:>8.0f}{one.many_ms:>9.2f}{many:>9.2f}{one.alone_ms:>12.2f}{alone:>9.2f}"

    many = (kijko.many_ms - straight.many_ms) / (litellm.many_ms - straight.many_ms)
    alone = (kijko.alone_ms - straight.alone_ms) / (litellm.alone_ms - straight.alone_ms)
    return [
        "",
        f"A model's call       calls/s  p50 ms of {_CLIENTS}  added  p50 ms alone    added",
        row("straight", straight),
        row("litellm proxy", litellm),
        row("kijko, a whole run", kijko),
        f"-> {kijko.per_second / litellm.per_second:.2f} x LiteLLM's calls/s (bar 3), "
        f"adds {many:.2f} of what it adds to {_CLIENTS} at once (bar 0.5), {alone:.2f} to one alone",
    ]
