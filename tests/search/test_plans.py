"""A search among many organizations' chunks: the plan, as the API's own role."""

import asyncio
import random
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from psycopg import sql

from kijko.core.db import Database
from kijko.core.tenancy import Tenants
from kijko.services import search
from kijko.services.search.asking import asked
from kijko.services.search.queries import SEARCH
from tests.postgres import Someone, Sql, claims_of, copy, server, someone

__all__ = ["copy", "server"]

ORGANIZATIONS, CHUNKS, PER_FILE = 12, 1500, 10
WORDS = [
    f"{a}{b}" for a in ["zebra", "lion", "tiger", "otter", "heron", "raven", "adder", "egret"] for b in "abcdefghijkl"
]


@dataclass(frozen=True)
class Piece:
    text: str
    symbol: str | None = None


def _rows(database: Sql, one: Someone, project: uuid.UUID) -> None:
    database.run(
        "insert into projects (id, organization_id, user_id, name, type) values (%s, %s, %s, 'Zoo', 'files')",
        project,
        one.organization,
        one.user,
    )
    database.run(
        "insert into uploads (organization_id, project_id, user_id, name, size_bytes, content_type, sha256, "
        "storage_key) "
        "select %s, %s, %s, 'f' || i, 1, 'text/plain', repeat('a', 64), i::text from generate_series(1, %s) i",
        one.organization,
        project,
        one.user,
        CHUNKS // PER_FILE,
    )
    database.run(
        "insert into source_files (organization_id, project_id, upload_id, live, path, content_key, options_key, "
        "size_bytes, lines, original_tokens, tokens, chunks) "
        "select organization_id, project_id, id, true, name, name, 'o', 1, 1, 1, 1, %s "
        "from uploads where project_id = %s",
        PER_FILE,
        project,
    )
    database.run(
        "insert into chunks (file_id, ordinal, id, organization_id, project_id, number, start_byte, end_byte, "
        "start_line, end_line, tokens, kind, content) "
        "select f.id, i, gen_random_uuid(), f.organization_id, f.project_id, (f.at - 1) * %s + i, 0, 0, i, i, 1, "
        "'text', 'x' "
        "from (select f.*, row_number() over (order by id) as at from source_files f where project_id = %s) f "
        "cross join generate_series(1, %s) i",
        PER_FILE,
        project,
        PER_FILE,
    )


async def _fill(database: Sql, people: list[tuple[Someone, uuid.UUID]]) -> None:
    pool = await Database.connect(
        database.url("kijko_worker"),
        pool_size=1,
        statement_timeout_ms=30_000,
        connect_timeout_s=5,
        acquire_timeout_s=5,
        prepared=True,
        application_name="tests",
    )
    chance = random.Random(1)
    texts = [Piece(" ".join(chance.choices(WORDS, k=30))) for _ in range(CHUNKS)]
    packed = list(enumerate(search.analyse("f", None, texts), 1))
    tenants = Tenants(pool)
    for one, project in people:
        ingestion = uuid.uuid4()
        for at in range(0, CHUNKS, 500):
            await search.stage(tenants, one.organization, project, ingestion, packed[at : at + 500])
        async with tenants.system("a test") as tx:
            await search.publish(tx, one.organization, project, ingestion, [1, 2, 3])
    await pool.close()


@pytest.fixture(scope="module")
def crowd(copy: Callable[[str], Sql]) -> tuple[Sql, Someone, uuid.UUID]:
    """A dozen organizations whose code has the same words; one of them with its project."""
    database = copy("migrated")
    people = [(someone(database, plan="teams"), uuid.uuid4()) for _ in range(ORGANIZATIONS)]
    for one, project in people:
        _rows(database, one, project)
    asyncio.run(_fill(database, people))
    database.run(
        "insert into projects (organization_id, user_id, name, type) "
        "select %s, %s, 'Empty ' || i, 'files' from generate_series(1, 3000) i",
        people[0][0].organization,
        people[0][0].user,
    )
    database.run(
        "insert into search_indexes (organization_id, project_id) select organization_id, id from projects "
        "on conflict do nothing"
    )
    database.run("vacuum analyze")
    return database, *people[3]


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
def test_a_search_reads_postings_by_their_key_and_scans_no_table(
    crowd: tuple[Sql, Someone, uuid.UUID], mode: str
) -> None:
    database, who, project = crowd
    question = asked("zebraa liona otterd")
    told: list[str] = []
    with database.connect("supabase_admin") as admin:  # who may load what tells plans; it is the API's role that asks
        admin.execute("load 'auto_explain'")
        admin.execute("set auto_explain.log_nested_statements = on")
        admin.execute("set auto_explain.log_min_duration = 0")
        admin.execute("set client_min_messages = log")
        admin.execute("select set_config('plan_cache_mode', %s, false)", (mode,))
        admin.execute(
            "select set_config('request.jwt.claims', %s, false), set_config('app.current_org_id', %s, false)",
            (claims_of(who.user), str(who.organization)),
        )
        admin.execute(b"prepare found as " + SEARCH.encoded)
        admin.add_notice_handler(lambda notice: told.append(notice.message_primary or ""))
        admin.execute("set role authenticated")
        asking = sql.SQL("execute found ({}, {}, {}, 20, null, null)").format(
            str(project), question.terms, question.weights
        )
        rows = admin.execute(asking).fetchall()
    assert len(rows) == 20
    plans = "\n".join(told)
    assert "Index Scan using search_postings_pkey on search_postings" in plans
    assert "using chunks_number_key on chunks" in plans
    assert not re.search(r"Seq Scan on (search_\w+|chunks|source_files)\b", plans), plans


def test_people_read_no_table_of_the_index_themselves(crowd: tuple[Sql, Someone, uuid.UUID]) -> None:
    database, who, _ = crowd
    for table in ("search_indexes", "search_segments", "search_postings"):
        assert not database.one("select has_table_privilege('authenticated', %s, 'select')", table)
    with database.person(who.user, who.organization) as connection:
        may = connection.execute(
            "select has_function_privilege('kijko.rank_chunks(uuid, uuid, text[], real[], integer)', 'execute')"
        ).fetchone()
    assert may == (False,)
