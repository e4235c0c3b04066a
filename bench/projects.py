"""GET /projects?search= of an organization with 10,000 projects: what it takes in Postgres, and with 16 clients."""

import json
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from bench.processes import Load, wrk
from bench.scene import Scene
from kijko.services.projects.list_queries import SEARCH

PROJECTS = 10_000
WORDS = ("service 77", "payments", "e")
_SECONDS = 5
_FILL = """
    insert into projects (organization_id, user_id, name, type, status, updated_at)
    select
      %s, %s, (array['Payments', 'Billing', 'Search', 'Ledger', 'Gateway', 'Portal'])[1 + i %% 6] || ' service ' || i,
      'repository', 'active', now() - i * interval '1 minute'
    from generate_series(1, %s) i
"""


@dataclass(frozen=True)
class Found:
    """One search: how many it finds, what Postgres takes for it in ms, its plan, and a load of them."""

    words: str
    total: int
    postgres_ms: float
    plan: list[str]
    load: Load


def measure(scene: Scene) -> list[Found]:
    """Each search."""
    with psycopg.connect(scene.environ["KIJKO_DATABASE_URL"], autocommit=True) as owner:
        owner.execute(_FILL, (scene.organization, scene.user, PROJECTS))
        owner.execute("vacuum analyze projects")
    return [_measure(scene, words) for words in WORDS]


def _measure(scene: Scene, words: str) -> Found:
    with psycopg.connect(scene.environ["KIJKO_DATABASE_API_URL"]) as api:
        api.execute(
            "select set_config('request.jwt.claims', %s, true), set_config('app.current_org_id', %s, true)",
            (json.dumps({"sub": str(scene.user), "role": "authenticated"}), str(scene.organization)),
        )
        api.execute("set local role authenticated")
        api.execute(b"prepare listed as " + SEARCH.encoded)
        ask = sql.SQL("execute listed (null, null, 20, 1, {}, '-updatedAt')").format(words)
        page = _row(api, ask)[0]
        explain = sql.SQL("explain (analyze, costs off, timing off, summary on) ") + ask
        plans = [[str(line[0]) for line in api.execute(explain).fetchall()] for _ in range(9)]
    plan = min(plans, key=_ms)
    url = f"{scene.api}/projects?pageSize=20&search={words.replace(' ', '+')}"
    load = wrk(url, scene.token, scene.process("API"), scene.process("POSTGRES"), seconds=_SECONDS)
    return Found(words, page["total"], _ms(plan), plan, load)


def _row(connection: psycopg.Connection[Any], query: sql.Composed) -> Any:  # Any: what the statement selects
    row = connection.execute(query).fetchone()
    assert row is not None
    return row


def _ms(plan: list[str]) -> float:
    return float(plan[-1].removeprefix("Execution Time: ").removesuffix(" ms"))


def lines(found: list[Found]) -> list[str]:
    """The table, and the plan of the first."""
    out = ["", f"GET /projects?search= of {PROJECTS:,}    found   postgres ms (bar 10)   requests/s   p50 ms   p99 ms"]
    out += [
        f"{each.words:<28} {each.total:>12,} {each.postgres_ms:>22.2f} {each.load.per_second:>12.0f} "
        f"{each.load.p50_ms:>8.2f} {each.load.p99_ms:>8.2f}"
        + (f"   {each.load.failed} FAILED" if each.load.failed else "")
        for each in found
    ]
    return [*out, "as kijko_api, in the role authenticated:", *(f"  {line}" for line in found[0].plan)]
