"""Git from a real server: branches, a first fetch, later ones, credentials, and what each failure is called."""

import asyncio
import contextlib
import logging
import os
from pathlib import Path

import pytest

from kijko.clients.git import Credential, Git, GitFailure, Objects, history
from kijko.settings import Git as GitSettings
from tests.fakes.git_server import GitServer

_PASSWORD = "dev-only-git-password"


def contents(folder: Path, commit: str) -> dict[str, bytes | None]:
    objects = Objects(folder, GitSettings())
    files = [entry for entry in objects.entries(commit) if entry.is_file]
    return {
        entry.path.decode(): data for entry, (_, data) in zip(files, objects.read(e.blob for e in files), strict=True)
    }


def command_lines() -> set[str]:
    """Those of every process there is."""
    found = set()
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.add(each.read_bytes().decode("utf-8", "replace"))
    return found


async def failure(attempt: object) -> str:
    with pytest.raises(GitFailure) as caught:
        await attempt  # type: ignore[misc]
    assert "http" not in caught.value.sentence.replace("https://", "")
    return caught.value.code


async def test_branches_are_told_with_their_commits(server: GitServer, client: Git) -> None:
    repository = server.repository("team/app", {"a.txt": "a"})
    other = repository.commit({"b.txt": "b"}, branch="feature/x")
    found = await client.refs(repository.url)
    assert found.default_branch == "main"
    assert found.branches == {"main": repository.head(), "feature/x": other}


async def test_an_empty_repository_has_no_branch(server: GitServer, client: Git) -> None:
    found = await client.refs(server.repository("empty").url)
    assert (found.default_branch, found.branches) == (None, {})


async def test_the_files_of_a_branch_are_brought_without_its_past(
    server: GitServer, client: Git, tmp_path: Path
) -> None:
    repository = server.repository("app", {"a.txt": "first", "gone.txt": "x"})
    commit = repository.commit({"a.txt": "second", "src/ü.py": "pass", "gone.txt": None})
    told: list[tuple[float, str]] = []
    found = await client.fetch(repository.url, "main", tmp_path / "f", progress=lambda *each: told.append(each))
    assert found == commit
    assert contents(tmp_path / "f", commit) == {"a.txt": b"second", "src/ü.py": b"pass"}
    assert (tmp_path / "f" / "shallow").read_text().split() == [commit]
    assert told
    assert all(0 <= share <= 1 for share, _ in told)


async def test_a_later_fetch_transfers_only_what_changed(server: GitServer, client: Git, tmp_path: Path) -> None:
    files = {f"{n}.bin": os.urandom(20_000) for n in range(50)}
    repository = server.repository("app", files)
    await client.fetch(repository.url, "main", tmp_path / "f")
    first, server.sent = server.sent, 0
    commit = repository.commit({"0.bin": b"changed", "1.bin": None})
    assert await client.fetch(repository.url, "main", tmp_path / "f") == commit
    assert first > 1_000_000
    assert server.sent < 20_000
    now = contents(tmp_path / "f", commit)
    assert now["0.bin"] == b"changed"
    assert "1.bin" not in now
    assert now["49.bin"] == files["49.bin"]


async def test_a_branch_that_was_rewritten_is_followed(server: GitServer, client: Git, tmp_path: Path) -> None:
    repository = server.repository("app", {"a.txt": "a"})
    await client.fetch(repository.url, "main", tmp_path / "f")
    other = repository.commit_tree(repository.tree([("100644", b"b.txt", repository.blob(b"b"))]))
    assert await client.fetch(repository.url, "main", tmp_path / "f") == other
    assert contents(tmp_path / "f", other) == {"b.txt": b"b"}


async def test_a_commit_that_is_known_is_not_fetched(server: GitServer, client: Git, tmp_path: Path) -> None:
    repository = server.repository("app", {"a.txt": "a"})
    assert await client.fetch(repository.url, "main", tmp_path / "f", known=repository.head()) == repository.head()
    assert not (tmp_path / "f").exists()


async def test_what_a_broken_fetch_left_is_cleared(server: GitServer, client: Git, tmp_path: Path) -> None:
    repository = server.repository("app", {"a.txt": "a"})
    await client.fetch(repository.url, "main", tmp_path / "f")
    (tmp_path / "f" / "shallow.lock").touch()
    (tmp_path / "f" / "objects" / "pack" / "tmp_pack_x").write_bytes(b"x")
    commit = repository.commit({"a.txt": "b"})
    assert await client.fetch(repository.url, "main", tmp_path / "f") == commit
    assert not list((tmp_path / "f").rglob("tmp_*"))


async def test_a_folder_that_is_no_repository_is_made_anew(server: GitServer, client: Git, tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "HEAD").write_text("nonsense")
    repository = server.repository("app", {"a.txt": "a"})
    assert await client.fetch(repository.url, "main", tmp_path / "f") == repository.head()


async def test_each_failure_has_its_code(server: GitServer, client: Git, tmp_path: Path) -> None:
    repository = server.repository("app", {"a.txt": "a"})
    assert await failure(client.fetch(repository.url, "nope", tmp_path / "f")) == "BRANCH_NOT_FOUND"
    assert await failure(client.fetch(repository.url, "nope", tmp_path / "f", known="0" * 40)) == "BRANCH_NOT_FOUND"
    assert await failure(client.refs(server.url + "/none.git")) == "REPOSITORY_NOT_FOUND"
    assert await failure(client.refs(server.url)) == "INVALID_REPOSITORY_URL"
    assert await failure(client.refs(repository.url + "?x=1")) == "INVALID_REPOSITORY_URL"
    assert await failure(client.refs("ext::sh -c touch% /tmp/x")) == "INVALID_REPOSITORY_URL"
    assert await failure(client.refs(f"file://{repository.folder}")) == "INVALID_REPOSITORY_URL"
    assert await failure(client.refs("https://127.0.0.1/x.git")) == "ADDRESS_REFUSED"
    assert await failure(Git(GitSettings()).refs(repository.url)) == "INVALID_REPOSITORY_URL"
    assert await failure(client.refs("https://no-such-host.invalid/x.git")) == "REPOSITORY_UNREACHABLE"
    server.close()
    assert await failure(client.refs(repository.url)) == "REPOSITORY_UNREACHABLE"


@pytest.mark.parametrize(
    "branch", ["", "-x", "a b", "a..b", "a:b", "x.lock", "a\nb", "refs@{0}", "/a", "a/", "a//b", "*", "é" * 101]
)
async def test_what_can_be_no_branch_is_not_asked_for(client: Git, tmp_path: Path, branch: str) -> None:
    assert await failure(client.fetch("https://git.test/x", branch, tmp_path / "f")) == "BRANCH_NOT_FOUND"


async def test_a_private_repository_is_read_with_its_credential(server: GitServer, client: Git, tmp_path: Path) -> None:
    server.credential = ("someone", _PASSWORD)
    repository = server.repository("app", {"a.txt": "a"})
    assert await failure(client.refs(repository.url)) == "AUTHENTICATION_FAILED"
    assert await failure(client.refs(repository.url, Credential("someone", "wrong"))) == "AUTHENTICATION_FAILED"
    right = Credential("someone", _PASSWORD)
    assert (await client.refs(repository.url, right)).branches == {"main": repository.head()}
    assert await client.fetch(repository.url, "main", tmp_path / "f", right) == repository.head()


async def test_a_credential_is_in_no_command_line_no_log_no_error_and_no_file(
    server: GitServer, client: Git, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.credential = ("someone", _PASSWORD)
    repository = server.repository("app", {f"{n}.bin": os.urandom(10_000) for n in range(20)})
    server.bytes_a_second = 200_000
    credential = Credential("someone", _PASSWORD)
    fetching = asyncio.create_task(client.fetch(repository.url, "main", tmp_path / "f", credential))
    seen: set[str] = set()
    while not fetching.done():
        seen |= command_lines()
        await asyncio.sleep(0.05)
    await fetching
    assert any("git-remote-http" in line or "remote-http" in line for line in seen)
    assert not [line for line in seen if _PASSWORD in line]
    server.credential = ("someone", "changed")
    with pytest.raises(GitFailure) as caught:
        await client.fetch(repository.url, "main", tmp_path / "f", credential)
    assert _PASSWORD not in str(caught.value) + repr(credential) + caplog.text
    kept = [path for path in (tmp_path / "f").rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if _PASSWORD.encode() in path.read_bytes()]


async def test_the_past_is_told_for_each_file_without_its_old_contents(
    server: GitServer, client: Git, tmp_path: Path
) -> None:
    repository = server.repository("app", {"old.txt": "o", "a.txt": "1"})
    repository.commit({"a.txt": os.urandom(50_000)}, message="Second", by="Ann Other")
    third = repository.commit({"a.txt": "3"}, message="Third: über", by="Ann Other")
    fourth = repository.commit({"b\n.txt": "4"}, message="Fourth")
    commit = await client.fetch(repository.url, "main", tmp_path / "f", history=3)
    assert server.sent < 20_000
    told = history(tmp_path / "f", commit, GitSettings())
    assert {path: (c.commit, c.author, c.subject, c.changes) for path, c in told.items()} == {
        b"b\n.txt": (fourth, "Test", "Fourth", 1),
        b"a.txt": (third, "Ann Other", "Third: über", 1),
    }
    fifth = repository.commit({"a.txt": "5"}, message="Fifth")
    assert await client.fetch(repository.url, "main", tmp_path / "f", history=3) == fifth
    again = history(tmp_path / "f", fifth, GitSettings())
    assert (again[b"a.txt"].subject, again[b"a.txt"].changes) == ("Fifth", 2)
    assert contents(tmp_path / "f", fifth) == {"old.txt": b"o", "a.txt": b"5", "b\n.txt": b"4"}


async def test_without_a_past_nothing_is_told_of_it(server: GitServer, client: Git, tmp_path: Path) -> None:
    repository = server.repository("app", {"a.txt": "1"})
    commit = await client.fetch(repository.url, "main", tmp_path / "f")
    repository.commit({"a.txt": "2"})
    assert history(tmp_path / "f", commit, GitSettings()) == {}
    with pytest.raises(GitFailure):
        history(tmp_path / "f", "0" * 40, GitSettings())
