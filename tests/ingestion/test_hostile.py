"""Repositories that mean harm, through the door: the ingestion ends, says what it did not take; nothing gets out."""

from collections.abc import Callable
from typing import Any

import psycopg

from tests.conftest import Person, Shared
from tests.fakes.git_server import Repository, git
from tests.ingestion.making import files, ingest, project_of, served, text_of

Owner = psycopg.Connection[Any]
Make = Callable[..., Person]


def tree_of(repository: Repository, *entries: tuple[str, bytes, bytes]) -> None:
    """Make a commit of these (mode, name, content), however odd."""
    made = [(mode, name, repository.blob(content)) for mode, name, content in entries]
    repository.commit_tree(repository.tree(made))


async def test_links_submodules_and_odd_names_are_told_and_not_taken(
    person: Make, shared: Shared, owner: Owner
) -> None:
    one, repository = person(), served(shared, {"a.py": "a = 1\n"})
    tree_of(
        repository,
        ("100644", b"a.py", b"a = 1\n"),
        ("120000", b"escape", b"../../../../etc/passwd"),
        ("100644", b"latin-\xe9.py", b"d = 1\n"),
        ("100644", b"line\nbreak.py", b"b = 1\n"),
        ("100644", b"l" * 4000 + b".py", b"c = 1\n"),
    )
    project = await project_of(one, repository)
    done = await ingest(one, project)
    assert done["status"] == "completed", done
    assert set(files(owner, project)) == {"a.py"}
    skipped = {each["path"]: each["reason"] for each in done["skipped"]}
    assert len(skipped) == 4
    assert "control character" in skipped["line\\nbreak.py"]
    assert "UTF-8" in skipped["latin-\\xe9.py"]
    assert all(len(path) <= 400 for path in skipped)


async def test_a_submodule_and_a_pointer_to_large_files_lead_nowhere(
    person: Make, shared: Shared, owner: Owner
) -> None:
    one, repository = person(), served(shared, {"a.py": "a = 1\n"})
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d" * 32 + b"\nsize 12345678\n"
    blobs = [("100644", b"a.py", repository.blob(b"a = 1\n")), ("100644", b"big.psd", repository.blob(pointer))]
    tree = repository.tree([*blobs, ("160000", b"vendored", repository.head())])
    repository.commit_tree(tree)
    project = await project_of(one, repository)
    done = await ingest(one, project)
    assert done["status"] == "completed", done
    assert "vendored" in {each["path"] for each in done["skipped"]}
    assert "a.py" in files(owner, project)


async def test_a_tree_that_leads_out_of_itself_is_taken_without_what_leads_out(
    person: Make, shared: Shared, owner: Owner
) -> None:
    one, repository = person(), served(shared, {"a.py": "a = 1\n"})
    inner = repository.tree([("100644", b"evil.py", repository.blob(b"evil = 1\n"))])
    tree = repository.tree([("40000", b"..", inner), ("100644", b"a.py", repository.blob(b"a = 1\n"))])
    repository.commit_tree(tree)
    project = await project_of(one, repository)
    done = await ingest(one, project)
    if done["status"] == "completed":
        assert set(files(owner, project)) == {"a.py"}
        assert "../evil.py" in {each["path"] for each in done["skipped"]}
    else:
        assert done["errorCode"] == "REPOSITORY_UNREACHABLE"


async def test_a_file_over_the_cap_is_not_read(person: Make, shared: Shared, owner: Owner) -> None:
    one = person()
    repository = served(shared, {"a.py": "a = 1\n", "huge.py": "x = 1  # filler\n" * 200_000})
    project = await project_of(one, repository)
    done = await ingest(one, project)
    assert set(files(owner, project)) == {"a.py"}
    (skipped,) = [each for each in done["skipped"] if each["path"] == "huge.py"]
    assert "2,000,000" in skipped["reason"]


async def test_a_small_repository_of_gigabytes_of_text_is_refused_before_it_is_read(
    person: Make, shared: Shared, owner: Owner
) -> None:
    one, repository = person(), served(shared, {"a.py": "a = 1\n"})
    blob = repository.blob(b"x = 1\n" * 320_000)
    repository.commit_tree(repository.tree([("100644", b"%04d.py" % number, blob) for number in range(1100)]))
    project = await project_of(one, repository)
    done = await ingest(one, project)
    assert (done["status"], done["errorCode"]) == ("failed", "REPOSITORY_TOO_LARGE")
    assert "more than 2,000 MB in all" in done["errorMessage"]
    assert done["metrics"]["bytesProcessed"] == 0


async def test_hooks_filters_and_attributes_do_nothing(person: Make, shared: Shared, owner: Owner) -> None:
    one = person()
    given = {
        ".gitattributes": "*.py filter=evil diff=evil working-tree-encoding=UTF-16 ident\n",
        ".gitconfig": '[filter "evil"]\n  smudge = touch /tmp/kijko-evil\n',
        "a.py": "a = '$Id$'\n",
    }
    project = await project_of(one, served(shared, given))
    assert (await ingest(one, project))["status"] == "completed"
    assert text_of(owner, project, "a.py") == "a = '$Id$'\n"


async def test_broken_bytes_and_broken_syntax_degrade_and_never_fail(
    person: Make, shared: Shared, owner: Owner
) -> None:
    one = person()
    given: dict[str | bytes, str | bytes | None] = {
        "broken.py": "def f(:\n" * 500 + "class\n((((\n",
        "deep.py": "(" * 20_000 + ")" * 20_000 + "\n",
        "deep.json": "[" * 50_000,
        "empty.py": "",
        "latin.py": "# caf\xe9\nx = 1\n".encode("latin-1"),
        "utf16.txt": "hello\n".encode("utf-16"),
        "half.py": b"x = '\xed\xa0\x80'\n",
        "line.js": "a" * 500_000,
        "nul.py": b"x = 1\n\0\n",
        "good.py": "good = 1\n",
    }
    project = await project_of(one, served(shared, given))
    done = await ingest(one, project)
    assert done["status"] == "completed", done
    assert "good.py" in files(owner, project)
    told = {each["path"] for each in [*done["skipped"], *done["errors"]]}
    taken = {path for (path,) in owner.execute(
        "select path from source_files where project_id = %s and live", (project["id"],)
    )}  # fmt: skip
    assert told | taken == {str(name) for name in given}
    assert not told & taken


async def test_of_several_repositories_the_one_that_cannot_be_read_is_named(person: Make, shared: Shared) -> None:
    one, good, bad = person(), served(shared, {"a.py": "a = 1\n"}), served(shared, {"a.py": "a = 1\n"})
    tree = bad.tree([("100644", b"%d.py" % number, bad.blob(b"x")) for number in range(10)])
    for _ in range(5):
        tree = bad.tree([("40000", b"%d" % number, tree) for number in range(10)])
    bad.commit_tree(tree)
    project = await project_of(one, good, bad)
    done = await ingest(one, project)
    assert (done["status"], done["errorCode"]) == ("failed", "REPOSITORY_TOO_LARGE")
    told = {
        each["repositoryName"]: each for each in (await one.http.get(f"/projects/{project['id']}/repositories")).json()
    }
    name = bad.url.removesuffix(".git").split("/", 3)[3]
    assert done["errorMessage"].startswith(f"{name}: ")
    assert {each: found["status"] == "error" for each, found in told.items()}[name]
    assert sum(found["status"] == "error" for found in told.values()) == 1


async def test_patterns_that_take_long_to_compile_cost_seconds(person: Make, shared: Shared, owner: Owner) -> None:
    lines = "".join(f"*{chr(97 + at % 26)}*?*[!{at}]*{at}?*x\n" for at in range(4500))[:99_000]
    given: dict[str | bytes, str | bytes | None] = {f"d{at}/.gitignore": f"{lines}\n# {at}\n" for at in range(150)}
    given |= {".gitignore": ".gitignore\n*.log\n", "a.py": "a = 1\n", "b.log": "b\n", "d1/c.py": "c = 1\n"}
    one = person()
    project = await project_of(one, served(shared, given))
    done = await ingest(one, project)
    assert (done["status"], done["errorCode"]) == ("completed", None)
    assert set(files(owner, project)) == {"a.py", "d1/c.py"}


async def test_an_empty_repository_and_a_lost_branch_say_so(person: Make, shared: Shared) -> None:
    one, repository = person(), served(shared, {"a.py": "a = 1\n"})
    project = await project_of(one, repository)
    git(repository.folder, "branch", "-m", "main", "trunk")
    done = await ingest(one, project)
    assert (done["status"], done["errorCode"]) == ("failed", "BRANCH_NOT_FOUND")
    assert done["errorMessage"].endswith(
        "The repository has no branch 'main'. Its default one is 'trunk': name that, or another, at the repository."
    )
    progress = (await one.http.get(f"/projects/{project['id']}/progress")).json()
    assert (progress["errorCode"], progress["errorMessage"]) == ("BRANCH_NOT_FOUND", done["errorMessage"])
    done = await ingest(one, await project_of(one, served(shared, {})))
    assert (done["status"], done["errorCode"]) == ("failed", "BRANCH_NOT_FOUND")
    assert done["errorMessage"].endswith("The repository has no branch 'main'. It has none at all: push to it first.")
