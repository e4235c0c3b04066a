"""`kijko up` as a process of its own, as a person at a terminal has it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

_ROOT = Path(__file__).parents[2]


class Up:
    """A running `kijko up`; its words in `log`."""

    def __init__(self, home: Path, only: str, **settings: str) -> None:
        self.home = home
        self.settings = settings
        self.log = home.with_name(f"{home.name}-{time.monotonic_ns()}.log")
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "kijko.cli", "up", *(["--only", only] if only else [])],
                env=environment(home) | settings,
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def words(self) -> str:
        return self.log.read_text()

    def wait_for(self, text: str, within_s: float = 60) -> None:
        deadline = time.monotonic() + within_s
        while text not in self.words:
            assert self.process.poll() is None, self.words
            assert time.monotonic() < deadline, f"no {text!r} in {self.words}"
            time.sleep(0.05)

    def exit_code(self, within_s: float = 60) -> int:
        return self.process.wait(timeout=within_s)

    def status(self) -> dict[str, str]:
        told = kijko(self.home, "status", "-o", "env", **self.settings).stdout
        return dict(line.split("=", 1) for line in told.splitlines())

    def pids(self, *parts: str) -> dict[str, int]:
        """The process ids of these parts, as `status` tells them."""
        status = self.status()
        return {name: int(status[f"KIJKO_PID_{name.upper()}"]) for name in parts}

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.exit_code(20)


@contextlib.contextmanager
def up(home: Path, only: str = "", **settings: str) -> Iterator[Up]:
    """Start it; however the test ends, it is ended too, and no process of it is left."""
    running = Up(home, only, **settings)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.stop()


def environment(home: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KIJKO_")}
    return clean | {"KIJKO_HOME": str(home), "KIJKO_ENV_FILE": os.devnull}


def kijko(home: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """One command of `kijko` on this home."""
    return subprocess.run(
        [sys.executable, "-m", "kijko.cli", *arguments],
        env=environment(home) | settings,
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def left_running(home: Path, pids: list[int]) -> list[str]:
    """Command lines of processes that still live, of those noted or that name this home."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "status"]):
        line = " ".join(process.info["cmdline"] or ())
        ours = process.info["pid"] in pids or str(home) in line
        if ours and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(line)
    return found
