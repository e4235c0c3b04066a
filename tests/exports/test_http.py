"""A project's export over HTTP, of rows as an ingestion makes them."""

import asyncio
import json
import re
import uuid
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import unquote

import httpx
import psycopg
import pytest

from kijko.core.tokenizer import count
from kijko.models.exports import ProjectExport
from kijko.services.reading import FileRead, Options, read_file
from tests.conftest import Person, Shared
from tests.projects.making import hire, join, make_project, said

Owner = psycopg.Connection[Any]
Make = Callable[..., Person]

_FUNCTION = "def {name}(value: int) -> int:\n    return value + {number}\n\n\n"


def code(name: str, functions: int) -> str:
    return "".join(_FUNCTION.format(name=f"{name}_{number}", number=number) for number in range(functions))


def index(
    owner: Owner,
    project: dict[str, Any],
    files: Mapping[str, str],
    *,
    live: bool = True,
    repository: str | None = None,
    **options: Any,
) -> None:
    """Files with their pieces, as they stand after an ingestion."""
    row = owner.execute(
        "insert into project_repositories (organization_id, project_id, provider, repository_url, repository_name, "
        "branch) values (%s, %s, 'github', %s, %s, 'main') returning id",
        (
            project["organizationId"],
            project["id"],
            f"https://github.com/acme/{uuid.uuid4().hex}",
            repository or "acme/app",
        ),
    ).fetchone()
    assert row is not None
    top = owner.execute(
        "select coalesce(max(number), 0) from chunks where project_id = %s", (project["id"],)
    ).fetchone()
    number = top[0] if top else 0
    with owner.transaction():
        for path, text in files.items():
            read = read_file(path, text.encode(), Options(**options))
            assert isinstance(read, FileRead)
            file = owner.execute(
                "insert into source_files (organization_id, project_id, repository_id, live, path, content_key, "
                "options_key, language, size_bytes, lines, original_tokens, tokens, chunks, structure) "
                "values (%s, %s, %s, %s, %s, 'k', 'o', %s, %s, %s, %s, %s, %s, %s) returning id",
                (
                    project["organizationId"],
                    project["id"],
                    row[0],
                    live,
                    path,
                    read.language,
                    len(text.encode()),
                    read.lines,
                    read.original_tokens,
                    read.tokens,
                    len(read.pieces),
                    json.dumps(read.structure),
                ),
            ).fetchone()
            assert file is not None
            rows = [
                (
                    file[0],
                    place,
                    uuid.uuid4(),
                    project["organizationId"],
                    project["id"],
                    number + place + 1,
                    piece.start_byte,
                    piece.end_byte,
                    piece.start_line,
                    piece.end_line,
                    piece.tokens,
                    piece.kind,
                    piece.symbol,
                    piece.text,
                )
                for place, piece in enumerate(read.pieces)
            ]
            number += len(rows)
            with owner.cursor() as cursor:
                cursor.executemany(
                    "insert into chunks (file_id, ordinal, id, organization_id, project_id, number, start_byte, "
                    "end_byte, start_line, end_line, tokens, kind, symbol, content) "
                    "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                    rows,
                )


async def export(one: Person, project: dict[str, Any], **query: Any) -> httpx.Response:
    return await one.http.get(f"/projects/{project['id']}/export", params=query)


async def test_json_has_each_file_once_with_its_text_and_the_tokens_of_folders(person: Make, owner: Owner) -> None:
    one = person()
    project = await make_project(one)
    files = {
        "README.md": '# App\n\nIt is "quoted".\n',
        "src/a.py": code("a", 60),
        "src/deep/b.js": "export function b() { return '\\u2028é🙂'; }\n",
        "empty.py": "",
    }
    index(owner, project, files)
    answer = await export(one, project)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert ProjectExport.model_validate(told).model_dump(mode="json", by_alias=True) == told
    assert {each["path"]: each["content"] for each in told["files"]} == {
        path: text for path, text in files.items() if text
    }
    assert [each["path"] for each in told["files"]] == sorted(path for path in files if files[path])
    assert told["totalFiles"] == 4
    assert told["totalTokens"] == sum(each["tokens"] for each in told["files"])
    tokens = {each["path"]: each["tokens"] for each in told["files"]}
    assert told["tree"] == [
        {"path": "src", "files": 2, "tokens": tokens["src/a.py"] + tokens["src/deep/b.js"]},
        {"path": "src/deep", "files": 1, "tokens": tokens["src/deep/b.js"]},
    ]
    assert told["leftOut"] == {"files": 0, "tokens": 0, "names": []}
    assert told["project"]["name"] == project["name"]
    assert told["tokenizer"] == "cl100k_base"


async def test_markdown_fences_hold_whatever_is_in_a_file(person: Make, owner: Owner) -> None:
    one = person()
    project = await make_project(one)
    text = "# Notes\n````\ncode\n````\nno line end"
    index(owner, project, {"notes.md": text, "a.py": "x = 1\n"}, repository="acme/shop")
    answer = await export(one, project, format="markdown")
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    found = answer.text
    assert f"# {project['name']}\n" in found
    assert f"\n`````markdown\n{text}\n`````\n" in found
    assert "### a.py of acme/shop (5 tokens)\n\n```python\nx = 1\n```\n" in found


async def test_windows_that_overlap_come_once(person: Make, owner: Owner) -> None:
    one = person()
    project = await make_project(one)
    files = {
        "a.py": code("a", 100),
        "b.txt": "é wörd 日本 " * 900,
        "c.py": 'password = "S3cr3t!Pa55word9"\n' + code("c", 50),
    }
    index(owner, project, files, strategy="fixed", budget_tokens=64, overlap_tokens=32)
    told = {each["path"]: each["content"] for each in (await export(one, project)).json()["files"]}
    assert told["a.py"] == files["a.py"]
    assert told["b.txt"] == files["b.txt"]
    assert re.sub(r"\[secret:[^]]*\]", "S3cr3t!Pa55word9", told["c.py"]) == files["c.py"]


async def test_a_large_project_comes_whole_across_many_reads(person: Make, owner: Owner) -> None:
    one = person()
    project = await make_project(one)
    files = {f"src/p{number % 7}/f{number:04}.py": code(f"f{number}", 1) for number in range(1_203)}
    files["big.py"] = code("big", 2_500)
    index(owner, project, files)
    told = (await export(one, project)).json()
    assert {each["path"]: each["content"] for each in told["files"]} == files
    text = (await export(one, project, format="markdown")).text
    assert text.count("\n### ") == len(files)
    assert files["big.py"] in text


@pytest.mark.parametrize("query", [{}, {"maxTokens": 100_000_000}])
async def test_an_index_that_is_published_meanwhile_leaves_no_file_out(
    person: Make, owner: Owner, query: dict[str, Any]
) -> None:
    """A client that reads slowly: the index that serves is replaced after the first bytes have come."""
    one = person()
    project = await make_project(one)
    line = "old words of a file that is as long as it takes, {number:04}\n"
    files = {f"f{number:04}.txt": line.format(number=number) * 400 for number in range(520)}  # more than sockets hold
    index(owner, project, files)
    async with one.http.stream("GET", f"/projects/{project['id']}/export", params=query) as answer:
        parts = answer.aiter_raw(65_536)
        told = await anext(parts)
        index(owner, project, {path: text.replace("old", "new") for path, text in files.items()}, live=False)
        with owner.transaction():
            owner.execute("update source_files set live = not live where project_id = %s", (project["id"],))
        async for part in parts:
            told += part
    body = json.loads(told)
    assert {each["path"]: each["content"] for each in body["files"]} == files
    assert body["totalFiles"] == len(files)
    assert "new words" in (await export(one, project)).text


async def test_two_exports_at_once_and_one_that_is_broken_off_gives_its_place_back(person: Make, owner: Owner) -> None:
    one = person()
    project = await make_project(one)
    index(owner, project, {f"src/f{number:04}.py": code(f"f{number}", 300) for number in range(300)})
    address = f"/projects/{project['id']}/export"
    async with AsyncExitStack() as stack:
        answers = [await stack.enter_async_context(one.http.stream("GET", address)) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        refused = json.loads(await answers[2].aread())
        assert (refused["code"], refused["details"]["metric"]) == ("RATE_LIMITED", "exports_at_once")
        assert (await one.http.get(f"/projects/{project['id']}")).status_code == 200
    for _ in range(100):  # what was broken off is noticed when the next part is sent
        if (await one.http.get(address)).status_code == 200:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the places were not given back")


async def test_two_repositories_with_the_same_paths_are_told_apart(person: Make, owner: Owner) -> None:
    one = person()
    project = await make_project(one)
    index(owner, project, {"a.py": "x = 1\n"}, repository="acme/one")
    index(owner, project, {"a.py": "x = 2\n"}, repository="acme/two")
    told = (await export(one, project)).json()["files"]
    assert {each["repository"]: each["content"] for each in told} == {"acme/one": "x = 1\n", "acme/two": "x = 2\n"}


@pytest.mark.parametrize("most", [500, 2_000, 10_000, 60_000])
async def test_a_number_of_tokens_is_kept_and_what_is_left_out_is_named(person: Make, owner: Owner, most: int) -> None:
    one = person()
    project = await make_project(one)
    files = {f"src/area{number % 9}/module{number}.py": code(f"m{number}", 8) for number in range(90)}
    files |= {
        "README.md": "# App\n\nWhat it is.\n",
        "src/main.py": code("main", 3),
        "tests/test_a.py": code("t", 8),
        "huge.py": code("huge", 900),
    }
    index(owner, project, files)
    text = (await export(one, project, format="markdown", maxTokens=most)).text
    assert count(text) <= most
    told = (await export(one, project, maxTokens=most)).json()
    there = {each["path"]: each for each in told["files"]}
    assert "README.md" in there
    assert "src/main.py" in there
    assert len(there) + told["leftOut"]["files"] == len(files)
    assert not there.keys() & {each["path"] for each in told["leftOut"]["names"]}
    for path, each in there.items():
        if each["part"] == "whole":
            assert each["content"] == files[path]
        else:
            assert f"def {each['content'].split('def ')[1].split('(')[0]}(" in files[path]
    if most == 10_000:
        assert len({path.split("/")[1] for path in there if path.startswith("src/area")}) == 9
        assert "tests/test_a.py" not in there
        assert "## Left out" in text
    if most == 60_000:
        assert there["huge.py"]["part"] == "signatures"


async def test_a_project_without_an_index_has_an_empty_export(person: Make) -> None:
    one = person()
    project = await make_project(one)
    assert (await export(one, project)).json()["files"] == []
    assert (await export(one, project, maxTokens=1_000)).json()["totalFiles"] == 0
    assert "0 files" in (await export(one, project, format="markdown")).text


async def test_what_is_staged_does_not_show(person: Make, owner: Owner) -> None:
    one = person()
    project = await make_project(one)
    index(owner, project, {"a.py": "x = 1\n"})
    index(owner, project, {"staged.py": "y = 1\n"}, live=False)
    assert [each["path"] for each in (await export(one, project)).json()["files"]] == ["a.py"]


async def test_who_may_not_read_the_project_finds_none(person: Make, owner: Owner, shared: Shared) -> None:
    one = person()
    project = await make_project(one)
    index(owner, project, {"a.py": "x = 1\n"})
    assert said(await export(person(), project)) == (404, "PROJECT_NOT_FOUND")
    colleague = hire(owner, shared, one, person())
    assert said(await export(colleague, project)) == (404, "PROJECT_NOT_FOUND")
    join(owner, project, colleague, "viewer")
    assert (await export(colleague, project)).status_code == 200


@pytest.mark.parametrize("query", [{"format": "xml"}, {"maxTokens": "many"}, {"maxTokens": 10}])
async def test_a_wrong_question_is_a_422(person: Make, query: dict[str, Any]) -> None:
    one = person()
    project = await make_project(one)
    assert (await export(one, project, **query)).status_code == 422


async def test_the_file_has_the_project_s_name(person: Make) -> None:
    one = person()
    project = await make_project(one, name=f'Größe "{uuid.uuid4().hex[:6]}" / x')
    header = (await export(one, project, format="markdown")).headers["content-disposition"]
    assert unquote(header.partition("filename*=UTF-8''")[2]) == f"{project['name']}.md"
    assert re.fullmatch(r"attachment; filename=\"[A-Za-z0-9._-]+\.md\"; filename\*=UTF-8''[!-~]+", header)
