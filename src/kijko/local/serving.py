"""Kijko's own processes: the API, the worker and the scheduler. Their command lines stand here and nowhere else."""

import sys

from kijko.local import environment, probe
from kijko.local.ports import HOST
from kijko.local.process import Part
from kijko.local.site import Site

_PYTHON = (sys.executable, "-P", "-m")
API = (
    "uvicorn",
    "--factory",
    "kijko.main:app_factory",
    "--loop=uvloop",
    "--http=kijko.middleware.protocol:Http",
    "--ws=kijko.middleware.protocol:WebSocket",
    "--ws-max-size=65536",
    "--ws-per-message-deflate=false",
    "--no-access-log",
    "--no-server-header",
    "--no-proxy-headers",
    "--timeout-graceful-shutdown=5",
)
WORKER = ("kijko.workers",)
SCHEDULER = ("kijko.workers.schedule",)


def api(site: Site) -> Part:
    """The API, on KIJKO_PORT."""
    port = environment.api_port(site.environ)
    return Part(
        name="api",
        title="API",
        argv=(*_PYTHON, *API, f"--host={HOST}", f"--port={port}"),
        ready=lambda: probe.http_ok(port, "/health/live"),
        address=f"http://{HOST}:{port}",
        environ=environment.for_process(site),
        cwd=site.home.path,
        stage=0,
        ready_within_s=60,
    )


def worker(site: Site) -> Part:
    """The worker of queued runs."""
    return _background(site, "worker", "Worker", WORKER)


def scheduler(site: Site) -> Part:
    """The loop that sweeps and keeps time."""
    return _background(site, "scheduler", "Scheduler", SCHEDULER)


def _background(site: Site, name: str, title: str, arguments: tuple[str, ...]) -> Part:
    return Part(
        name=name,
        title=title,
        argv=(*_PYTHON, *arguments),
        ready_words=f"{name}.ready",
        environ={**environment.for_process(site), "KIJKO_LOG_FORMAT": "json"},
        cwd=site.home.path,
        stage=0,
        ready_within_s=60,
    )
