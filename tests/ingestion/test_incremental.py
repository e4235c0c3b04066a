"""Again: only what changed is read, and what serves afterwards is what reading everything would have given."""

import random
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.conftest import Person, Shared
from tests.fakes.git_server import Repository, git
from tests.ingestion.making import add, files, ingest, project_of, served, status, text_of

Owner = psycopg.Connection[Any]
Make = Callable[..., Person]


def read_anew(owner: Owner, ingestion: dict[str, Any]) -> list[str]:
    """The files that an ingestion has read itself, whether they were kept or not."""
    rows = owner.execute(
        "select path from ingestion_files where ingestion_id = %s and state = 'read' order by path",
        (ingestion["id"],),
    )
    return [path for (path,) in rows]


async def test_only_what_a_commit_changed_is_read_again(person: Make, shared: Shared, owner: Owner) -> None:
    one = person()
    repository = served(shared, {"a.py": "a = 1\n", "b.py": "b = 1\n", "c.py": "c = 1\n", "d.bin": b"\0\1\2" * 50})
    project = await project_of(one, repository)
    first = await ingest(one, project)
    assert read_anew(owner, first) == ["a.py", "b.py", "c.py"]
    before = files(owner, project)
    repository.commit({"b.py": "b = 2\n", "c.py": None, "e.py": "c = 1\n"})
    second = await _again(one, project, owner)
    assert read_anew(owner, second) == ["b.py", "e.py"]
    after = files(owner, project)
    assert set(after) == {"a.py", "b.py", "e.py"}
    assert after["a.py"] == before["a.py"]
    assert after["b.py"] != before["b.py"]
    assert text_of(owner, project, "b.py") == "b = 2\n"
    assert second["skipped"] == first["skipped"]


async def _again(one: Person, project: dict[str, Any], owner: Owner) -> dict[str, Any]:
    """An ingestion that is not forced: as after an error."""
    owner.execute("update projects set status = 'error' where id = %s", (project["id"],))
    return await ingest(one, project)


async def test_nothing_is_read_again_when_nothing_changed(person: Make, shared: Shared, owner: Owner) -> None:
    one, repository = person(), served(shared, {"a.py": "a = 1\n", "k.py": "token = 'ghp_' + 'x'\n"})
    project = await project_of(one, repository)
    first = await ingest(one, project)
    again = await _again(one, project, owner)
    assert read_anew(owner, again) == []
    assert (again["commits"], again["skipped"]) == (first["commits"], first["skipped"])
    assert (await status(one, project))["totalFiles"] == 2


async def test_a_forced_ingestion_reads_everything_and_gives_the_same(
    person: Make, shared: Shared, owner: Owner
) -> None:
    one = person()
    project = await project_of(one, served(shared, {"a.py": "a = 1\n", "b.md": "# B\n"}))
    await ingest(one, project)
    before = files(owner, project)
    assert read_anew(owner, await ingest(one, project, force=True)) == ["a.py", "b.md"]
    assert files(owner, project) == before


async def test_other_settings_have_every_file_read_again(person: Make, shared: Shared, owner: Owner) -> None:
    one = person()
    project = await project_of(one, served(shared, {"a.py": "a = 1\n", "b.py": "b = 1\n"}))
    await ingest(one, project)
    before = files(owner, project)
    await one.http.patch(f"/projects/{project['id']}", json={"chunkingStrategy": "recursive"})
    assert read_anew(owner, await _again(one, project, owner)) == ["a.py", "b.py"]
    after = files(owner, project)
    assert {path: key for path, (key, _) in after.items()} == {path: key for path, (key, _) in before.items()}
    assert all(after[path][1] != before[path][1] for path in after)


async def test_other_patterns_change_which_files_serve_and_read_none_again(
    person: Make, shared: Shared, owner: Owner
) -> None:
    one = person()
    repository = served(shared, {"src/a.py": "a = 1\n", "docs/b.md": "# B\n", "src/c.py": "c = 1\n"})
    project = await project_of(one, repository)
    await ingest(one, project)
    settings = {"patternFilters": {"languagePatterns": [], "excludePatterns": ["docs/**"]}}
    await one.http.patch(f"/projects/{project['id']}", json={"settings": settings})
    again = await _again(one, project, owner)
    assert read_anew(owner, again) == []
    assert set(files(owner, project)) == {"src/a.py", "src/c.py"}
    assert "docs/b.md" in {each["path"] for each in again["skipped"]}


async def test_several_repositories_and_uploads_serve_together_and_go_with_their_source(
    person: Make, shared: Shared, owner: Owner
) -> None:
    one = person()
    left, right = served(shared, {"a.py": "left = 1\n"}), served(shared, {"a.py": "right = 1\n", "b.py": "b = 1\n"})
    project = await project_of(one, left)
    gone = await add(one, project, right, includePaths=["a.py"])
    sent = await one.http.post(
        "/files/upload", data={"projectId": project["id"]}, files=[("files", ("notes.md", b"# Notes\n"))]
    )
    assert sent.status_code == 200, sent.text
    done = await ingest(one, project)
    rows = owner.execute(
        "select path, repository_id is not null from source_files where project_id = %s and live order by 1, 2",
        (project["id"],),
    ).fetchall()
    assert rows == [("a.py", True), ("a.py", True), ("notes.md", False)]
    assert {each["repositoryName"] for each in done["commits"]} == {left.url[-21:-4], right.url[-21:-4]}
    assert (await status(one, project))["totalFiles"] == 3
    assert (await one.http.delete(f"/projects/{project['id']}/repositories/{gone['id']}")).status_code == 200
    assert set(files(owner, project)) == {"a.py", "notes.md"}
    assert (await status(one, project))["totalFiles"] == 2
    again = await _again(one, project, owner)
    assert read_anew(owner, again) == []
    assert (await status(one, project))["totalFiles"] == 2


async def test_a_repository_that_cannot_be_read_leaves_what_served(person: Make, shared: Shared, owner: Owner) -> None:
    one, repository = person(), served(shared, {"a.py": "a = 1\n"})
    project = await project_of(one, repository)
    first = await ingest(one, project)
    before = files(owner, project)
    hidden = repository.folder.with_name("hidden-" + repository.folder.name)
    repository.folder.rename(hidden)
    failed = await ingest(one, project, force=True)
    assert (failed["status"], failed["errorCode"]) == ("failed", "REPOSITORY_NOT_FOUND")
    assert files(owner, project) == before
    assert (await status(one, project))["status"] == "error"
    hidden.rename(repository.folder)
    repository.commit({"a.py": "a = 2\n"})
    assert (await ingest(one, project))["status"] == "completed"
    assert text_of(owner, project, "a.py") == "a = 2\n"
    assert first["status"] == "completed"


_NAMES = [
    f"{folder}{name}" for folder in ("", "src/", "src/deep/", "docs/") for name in ("a.py", "b.js", "c.md", "d.go")
]
_LINES = (
    "def f(x):\n    return x\n",
    "value = 1\n",
    "# Title\n",
    "function g() { return 2 }\n",
    "\n",
    "text, é and 🦀\n",
)


def _edit(chance: random.Random, now: dict[str, str]) -> dict[str | bytes, str | bytes | None]:
    """Some random changes of a tree, which `now` follows: added, changed, renamed, deleted."""
    done: dict[str | bytes, str | bytes | None] = {}
    for _ in range(chance.randint(1, 6)):
        name, other = chance.choice(_NAMES), chance.choice(_NAMES)
        match chance.choice(("write", "write", "delete", "rename")):
            case "delete" if len(now) > 1 and name in now:
                del now[name]
                done[name] = None
            case "rename" if name in now and name != other:
                now[other] = done[other] = now.pop(name)
                done[name] = None
            case _:
                now[name] = done[name] = "".join(chance.choices(_LINES, k=chance.randint(1, 40)))
    return done


@pytest.mark.parametrize("seed", range(4))
async def test_after_any_edits_an_incremental_ingestion_gives_what_a_full_one_does(
    person: Make, shared: Shared, owner: Owner, seed: int
) -> None:
    chance = random.Random(seed)
    one, now = person(), {"src/a.py": "a = 1\n"}
    repository = served(shared, dict(now))
    project = await project_of(one, repository)
    await ingest(one, project)
    for _ in range(4):
        repository.commit(_edit(chance, now))
        incremental = await _again(one, project, owner)
        served_now = _everything(owner, project)
        assert {row[0] for row in served_now} == set(now)
        full = await ingest(one, project, force=True)
        assert _everything(owner, project) == served_now
        assert (full["skipped"], full["secrets"]) == (incremental["skipped"], incremental["secrets"])


def _other_kinds(repository: Repository) -> None:
    """What was a file is a link, a folder or a submodule now, and the other way round."""
    content, link = repository.blob(b"kind = 1\n"), repository.blob(b"Name.py")
    inner = repository.tree([("100755", b"x.py", content)])
    entries = [("160000", b"Name.py", repository.head()), ("40000", b"b", inner), ("100644", b"dir", content)]
    repository.commit_tree(repository.tree([*entries, ("120000", b"lines.py", link)]))


def _rewritten(repository: Repository) -> None:
    """Another history, which has nothing of the one before."""
    tree = repository.tree([("100644", b"lines.py", repository.blob(b"def f():\r\n    pass\r\n"))])
    root = git(repository.folder, "commit-tree", tree, "-m", "Another beginning").decode().strip()
    git(repository.folder, "update-ref", "refs/heads/main", root)


async def test_after_odd_changes_an_incremental_ingestion_gives_what_a_full_one_does(
    person: Make, shared: Shared, owner: Owner
) -> None:
    lines = "def f():\n    pass\n"
    one, repository = (
        person(),
        served(shared, {"name.py": "n = 1\n", "b": "b\n", "dir/x.py": "x = 1\n", "lines.py": lines}),
    )
    project = await project_of(one, repository)
    await ingest(one, project)
    changes: tuple[tuple[Callable[[], object], set[str]], ...] = (
        (
            lambda: repository.commit(
                {
                    "name.py": None,
                    "Name.py": "n = 1\n",
                    "lines.py": lines.replace("\n", "\r\n"),
                    "b": b"\xff\xfeb\0\n\0",
                }
            ),
            {"Name.py", "b", "dir/x.py", "lines.py"},
        ),
        (lambda: _other_kinds(repository), {"b/x.py", "dir"}),
        (lambda: _rewritten(repository), {"lines.py"}),
        (lambda: repository.commit_tree(repository.tree([])), set()),
    )
    for change, expected in changes:
        change()
        incremental = await _again(one, project, owner)
        served_now = _everything(owner, project)
        assert (incremental["status"], {row[0] for row in served_now}) == ("completed", expected)
        full = await ingest(one, project, force=True)
        assert _everything(owner, project) == served_now
        assert (full["skipped"], full["notes"]) == (incremental["skipped"], incremental["notes"])


def _everything(owner: Owner, project: dict[str, Any]) -> list[tuple[Any, ...]]:
    return owner.execute(
        "select f.path, f.content_key, f.options_key, f.language, f.tokens, f.structure::text, c.ordinal, c.id, "
        "c.start_byte, c.end_byte, c.start_line, c.end_line, c.symbol, c.content "
        "from source_files f join chunks c on c.file_id = f.id where f.project_id = %s and f.live order by f.path, "
        "c.ordinal",
        (project["id"],),
    ).fetchall()
