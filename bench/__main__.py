"""`python -m bench [reads] [projects] [search] [runs] [memory] [chunking]`: without a name, all of them."""

import os
import subprocess
import sys
import tempfile
import time

from bench import chunking, memory, projects, reads, runs, search
from bench.scene import scene


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


def main() -> None:
    """Measures and prints."""
    wanted = set(sys.argv[1:]) or {"reads", "projects", "search", "runs", "memory", "chunking"}
    out: list[str] = []
    if "chunking" in wanted:
        out += chunking.lines(chunking.measure())
    if wanted == {"chunking"}:
        print("\n".join(out))
        return
    with scene() as found:
        if "reads" in wanted:
            out += reads.lines(reads.measure(found))
        if "projects" in wanted:
            out += projects.lines(projects.measure(found))
        if "search" in wanted:
            out += search.lines(search.measure(found))
        if "runs" in wanted:
            out += runs.lines(*runs.measure(found))
        if "memory" in wanted:
            out += memory.lines(memory.measure(found))
    out += ["", f"import of the API, with the interpreter's start: {_import_s():.2f} s (bar 1.5)"]
    print("\n".join(out))


if __name__ == "__main__":
    main()
