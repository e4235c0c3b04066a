"""What a project's index has and what is found in it, over HTTP."""

import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from kijko.models.search import Chunk, ChunkPage, FilePage, IndexedFile, SearchResult
from kijko.services import search
from tests.conftest import Person, Shared
from tests.ingestion.making import ingest, project_of, served
from tests.projects.making import hire, join, make_project, said
from tests.search.conftest import Indexed

PersonFactory = Callable[..., Person]

CONFIG = '''import json


def parseConfig(text):
    """Turns the settings of a file into a mapping."""
    return json.loads(text)


def writeConfig(values):
    return json.dumps(values)
'''
SERVER = """# Serving

def handle_request(request):
    # the configuration was parsed before
    return request.answer()


def shut_down(server):
    server.stop()
"""
FILES = {"app/config.py": CONFIG, "app/server.py": SERVER}


async def test_a_result_says_which_source_it_is_of(person: PersonFactory, shared: Shared) -> None:
    one = person()
    repository = served(shared, {"app/config.py": CONFIG})
    project = await project_of(one, repository)
    (kept,) = (await one.http.get(f"/projects/{project['id']}/repositories")).json()
    sent = await one.http.post(
        "/files/upload", data={"projectId": project["id"]}, files={"files": ("notes.md", b"Zebras graze here.\n")}
    )
    await ingest(one, project)
    (code, *_) = await find(one, project, "parseConfig")
    assert (code["path"], code["repositoryId"], code["repositoryName"], code["uploadId"]) == (
        "app/config.py",
        kept["id"],
        kept["repositoryName"],
        None,
    )
    (note,) = await find(one, project, "zebras")
    assert (note["path"], note["repositoryId"], note["repositoryName"]) == ("notes.md", None, None)
    assert note["uploadId"] == sent.json()["uploaded"][0]["id"]


async def find(one: Person, project: dict[str, Any], q: str, **query: Any) -> list[dict[str, Any]]:
    answer = await one.http.get(f"/projects/{project['id']}/search", params={"q": q, **query})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


@pytest.mark.parametrize(
    "q",
    ["parse config", "parseConfig", "parse_config", "ParseConfig", "PARSE_CONFIG", "parse-config", "parsed configs"],
)
async def test_a_name_is_found_in_every_casing_and_as_words(person: PersonFactory, indexed: Indexed, q: str) -> None:
    one = person()
    project = await make_project(one)
    await indexed(one, project).ingest(FILES)
    best = (await find(one, project, q))[0]
    assert best["path"] == "app/config.py"
    assert best["startLine"] <= 4 <= best["endLine"]
    assert "def parseConfig" in best["content"]
    assert SearchResult.model_validate(best).model_dump(mode="json", by_alias=True) == best


async def test_a_results_lines_are_those_of_its_content_and_the_best_come_first(
    person: PersonFactory, indexed: Indexed
) -> None:
    one = person()
    project = await make_project(one)
    await indexed(one, project).ingest(FILES)
    found = await find(one, project, "what handles a request of the server or writes the config")
    assert len(found) > 1
    assert [each["score"] for each in found] == sorted((each["score"] for each in found), reverse=True)
    for each in found:
        lines = FILES[each["path"]].split("\n")[each["startLine"] - 1 : each["endLine"]]
        assert "\n".join(lines) + "\n" == each["content"]


async def test_a_sentence_finds_what_its_words_describe_and_not_what_has_its_small_words(
    person: PersonFactory, indexed: Indexed
) -> None:
    one = person()
    project = await make_project(one)
    prose = {"notes.py": "# the of a it is when the one of the that returns the of whether\n" * 5}
    await indexed(one, project).ingest(FILES | prose)
    best = (await find(one, project, "which of the functions is it that returns the mapping of the settings"))[0]
    assert best["path"] == "app/config.py"


async def test_no_more_than_the_limit_is_found_and_nothing_where_nothing_fits(
    person: PersonFactory, indexed: Indexed
) -> None:
    one = person()
    project = await make_project(one)
    assert await find(one, project, "config") == []
    await indexed(one, project).ingest(FILES)
    assert len(await find(one, project, "config", limit=1)) == 1
    assert await find(one, project, "zebra") == []
    assert await find(one, project, "?!") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "q"),
        ({"q": "  "}, "q"),
        ({"q": "x" * 1001}, "q"),
        ({"q": "x", "limit": 0}, "limit"),
        ({"q": "x", "limit": 101}, "limit"),
    ],
)
async def test_a_search_for_nothing_or_for_too_much_is_refused_in_a_sentence(
    person: PersonFactory, query: dict[str, Any], field: str
) -> None:
    one = person()
    project = await make_project(one)
    refused = await one.http.get(f"/projects/{project['id']}/search", params=query)
    assert (refused.status_code, refused.json()["field"]) == (422, field)
    long = await one.http.get(f"/projects/{project['id']}/search", params={"q": f"  {'x ' * 500}"})
    assert long.status_code == 200


async def test_only_who_may_read_a_project_searches_it(
    person: PersonFactory, indexed: Indexed, owner: psycopg.Connection[Any], shared: Shared
) -> None:
    boss, stranger = person(), person()
    project = await make_project(boss, privacy="private")
    await indexed(boss, project).ingest(FILES)
    worker = hire(owner, shared, boss, person())
    for who in (stranger, worker):
        for what in ("search?q=config", "files", "chunks"):
            assert said(await who.http.get(f"/projects/{project['id']}/{what}")) == (404, "PROJECT_NOT_FOUND")
    join(owner, project, worker, "viewer")
    assert await find(worker, project, "parseConfig")
    assert (await worker.http.get(f"/projects/{project['id']}/files")).json()["total"] == 2


async def test_another_projects_code_is_never_found(person: PersonFactory, indexed: Indexed) -> None:
    one = person()
    mine, other = await make_project(one), await make_project(one)
    await indexed(one, mine).ingest(FILES)
    assert await find(one, other, "parseConfig") == []


async def test_what_is_staged_is_seen_by_nobody_and_gone_when_it_is_discarded(
    person: PersonFactory, indexed: Indexed
) -> None:
    one = person()
    project = await make_project(one)
    index = indexed(one, project)
    await index.ingest(FILES)
    ingestion = uuid.uuid4()
    await index.stage(ingestion, {"new.py": "def zebra_crossing():\n    pass\n"})
    assert await find(one, project, "zebra_crossing") == []
    async with index.database.system("a test") as tx:
        await search.discard(tx, ingestion)
        await search.publish(tx, index.organization, index.project, ingestion, [])
    assert await find(one, project, "zebra_crossing") == []
    assert await find(one, project, "parseConfig")


async def test_what_an_ingestion_replaces_or_removes_is_found_no_more(person: PersonFactory, indexed: Indexed) -> None:
    one = person()
    project = await make_project(one)
    index = indexed(one, project)
    await index.ingest(FILES)
    await index.ingest({"app/config.py": CONFIG.replace("parseConfig", "readZebra")}, removed=["app/server.py"])
    assert "def readZebra" in (await find(one, project, "read_zebra"))[0]["content"]
    assert await find(one, project, "handle_request") == []
    assert {each["path"] for each in await find(one, project, "parseConfig config server")} == {"app/config.py"}


async def test_files_and_chunks_are_listed_by_path_in_pages(person: PersonFactory, indexed: Indexed) -> None:
    one = person()
    project = await make_project(one)
    await indexed(one, project).ingest({"b.py": CONFIG, "a.py": SERVER, "c/d.py": SERVER})
    at = f"/projects/{project['id']}"
    files = (await one.http.get(f"{at}/files", params={"pageSize": 2})).json()
    assert FilePage.model_validate(files).model_dump(mode="json", by_alias=True) == files
    assert [each["path"] for each in files["data"]] == ["a.py", "b.py"]
    assert (files["total"], files["page"], files["pageSize"], files["hasMore"]) == (3, 1, 2, True)
    assert set(files["data"][0]) == {field.alias for field in IndexedFile.model_fields.values()}
    pages = [(await one.http.get(f"{at}/chunks", params={"pageSize": 4, "page": n})).json() for n in (1, 2, 3)]
    assert ChunkPage.model_validate(pages[0]).model_dump(mode="json", by_alias=True) == pages[0]
    assert set(pages[0]["data"][0]) == {field.alias for field in Chunk.model_fields.values()}
    listed = [(each["path"], each["ordinal"]) for page in pages for each in page["data"]]
    assert listed == [(path, n) for path in ("a.py", "b.py", "c/d.py") for n in range(3)]
    assert [page["hasMore"] for page in pages] == [True, True, False]
    assert {page["total"] for page in pages} == {9}
    of_one = (await one.http.get(f"{at}/chunks", params={"path": "b.py"})).json()
    assert "".join(each["content"] for each in of_one["data"]) == CONFIG
    assert (await one.http.get(f"{at}/chunks", params={"path": "none.py"})).json()["total"] == 0


async def test_what_went_with_its_source_is_neither_found_nor_kept(
    person: PersonFactory, indexed: Indexed, owner: psycopg.Connection[Any]
) -> None:
    one = person()
    project = await make_project(one)
    index = indexed(one, project)
    await index.ingest(FILES)
    owner.execute("delete from uploads where project_id = %s and name = 'app/config.py'", (project["id"],))
    assert {each["path"] for each in await find(one, project, "parseConfig config server")} == {"app/server.py"}
    await search.sweep(index.database)
    row = owner.execute(
        "select i.chunks, i.dead, i.due, cardinality(i.segments) from search_indexes i where i.project_id = %s",
        (project["id"],),
    ).fetchone()
    assert row is not None
    assert row[0] == 3
    assert row[1] == []
    assert "def handle_request" in (await find(one, project, "handle_request"))[0]["content"]
