"""GET /projects/{id}/search among 1,000,000 chunks of 50 organizations: in Postgres as the API's role, and over HTTP.

Filling takes ten minutes: with `BENCH_HOME=folder` it is done once, and the folder is yours to delete.

The code is made of the words of real code with their real frequencies: pieces of the installed packages, their
identifiers changed by organization, so that each has a vocabulary of its own beside the common one.
"""

import asyncio
import json
import random
import re
import statistics
import sysconfig
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
from psycopg import sql

from bench.processes import cpu_s
from bench.scene import Scene
from kijko.core.db import Database
from kijko.core.tenancy import Tenants
from kijko.services import search
from kijko.services.search.asking import asked
from kijko.services.search.queries import SEARCH

ORGANIZATIONS, CHUNKS, PER_FILE, LINES = 50, 20_000, 12, 20
QUESTIONS = 400
_WARM = 100
BAR_MS = 50.0
_STAGED = 4000
_NAME = re.compile(r"[A-Za-z_]{4,}")


@dataclass(frozen=True)
class Piece:
    """Some lines of code."""

    text: str
    symbol: str | None = None


@dataclass(frozen=True)
class Took:
    """One search in ms: by the clock, and of Postgres' CPU, which is told in steps of 10 ms and so means on average."""

    kind: str
    ms: float
    cpu_ms: float = 0.0


@dataclass(frozen=True)
class Found:
    """What the searches took in ms, in Postgres and over HTTP; the plan of one; how the index was filled."""

    postgres: list[Took]
    http: list[Took]
    api_cpu_ms: float
    """Of the API's process, a request."""
    plan: list[str]
    chunks: int
    filled_s: float
    size_mb: float


def measure(scene: Scene) -> Found:
    """Fills the index and searches it, one organization after the other."""
    began = time.perf_counter()
    with psycopg.connect(scene.environ["KIJKO_DATABASE_URL"], autocommit=True) as owner:
        projects = _filled(owner)
        kept = bool(projects)
        projects = projects or _fill(owner, scene.environ["KIJKO_DATABASE_WORKER_URL"])
        chunks = _value(owner, "select count(*) from chunks")
        size = _value(owner, "select pg_total_relation_size('search_postings') / 1e6")
    filled = 0.0 if kept else time.perf_counter() - began
    questions = list(_questions(random.Random(2)))
    warm_and_all = [*questions[:_WARM], *questions]
    with psycopg.connect(scene.environ["KIJKO_DATABASE_API_URL"], autocommit=True) as api:
        api.execute("set plan_cache_mode = force_generic_plan")
        api.execute(b"prepare found as " + SEARCH.encoded)
        chance = random.Random(3)
        took = [_search(api, chance.choice(projects), *each) for each in warm_and_all][_WARM:]
    http, api_cpu_ms = _over_http(scene, projects, warm_and_all)
    plan = _plan(scene, projects[7], questions[1][1])
    return Found(took, http, api_cpu_ms, plan, chunks, filled, float(size))


Project = tuple[uuid.UUID, uuid.UUID, uuid.UUID]
"""Organization, person, project."""


def _filled(owner: psycopg.Connection[Any]) -> list[Project]:
    """What an earlier run left in a home that was kept."""
    rows = owner.execute(
        "select p.organization_id, p.user_id, p.id from projects p join search_indexes i on i.project_id = p.id "
        "where p.name = 'Bench' and i.chunks = %s order by p.id",
        (CHUNKS,),
    ).fetchall()
    return [(row[0], row[1], row[2]) for row in rows] if len(rows) == ORGANIZATIONS else []


def _fill(owner: psycopg.Connection[Any], worker_url: str) -> list[Project]:
    projects = [_project(owner) for _ in range(ORGANIZATIONS)]
    asyncio.run(_index(worker_url, owner, projects))
    for table in ("chunks", "source_files", "search_postings", "search_segments", "search_indexes"):
        owner.execute(sql.SQL("vacuum analyze {}").format(sql.Identifier(table)))
    return projects


def _project(owner: psycopg.Connection[Any]) -> Project:
    user, project = uuid.uuid4(), uuid.uuid4()
    register = "select kijko.register(%s, %s, 'Bench', 'Person', true, 'Bench')"
    row = owner.execute(register, (user, f"{user}@bench.test")).fetchone()
    assert row is not None
    owner.execute(
        "insert into projects (id, organization_id, user_id, name, type) values (%s, %s, %s, 'Bench', 'files')",
        (project, row[0], user),
    )
    return row[0], user, project


def _pieces() -> list[Piece]:
    """Pieces of the installed packages."""
    found: list[Piece] = []
    for path in sorted(Path(sysconfig.get_path("purelib")).rglob("*.py")):
        lines = path.read_text(errors="ignore").split("\n")
        found += [Piece("\n".join(lines[at : at + LINES])) for at in range(0, len(lines) - LINES, LINES)]
    random.Random(1).shuffle(found)
    return found


async def _index(url: str, owner: psycopg.Connection[Any], projects: Sequence[Project]) -> None:
    pool = await Database.connect(
        url,
        pool_size=2,
        statement_timeout_ms=120_000,
        connect_timeout_s=5,
        acquire_timeout_s=60,
        prepared=True,
        application_name="bench",
    )
    tenants, pieces = Tenants(pool), _pieces()
    for at, (organization, _, project) in enumerate(projects):
        chance = random.Random(at)
        mine = [pieces[chance.randrange(len(pieces))] for _ in range(CHUNKS)]
        _rows(owner, organization, project, mine)
        ingestion = uuid.uuid4()
        packed = [
            each
            for first in range(0, CHUNKS, PER_FILE)
            for each in search.analyse(f"src/module_{first}.py", "python", mine[first : first + PER_FILE])
        ]
        for first in range(0, CHUNKS, _STAGED):
            entries = list(enumerate(packed[first : first + _STAGED], first + 1))
            await search.stage(tenants, organization, project, ingestion, entries)
        async with tenants.system("bench") as tx:
            await search.publish(tx, organization, project, ingestion, [])
    await pool.close()


def _rows(owner: psycopg.Connection[Any], organization: uuid.UUID, project: uuid.UUID, mine: Sequence[Piece]) -> None:
    upload = uuid.uuid4()
    owner.execute(
        "insert into uploads (id, organization_id, project_id, user_id, name, size_bytes, content_type, sha256, "
        "storage_key) values (%s, %s, %s, %s, 'all', 1, 'text/plain', repeat('a', 64), %s)",
        (upload, organization, project, upload, str(upload)),
    )
    files = [uuid.uuid4() for _ in range(0, CHUNKS, PER_FILE)]
    with owner.cursor() as cursor:
        columns = (
            "id, organization_id, project_id, upload_id, live, path, content_key, options_key, size_bytes, lines, "
            "original_tokens, tokens, chunks"
        )
        with cursor.copy(f"copy source_files ({columns}) from stdin") as rows:
            for at, file in enumerate(files):
                rows.write_row(
                    (
                        file,
                        organization,
                        project,
                        upload,
                        True,
                        f"src/module_{at * PER_FILE}.py",
                        "k",
                        "o",
                        1,
                        1,
                        1,
                        1,
                        12,
                    )
                )
        columns = (
            "file_id, ordinal, id, organization_id, project_id, number, start_byte, end_byte, start_line, end_line, "
            "tokens, kind, content"
        )
        with cursor.copy(f"copy chunks ({columns}) from stdin") as rows:
            for at, piece in enumerate(mine):
                ordinal = at % PER_FILE
                rows.write_row(
                    (
                        *(files[at // PER_FILE], ordinal, uuid.uuid4(), organization, project, at + 1, 0, 0),
                        *(ordinal * LINES + 1, ordinal * LINES + LINES, 200, "text", piece.text.replace("\x00", "")),
                    )
                )


def _questions(chance: random.Random) -> Iterator[tuple[str, str]]:
    """Names, a few words, and sentences, out of code itself; and the commonest words there are."""
    pieces = _pieces()[:2000]
    for _ in range(QUESTIONS // 4):
        words = [word for word in _NAME.findall(chance.choice(pieces).text) if len(word) > 3] or ["index"]
        yield "a name", chance.choice(words)
        yield "three words", " ".join(chance.choices(words, k=3))
        yield "a sentence", "return the " + " ".join(chance.choices(words, k=10)) + " of a given value"
        yield (
            "the commonest",
            chance.choice(["self return def", "import from", "if none return", "name type value str"]),
        )


def _search(api: psycopg.Connection[Any], project: Project, kind: str, question: str) -> Took:
    found = asked(question)
    ask = sql.SQL("execute found ({}, {}, {}, 60, null, null)").format(str(project[2]), found.terms, found.weights)
    backend = psutil.Process(api.info.backend_pid)
    with api.transaction():
        _become(api, project)
        cpu, began = cpu_s([backend]), time.perf_counter()
        api.execute(ask).fetchall()
        took = time.perf_counter() - began
        return Took(kind, took * 1000, (cpu_s([backend]) - cpu) * 1000)


def _over_http(
    scene: Scene, projects: Sequence[Project], questions: Sequence[tuple[str, str]]
) -> tuple[list[Took], float]:
    """The same searches as people ask them, one after the other; the API's CPU in ms a request."""
    chance, process, took = random.Random(3), scene.process("API"), []
    tokens = {project: scene.issuer.token(user, organization) for organization, user, project in projects}
    cpu = cpu_s([process])
    with httpx.Client(base_url=scene.api) as client:
        for kind, question in questions:
            _, _, project = chance.choice(projects)
            headers = {"Authorization": f"Bearer {tokens[project]}"}
            began = time.perf_counter()
            answer = client.get(f"/projects/{project}/search", params={"q": question}, headers=headers)
            took.append(Took(kind, (time.perf_counter() - began) * 1000))
            answer.raise_for_status()
    return took[_WARM:], (cpu_s([process]) - cpu) * 1000 / len(questions)


def _become(connection: psycopg.Connection[Any], project: Project) -> None:
    claims = json.dumps({"sub": str(project[1]), "role": "authenticated"})
    connection.execute(
        "select set_config('request.jwt.claims', %s, true), set_config('app.current_org_id', %s, true)",
        (claims, str(project[0])),
    )
    connection.execute("set local role authenticated")


def _plan(scene: Scene, project: Project, question: str) -> list[str]:
    """What ran inside the function, as Postgres planned it for the role of the API."""
    told: list[str] = []
    found = asked(question)
    with psycopg.connect(scene.admin_url, autocommit=True) as admin:
        admin.execute("load 'auto_explain'")
        admin.execute("set auto_explain.log_nested_statements = on")
        admin.execute("set auto_explain.log_analyze = on")
        admin.execute("set auto_explain.log_timing = off")
        admin.execute("set auto_explain.log_min_duration = 0")
        admin.execute("set plan_cache_mode = force_generic_plan")
        admin.execute(b"prepare found as " + SEARCH.encoded)
        ask = sql.SQL("execute found ({}, {}, {}, 60, null, null)").format(str(project[2]), found.terms, found.weights)
        with admin.transaction():
            _become(admin, project)
            admin.execute(ask).fetchall()
            admin.execute("set local client_min_messages = log")
            admin.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
            admin.execute(ask).fetchall()
    return [line for plan in told for line in _shown(plan)]


def _shown(plan: str) -> list[str]:
    """A plan's lines without the statement, of statements that read the index or the chunks."""
    kept = [line for line in plan.split("\n") if re.search(r"->|\(actual|^duration|Cond", line)]
    return kept if any("search_postings" in line or " chunks " in line for line in kept) else []


def _value(owner: psycopg.Connection[Any], query: str) -> Any:  # Any: what the statement selects
    row = owner.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def lines(found: Found) -> list[str]:
    """The table and the plan."""
    out = [
        "",
        f"search among {found.chunks:,} chunks of {ORGANIZATIONS} organizations (postings {found.size_mb:,.0f} MB, "
        + (f"filled in {found.filled_s:,.0f} s)" if found.filled_s else "filled by an earlier run)"),
        f"{'':<24} {'p50 ms':>8} {'p95 ms':>8} {'slowest':>8} {'CPU ms':>8}   (bar: p95 {BAR_MS:.0f} ms)",
        _line("over HTTP, all", found.http, found.api_cpu_ms) + "   of the API's process",
        _line("in Postgres, all", found.postgres, _cpu_ms(found.postgres)) + "   of Postgres",
    ]
    for kind in dict.fromkeys(each.kind for each in found.postgres):
        some = [each for each in found.postgres if each.kind == kind]
        out.append(_line(f"  {kind}", some, _cpu_ms(some)))
    return [*out, "as kijko_api, in the role authenticated:", *(f"  {line}" for line in found.plan)]


def _line(name: str, took: Sequence[Took], cpu_ms: float) -> str:
    times = sorted(each.ms for each in took)
    p95 = times[int(len(times) * 0.95)]
    return f"{name:<24} {statistics.median(times):>8.1f} {p95:>8.1f} {times[-1]:>8.1f} {cpu_ms:>8.1f}"


def _cpu_ms(took: Sequence[Took]) -> float:
    return statistics.fmean(each.cpu_ms for each in took)
