"""`python -m bench [chunking] [reads] …`: what is named, or everything."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Final

from bench import (
    chunking,
    executions,
    gateway,
    held,
    ingestion,
    memory,
    projects,
    reads,
    realtime,
    runs,
    search,
    stream,
)
from bench.scene import Scene, scene

Lines = list[str]
ALONE: Final[Mapping[str, Callable[[], Lines]]] = {"chunking": lambda: chunking.lines(chunking.measure())}
"""Needs nothing that runs."""
ON_STACK: Final[Mapping[str, Callable[[Scene], Lines]]] = {
    "reads": lambda found: reads.lines(reads.measure(found)),
    "projects": lambda found: projects.lines(projects.measure(found)),
    "search": lambda found: search.lines(search.measure(found)),
    "executions": lambda found: executions.lines(executions.measure(found)),
    "ingestion": lambda found: ingestion.lines(ingestion.measure(found)),
    "held": lambda found: held.lines(held.measure(found)),
    "gateway": lambda found: gateway.lines(gateway.measure(found)),
    "runs": lambda found: runs.lines(*runs.measure(found)),
    "stream": lambda found: stream.lines(stream.measure(found)),
    "realtime": lambda found: realtime.lines(realtime.measure(found)),
    "memory": lambda found: memory.lines(memory.measure(found)),
}
"""Needs a running stack; `memory` looks at what the others have left of it, so it is the last."""


def _import_s() -> float:
    """Seconds until `kijko.main` is imported by a new interpreter, its modules compiled as an installation has them."""
    times = []
    with tempfile.TemporaryDirectory() as compiled:
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        for _ in range(4):
            began = time.perf_counter()
            subprocess.run(
                [sys.executable, "-c", "import kijko.main"], check=True, env=environ | {"PYTHONPYCACHEPREFIX": compiled}
            )
            times.append(time.perf_counter() - began)
    return min(times)


def _say(lines: Lines) -> None:
    print("\n".join(lines), flush=True)


def main() -> None:
    """Measures, and prints each table as soon as it is there."""
    wanted = sys.argv[1:] or [*ALONE, *ON_STACK, "import"]
    unknown = set(wanted) - {*ALONE, *ON_STACK, "import"}
    if unknown:
        sys.exit(f"There is no {', '.join(sorted(unknown))}; there are {', '.join([*ALONE, *ON_STACK, 'import'])}.")
    for name in ALONE:
        if name in wanted:
            _say(ALONE[name]())
    if ON_STACK.keys() & set(wanted):
        with scene() as found:
            for name in ON_STACK:
                if name in wanted:
                    _say(ON_STACK[name](found))
    if "import" in wanted:
        _say(["", f"import of the API, with the interpreter's start: {_import_s():.2f} s (bar 1.5)"])


if __name__ == "__main__":
    main()
