"""`python -m bench [reads] [runs] [memory]`: without a name, all of them."""

import subprocess
import sys
import time

from bench import memory, reads, runs
from bench.scene import scene


def _import_s() -> float:
    times = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import kijko.main"], check=True)
        times.append(time.perf_counter() - began)
    return min(times)


def main() -> None:
    """Measures and prints."""
    wanted = set(sys.argv[1:]) or {"reads", "runs", "memory"}
    out: list[str] = []
    with scene() as found:
        if "reads" in wanted:
            out += reads.lines(reads.measure(found))
        if "runs" in wanted:
            out += runs.lines(*runs.measure(found))
        if "memory" in wanted:
            out += memory.lines(memory.measure(found))
    out += ["", f"import of the API, with the interpreter's start: {_import_s():.2f} s (bar 1.5)"]
    print("\n".join(out))


if __name__ == "__main__":
    main()
