"""GET /skills/{id} and a list of 20 of 1,000: Kijko, the usual stack and the floor, with 16 clients.

And Kijko asked with an API key, which is found, checked and counted against the plan's limit at each request; the usual
stack does none of that.
"""

from bench.processes import Load, free_port, running, uvicorn, wrk
from bench.scene import Scene

_SECONDS = 6


def measure(scene: Scene) -> list[tuple[str, dict[str, Load]]]:
    """Each address at each of the three, interleaved, so that what else the machine does hits all of them."""
    usual_port, floor_port = free_port(), free_port()
    with (
        running(uvicorn("bench.usual:app", usual_port), scene.baseline, port=usual_port) as usual,
        running(uvicorn("bench.floor:app", floor_port), scene.baseline, port=floor_port) as floor,
    ):
        servers = {
            "kijko": (scene.api, scene.process("API"), scene.token),
            "with a key": (scene.api, scene.process("API"), scene.key),
            "usual": (f"http://127.0.0.1:{usual_port}", usual, scene.token),
            "floor": (f"http://127.0.0.1:{floor_port}", floor, scene.token),
        }
        postgres = scene.process("POSTGRES")
        rows = []
        for name, path in (("by id", f"/skills/{scene.skill}"), ("list of 20", "/skills?pageSize=20")):
            loads = {}
            for seconds in (1, _SECONDS):  # the first round warms up
                loads = {
                    server: wrk(url + path, token, process, postgres, seconds=seconds)
                    for server, (url, process, token) in servers.items()
                }
            rows.append((name, loads))
        return rows


def lines(rows: list[tuple[str, dict[str, Load]]]) -> list[str]:
    """The table."""
    out = ["", "GET with 16 clients         requests/s   p50 ms   p99 ms   server µs   postgres µs"]
    for name, loads in rows:
        for server, load in loads.items():
            out.append(
                f"{name:<12} {server:<12} {load.per_second:>12.0f} {load.p50_ms:>8.2f} {load.p99_ms:>8.2f} "
                f"{load.server_us:>11.0f} {load.postgres_us:>13.0f}"
                + (f"   {load.failed} FAILED" if load.failed else "")
            )
        kijko, key, usual, floor = loads["kijko"], loads["with a key"], loads["usual"], loads["floor"]
        out.append(
            f"{name:<12} -> {kijko.per_second / usual.per_second:.2f} x usual (bar 3.0), "
            f"{kijko.per_second / floor.per_second:.2f} of the floor (bar 0.40), "
            f"p99 {kijko.p99_ms / usual.p50_ms:.2f} of the usual p50 (bar 1.0)"
        )
        out.append(
            f"{name:<12} -> with a key {key.per_second / kijko.per_second:.2f} x Kijko's own, counted, "
            f"{key.per_second / usual.per_second:.2f} x usual, uncounted"
        )
    return out
