"""Starting, measuring and stopping the processes of a comparison."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import psutil


def free_port() -> int:
    """A port that is free now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextlib.contextmanager
def running(
    argv: Sequence[str], environ: Mapping[str, str], *, port: int | None = None, within_s: float = 30
) -> Iterator[psutil.Process]:
    """A process, ready when its port answers, stopped at the end of the block."""
    process = subprocess.Popen(
        argv, env=os.environ | dict(environ), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + within_s
        while port is not None:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{' '.join(argv)} did not start")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()


def uvicorn(app: str, port: int) -> list[str]:
    """One uvicorn worker, as the API's own is started."""
    return [
        *(sys.executable, "-m", "uvicorn", app, "--host", "127.0.0.1", "--port", str(port)),
        *("--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"),
    ]


@dataclass(frozen=True)
class Load:
    """What a load of GETs gave. Latencies in ms, CPU in µs a request."""

    per_second: float
    p50_ms: float
    p99_ms: float
    server_us: float
    postgres_us: float
    failed: int


def cpu_s(processes: Sequence[psutil.Process]) -> float:
    """CPU seconds that these and their living children have used."""
    total = 0.0
    for process in processes:
        for one in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = one.cpu_times()
                total += times.user + times.system
    return total


def wrk(
    url: str, token: str, server: psutil.Process, postgres: psutil.Process, *, seconds: int, clients: int = 16
) -> Load:
    """Loads one address with 16 clients over keep-alive connections."""
    program = shutil.which("wrk")
    if program is None:
        raise SystemExit("wrk is not installed. Install it (apt-get install wrk) and run `make bench` again.")
    before_server, before_postgres = cpu_s([server]), cpu_s([postgres])
    told = subprocess.run(
        [
            *(program, "-t1", f"-c{clients}", f"-d{seconds}s", "--latency"),
            *("-H", f"Authorization: Bearer {token}", url),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    requests = int(_found(r"(\d+) requests in", told))
    return Load(
        per_second=float(_found(r"Requests/sec:\s+([\d.]+)", told)),
        p50_ms=_ms(_found(r"50%\s+([\d.]+\w+)", told)),
        p99_ms=_ms(_found(r"99%\s+([\d.]+\w+)", told)),
        server_us=(cpu_s([server]) - before_server) / requests * 1e6,
        postgres_us=(cpu_s([postgres]) - before_postgres) / requests * 1e6,
        failed=int(_found(r"Non-2xx or 3xx responses: (\d+)", told, "0")),
    )


def _found(pattern: str, text: str, default: str | None = None) -> str:
    match = re.search(pattern, text)
    if match is None:
        if default is None:
            raise SystemExit(f"wrk said something unexpected:\n{text}")
        return default
    return match[1]


def _ms(text: str) -> float:
    for unit, factor in (("us", 0.001), ("ms", 1.0), ("s", 1000.0)):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * factor
    raise SystemExit(f"wrk said something unexpected: {text}")
