"""The API's memory after a load, and whether 50,000 requests make it grow."""

from bench.processes import wrk
from bench.scene import Scene

_MB = 1_000_000
_REQUESTS = 50_000


def measure(scene: Scene) -> tuple[float, float, int]:
    """Resident MB after a warm-up, after 50,000 requests more, and how many there were."""
    api, postgres = scene.process("API"), scene.process("POSTGRES")
    url = f"{scene.api}/skills/{scene.skill}"
    warm = wrk(url, scene.token, api, postgres, seconds=5)
    before = api.memory_info().rss / _MB
    seconds = int(_REQUESTS / warm.per_second) + 1
    load = wrk(url, scene.token, api, postgres, seconds=seconds)
    return before, api.memory_info().rss / _MB, int(load.per_second * seconds)


def lines(measured: tuple[float, float, int]) -> list[str]:
    """The table."""
    before, after, requests = measured
    return [
        "",
        f"API process: {before:.0f} MB warm, {after:.0f} MB after {requests} requests more (bar 150, no growth)",
    ]
