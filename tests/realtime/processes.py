"""API processes beside the stack's own, on its parts, which a test may kill and start again."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx

from kijko.local.serving import API
from tests.conftest import Shared
from tests.spine.conftest import _free_port

Environment = dict[str, str]


class Api:
    """One API process on the stack's parts, which can be killed."""

    def __init__(self, environ: Environment, log: Path) -> None:
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environ = environ
        self._log = log
        self.start()

    def start(self) -> None:
        """Starts it; it takes a second or two until it answers."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *API, "--host=127.0.0.1", f"--port={self.port}"],
                env=self._environ,
                stdout=log,
                stderr=log,
            )

    async def ready(self) -> None:
        """Returns when it answers."""
        deadline = time.monotonic() + 60
        async with httpx.AsyncClient() as http:
            while time.monotonic() < deadline:
                with suppress(httpx.HTTPError):
                    if (await http.get(self.url + "/health/live")).status_code == 200:
                        return
                await asyncio.sleep(0.05)
        raise AssertionError(self._log.read_text()[-2000:])

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Ends it: at once, or as a deployment does."""
        self.process.send_signal(how)
        self.process.wait(20)


@asynccontextmanager
async def apis(
    stack_env: Environment, shared: Shared, folder: Path, *, many: int = 2, **settings: str
) -> AsyncIterator[list[Api]]:
    """So many processes, with other settings than the stack's own where some are named. They may not answer yet."""
    trusted = [{"issuer": shared.issuer.url, "jwks_url": shared.issuer.url + "/jwks"}]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KIJKO_")}
    environ = clean | stack_env | {"KIJKO_AUTH_TRUSTED_ISSUERS": json.dumps(trusted)} | settings
    started = [Api(environ, folder / f"api-{number}.log") for number in range(many)]
    try:
        yield started
    finally:
        for one in started:
            with suppress(ProcessLookupError):
                one.kill()
