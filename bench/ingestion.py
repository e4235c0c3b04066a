"""Ingestions through the API: against gitingest and repomix on one tree, one changed file, memory, the API meanwhile.

The sides run by turns; the others only concatenate, and count tokens. Memory is proportional (PSS): what processes
share after a fork is counted once, so the sum is what all of them take of the machine.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event
from statistics import quantiles
from typing import Any

import httpx
import psutil
import psycopg
from tests.fakes.git_server import Repository

from bench import concatenators, trees
from bench.concatenators import Missing, Took, attempt, best
from bench.processes import cpu_s
from bench.scene import Scene

_ROUNDS = 2
_MB = 1_000_000


@dataclass(frozen=True)
class Measured:
    """Seconds, and MB of proportional memory of the worker with its processes."""

    gitingest: Took | Missing
    repomix: Took | Missing
    repomix_again: Took | Missing
    cpu_s: float
    stored_s: float
    searchable_s: float
    first_s: float
    second_s: float
    chunks: int
    peak_mb: float
    small_mb: float
    many_mb: float
    idle_p99_ms: float
    busy_p99_ms: float


def measure(scene: Scene) -> Measured:
    """Everything, one after another."""
    client = _Client(scene)
    tree = trees.package()
    gitingest, repomix, firsts = [], [], []
    for _ in range(_ROUNDS):
        gitingest.append(attempt(concatenators.gitingest, tree))
        repomix.append(attempt(concatenators.repomix, tree))
        firsts.append(client.first(trees.committed(scene.git, tree)))
    first = min(firsts, key=lambda each: each.searchable_s)
    second = min(client.again(first.project, first.repository, at) for at in range(3))
    small = client.first(trees.small_files(scene.git, 3_000))
    many = client.first(trees.small_files(scene.git, 30_000))
    idle = client.p99_ms(lambda: time.sleep(8))
    busy = client.while_busy(trees.committed(scene.git, tree))
    return Measured(
        gitingest=best(gitingest),
        repomix=best(repomix),
        repomix_again=attempt(concatenators.repomix_again, tree),
        cpu_s=first.cpu_s,
        stored_s=first.stored_s,
        searchable_s=first.searchable_s,
        first_s=first.whole_s,
        second_s=second,
        chunks=first.chunks,
        peak_mb=first.peak_mb,
        small_mb=small.peak_mb,
        many_mb=many.peak_mb,
        idle_p99_ms=idle,
        busy_p99_ms=busy,
    )


@dataclass(frozen=True)
class _First:
    project: str
    repository: Repository
    stored_s: float
    """From the fetched repository to its chunks."""
    searchable_s: float
    whole_s: float
    cpu_s: float
    """Of the worker with its processes and of Postgres, the fetch included."""
    chunks: int
    peak_mb: float


class _Client:
    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._http = httpx.Client(base_url=scene.api, headers={"Authorization": f"Bearer {scene.token}"}, timeout=60)

    def project(self, repository: Repository) -> str:
        body = {"name": f"Bench {uuid.uuid4().hex[:12]}", "type": "repository"}
        made: str = self._http.post("/projects", json=body).json()["project"]["id"]
        source = {"provider": "github", "repositoryUrl": repository.url, "branch": "main"}
        assert self._http.post(f"/projects/{made}/repositories", json=source).status_code == 201
        return made

    def ingest(self, project: str) -> tuple[dict[str, Any], float]:
        began = time.perf_counter()
        answer = self._http.post(f"/projects/{project}/ingest", json={})
        assert answer.status_code == 202, answer.text
        while True:
            progress = self._http.get(f"/projects/{project}/progress").json()
            if progress["completedAt"] is not None:
                assert progress["errorCode"] is None, progress
                return progress, time.perf_counter() - began
            time.sleep(0.05)

    def first(self, repository: Repository) -> _First:
        project = self.project(repository)
        ours = [self._scene.process("WORKER"), self._scene.process("POSTGRES")]
        before = cpu_s(ours)
        with _peak(self._scene.process("WORKER")) as peak:
            progress, whole = self.ingest(project)
        at = self._phases(project)
        return _First(
            project,
            repository,
            stored_s=at["optimization"] - at["parsing"],
            searchable_s=at["end"] - at["parsing"],
            whole_s=whole,
            cpu_s=cpu_s(ours) - before,
            chunks=progress["metrics"]["chunksCreated"],
            peak_mb=peak[0] / _MB,
        )

    def again(self, project: str, repository: Repository, number: int) -> float:
        """One changed file, with its fetch."""
        repository.commit({"bench_changed.py": f"changed = {number}\n"})
        with self._owner() as owner:
            owner.execute("update projects set status = 'error' where id = %s", (project,))
        return self.ingest(project)[1]

    def p99_ms(self, while_it_runs: Callable[[], object]) -> float:
        """Of reading a project by its id, a hundred times a second, in a process of its own: beside this one's threads
        it would measure how they wait for each other."""
        with self._owner() as owner:
            (project,) = owner.execute("select id from projects limit 1").fetchone() or (None,)
        context = get_context("fork")
        ended, told = context.Event(), context.SimpleQueue()
        asking = context.Process(target=_ask, args=(self._scene, f"/projects/{project}", ended, told))
        asking.start()
        while_it_runs()
        ended.set()
        took: list[float] = told.get()
        asking.join()
        return quantiles(took, n=100)[-1]

    def while_busy(self, repository: Repository) -> float:
        project = self.project(repository)
        return self.p99_ms(lambda: self.ingest(project))

    def _phases(self, project: str) -> dict[str, float]:
        with self._owner() as owner:
            rows = owner.execute(
                "select coalesce(data ->> 'phase', 'end'), extract(epoch from created_at)::float8 from room_events "
                "where room = %s and event in ('phase_started', 'ingestion_complete') order by id",
                (f"project:{project}",),
            ).fetchall()
        return dict(rows)

    def _owner(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self._scene.environ["KIJKO_DATABASE_URL"], autocommit=True)


def _ask(scene: Scene, path: str, ended: Event, told: "SimpleQueue[list[float]]") -> None:
    """Milliseconds of each request, until it has ended."""
    took: list[float] = []
    with httpx.Client(base_url=scene.api, headers={"Authorization": f"Bearer {scene.token}"}, timeout=60) as client:
        while not ended.is_set():
            began = time.perf_counter()
            assert client.get(path).status_code == 200
            took.append((time.perf_counter() - began) * 1000)
            time.sleep(max(0.0, 0.01 - (time.perf_counter() - began)))
    told.put(took)


@contextmanager
def _peak(worker: psutil.Process) -> Iterator[list[float]]:
    """The most that the worker and its processes took together, shared pages counted once."""
    peak, ended = [0.0], threading.Event()

    def look() -> None:
        while not ended.wait(0.1):
            total = 0
            for each in (worker, *worker.children(recursive=True)):
                with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                    total += each.memory_full_info().pss
            peak[0] = max(peak[0], total)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield peak
    finally:
        ended.set()
        looking.join()


def lines(measured: Measured) -> list[str]:
    """The table."""
    of = measured
    sides = {"gitingest": of.gitingest, "repomix": of.repomix}
    return [
        "",
        f"ingestion of {trees.PACKAGE} ({of.chunks:,} chunks)",
        *(f"  {name:20} {_told(side)}" for name, side in sides.items()),
        f"  repomix again        {_told(of.repomix_again)}, its token counts kept",
        f"  to stored chunks     {of.stored_s:6.1f} s{_shares(of.stored_s, sides)} (bar 1.0 of each)",
        f"  to searchable        {of.searchable_s:6.1f} s{_shares(of.searchable_s, sides)} (bar 2.0 of gitingest)",
        f"  with fetch           {of.first_s:6.1f} s",
        f"  CPU, fetch included  {of.cpu_s:6.1f} s",
        f"  one changed file     {of.second_s:6.2f} s  {of.second_s / of.first_s:5.2f} of the first (bar 0.10)",
        f"  memory at its peak   {of.peak_mb:6.0f} MB (bar 250); {of.small_mb:.0f} MB for 3,000 small files, "
        f"{of.many_mb:.0f} MB for 30,000",
        f"  API by id, p99       {of.idle_p99_ms:6.1f} ms idle, {of.busy_p99_ms:.1f} ms during an ingestion, "
        f"{of.busy_p99_ms / of.idle_p99_ms:.1f} times (bar 2)",
    ]


def _told(side: Took | Missing) -> str:
    return f"{side.wall:6.1f} s, CPU {side.cpu:.1f} s" if isinstance(side, Took) else f"not measured: {side.why}"


def _shares(seconds: float, sides: dict[str, Took | Missing]) -> str:
    shares = (f"{seconds / side.wall:5.2f} of {name}" for name, side in sides.items() if isinstance(side, Took))
    return "".join(f", {share.strip()}" for share in shares)
