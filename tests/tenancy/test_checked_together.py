"""What chunks and postings point to is there, in the same organization, and stays: checked once a statement, in SQL."""

import threading
import time
import uuid

import psycopg
import pytest

from tests.postgres import Someone, Sql, someone
from tests.tenancy.acts import project_of


@pytest.fixture
def stranger(database: Sql) -> Someone:
    return someone(database)


broken = pytest.raises(psycopg.errors.ForeignKeyViolation)
_CHUNK = (
    "insert into chunks (file_id, ordinal, id, organization_id, project_id, number, start_byte, end_byte, start_line, "
    "end_line, tokens, kind, content) select f.id, n, gen_random_uuid(), %s, %s, %s + row_number() over (), 0, 1, 1, "
    "1, 1, 'code', 'x' from unnest(%s::uuid[]) f (id) cross join generate_series(1, 3) n"
)


def _file(database: Sql, whose: Someone, project: object) -> uuid.UUID:
    repository = database.one(
        "insert into project_repositories (organization_id, project_id, repository_url, repository_name, provider, "
        "branch) values (%s, %s, %s, 'kijko', 'github', 'main') returning id",
        *(whose.organization, project, f"https://github.com/kijko/{uuid.uuid4().hex}"),
    )
    made: uuid.UUID = database.one(
        "insert into source_files (organization_id, project_id, repository_id, path, content_key, options_key, "
        "size_bytes, lines, original_tokens, tokens, chunks) values (%s, %s, %s, 'a.py', '1', '1', 1, 1, 1, 1, 1) "
        "returning id",
        *(whose.organization, project, repository),
    )
    return made


def _chunks(database: Sql, file: uuid.UUID) -> int:
    found: int = database.one("select count(*) from chunks where file_id = %s", file)
    return found


def _segment(database: Sql, whose: Someone, project: object) -> int:
    made: int = database.one(
        "insert into search_segments (organization_id, project_id, numbers, sources, lengths) "
        "values (%s, %s, '{}', '{}', '{}') returning id",
        *(whose.organization, project),
    )
    return made


_POSTING = (
    "insert into search_postings (organization_id, segment_id, term, frequency, postings) values (%s, %s, %s, 1, '{1}')"
)


def test_a_chunk_of_a_file_that_is_not_there_or_of_another_organization_is_refused(
    database: Sql, boss: Someone, stranger: Someone
) -> None:
    mine = project_of(database, boss)
    file = _file(database, boss, mine)
    with broken as refused:
        database.run(_CHUNK, boss.organization, mine, 0, [file, uuid.uuid4()])
    assert refused.value.diag.constraint_name == "chunks_file_fkey"
    with broken:
        database.run(_CHUNK, stranger.organization, mine, 10, [file])
    assert _chunks(database, file) == 0
    with broken:  # also beside one that is right, in the same statement
        database.run(
            "insert into chunks (file_id, ordinal, id, organization_id, project_id, number, start_byte, end_byte, "
            "start_line, end_line, tokens, kind, content) select %s, 1, gen_random_uuid(), o.id, %s, o.n, 0, 1, 1, 1, "
            "1, 'code', 'x' from unnest(%s::uuid[]) with ordinality o (id, n)",
            *(file, mine, [boss.organization, stranger.organization]),
        )
    assert _chunks(database, file) == 0
    database.run(_CHUNK, boss.organization, mine, 20, [file])
    assert _chunks(database, file) == 3


def test_a_file_takes_its_chunks_along_and_no_others(database: Sql, boss: Someone) -> None:
    mine = project_of(database, boss)
    file, other = _file(database, boss, mine), _file(database, boss, mine)
    database.run(_CHUNK, boss.organization, mine, 0, [file])
    database.run(_CHUNK, boss.organization, mine, 10, [other])
    database.run("delete from source_files where id = %s", file)
    assert (_chunks(database, file), _chunks(database, other)) == (0, 3)
    database.run("delete from projects where id = %s", mine)
    assert _chunks(database, other) == 0


def test_a_file_that_is_being_deleted_gets_no_chunks(database: Sql, boss: Someone) -> None:
    mine = project_of(database, boss)
    file = _file(database, boss, mine)
    refused: list[str | None] = []

    def add() -> None:
        with database.connect() as connection:
            try:
                connection.execute(_CHUNK, (boss.organization, mine, 0, [file]))
            except psycopg.errors.ForeignKeyViolation as error:
                refused.append(error.diag.constraint_name)

    with database.connect(autocommit=False) as deleting:
        deleting.execute("delete from source_files where id = %s", (file,))
        adding = threading.Thread(target=add)
        adding.start()
        _until_somebody_waits(database)
        deleting.commit()
    adding.join(10)
    assert (refused, _chunks(database, file)) == (["chunks_file_fkey"], 0)


def test_a_file_that_gets_chunks_is_deleted_with_them(database: Sql, boss: Someone) -> None:
    mine = project_of(database, boss)
    file = _file(database, boss, mine)

    def delete() -> None:
        with database.connect() as connection:
            connection.execute("delete from source_files where id = %s", (file,))

    with database.connect(autocommit=False) as adding:
        adding.execute(_CHUNK, (boss.organization, mine, 0, [file]))
        deleting = threading.Thread(target=delete)
        deleting.start()
        _until_somebody_waits(database)
        adding.commit()
    deleting.join(10)
    assert (_chunks(database, file), database.one("select count(*) from source_files where id = %s", file)) == (0, 0)


def test_postings_hang_on_their_segment(database: Sql, boss: Someone, stranger: Someone) -> None:
    mine = project_of(database, boss)
    segment, other = _segment(database, boss, mine), _segment(database, boss, mine)
    with broken as refused:
        database.run(_POSTING, boss.organization, -1, "a")
    assert refused.value.diag.constraint_name == "search_postings_segment_fkey"
    with broken:
        database.run(_POSTING, stranger.organization, segment, "a")
    for each in (segment, other):
        database.run(_POSTING, boss.organization, each, "a")
    database.run("delete from search_segments where id = %s", segment)
    left = database.run("select segment_id from search_postings where organization_id = %s", boss.organization)
    assert left == [(other,)]


@pytest.mark.parametrize(
    "change",
    [
        "update source_files set id = gen_random_uuid()",
        "update chunks set file_id = gen_random_uuid()",
        "update search_segments set organization_id = gen_random_uuid()",
        "update search_postings set segment_id = 1",
    ],
)
def test_what_others_point_to_does_not_move(database: Sql, change: str) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation):
        database.run(change)  # type: ignore[arg-type]  # one of the four above


def _until_somebody_waits(database: Sql) -> None:
    until = time.monotonic() + 10
    while not database.one("select exists (select from pg_locks where not granted)"):
        assert time.monotonic() < until, "nobody waits"
        time.sleep(0.02)
