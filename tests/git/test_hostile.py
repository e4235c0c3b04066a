"""Repositories and servers that mean harm: nothing of theirs runs, escapes or exhausts."""

import asyncio
import contextlib
import os
import resource
import sys
import time
from collections.abc import Awaitable
from pathlib import Path

import pytest

from kijko.clients.git import Credential, Git, GitFailure, Objects, history, process, unsafe
from kijko.clients.git.process import folder_size
from kijko.settings import Git as GitSettings
from tests.fakes.git_server import GitServer, Repository, git


def caps(server: GitServer, **changed: float) -> GitSettings:
    return GitSettings.model_validate({"allowed_hosts": [server.pair], "answer_s": 5, "fetch_s": 30} | changed)


async def fails(attempt: Awaitable[object]) -> GitFailure:
    with pytest.raises(GitFailure) as caught:
        await attempt
    return caught.value


def our_gits(mark: str) -> list[int]:
    """Processes whose command line has that mark."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if mark.encode() in each.read_bytes():
                found.append(int(each.parent.name))
    return [pid for pid in found if pid != os.getpid()]


async def fetched(server: GitServer, repository: Repository, folder: Path, **changed: float) -> tuple[Objects, str]:
    settings = caps(server, **changed)
    commit = await Git(settings).fetch(repository.url, "main", folder)
    return Objects(folder, settings), commit


def as_commit(repository: Repository, written: bytes) -> str:
    """Make the branch's next commit as it is written, however odd; answers it."""
    writing = ("hash-object", "-w", "-t", "commit", "--literally", "--stdin")
    commit = git(repository.folder, *writing, given=written).decode().strip()
    git(repository.folder, "update-ref", "refs/heads/main", commit)
    return commit


def names_in(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}


async def names_of(
    server: GitServer, repository: Repository, folder: Path
) -> tuple[str | None, dict[bytes, str | None]]:
    """The failure's code, or the paths with their names."""
    try:
        objects, commit = await fetched(server, repository, folder)
    except GitFailure as failure:
        return failure.code, {}
    return None, {entry.path: entry.name for entry in objects.entries(commit)}


async def test_links_and_submodules_are_told_and_never_followed(server: GitServer, tmp_path: Path) -> None:
    repository = server.repository("app")
    target = repository.blob(b"../../../../etc/passwd")
    modules = repository.blob(b'[submodule "x"]\n\tpath = x\n\turl = ext::sh -c "touch /tmp/kijko-owned"\n')
    lying = repository.blob(b'[submodule "--upload-pack=x"]\n\tpath = -x\n\turl = file:///etc\n')
    repository.commit_tree(
        repository.tree(
            [
                ("100644", b".gitmodules", modules),
                ("120000", b"link", target),
                ("100644", b"other.gitmodules", lying),
                ("160000", b"x", "1" * 40),
            ]
        )
    )
    objects, commit = await fetched(server, repository, tmp_path / "f")
    told = {entry.path: entry for entry in objects.entries(commit)}
    assert {path for path, entry in told.items() if entry.is_file} == {b".gitmodules", b"other.gitmodules"}
    assert told[b"x"].size is None
    assert "kijko-owned" not in names_in(Path("/tmp"))  # noqa: S108
    assert not (tmp_path / "f" / "modules").exists()


@pytest.mark.parametrize("inner", [b"..", b".", b".git", b".GIT", b"", b"/etc/passwd", b"a/../../b"])
async def test_a_name_that_leads_out_is_none_or_refuses_the_repository(
    server: GitServer, tmp_path: Path, inner: bytes
) -> None:
    repository = server.repository("app")
    blob = repository.blob(b"x")
    inside = repository.tree([("100644", inner, blob), ("100644", b"z.txt", blob)])
    repository.commit_tree(repository.tree([("40000", b"d", inside)]))
    code, names = await names_of(server, repository, tmp_path / "f")
    if code is None:
        assert names.pop(b"d/z.txt") == "d/z.txt"
        assert set(names.values()) == {None}
    assert code in {None, "REPOSITORY_UNREACHABLE"}
    assert names_in(tmp_path) == {"f", "served"}


@pytest.mark.parametrize(
    ("path", "why"),
    [
        (b"a/../b", "out of the repository"),
        (b"/etc/passwd", "out of the repository"),
        (b"a//b", "out of the repository"),
        (b"./a", "out of the repository"),
        (b"a/.GIT/config", "out of the repository"),
        (b"a\nb", "control"),
        (b"a\x7fb", "control"),
        (b"a\xff", "UTF-8"),
        (b"x" * 1001, "longer"),
    ],
)
def test_unsafe_paths_are_told_with_a_reason(path: bytes, why: str) -> None:
    assert why in (unsafe(path) or "")


def test_ordinary_paths_are_safe() -> None:
    for path in (b"a", b"src/\xc3\xbc.py", b"a b/c", b".github/x", b"..a/b..", b"x" * 1000):
        assert unsafe(path) is None


async def test_what_only_old_and_careless_tools_wrote_is_taken_whatever_git_s_version(
    server: GitServer, tmp_path: Path
) -> None:
    repository = server.repository("app")
    inside = repository.tree([("100644", b"b.txt", repository.blob(b"b"))])
    padded = repository.tree([("100644", b"a.txt", repository.blob(b"a")), ("040000", b"d", inside)])
    by = b"A<a@people.test> 1700000000 +051800"
    commit = as_commit(repository, b"tree %s\nauthor %s\ncommitter %s\n\nold\n" % (padded.encode(), by, by))
    objects, found = await fetched(server, repository, tmp_path / "f")
    assert found == commit
    assert {entry.path: entry.name for entry in objects.entries(commit)} == {b"a.txt": "a.txt", b"d/b.txt": "d/b.txt"}
    assert "unchecked" not in names_in(tmp_path / "f")


async def test_a_broken_object_beside_what_is_forgiven_is_refused_and_never_read(
    server: GitServer, tmp_path: Path
) -> None:
    repository = server.repository("app")
    blob = repository.blob(b"a")
    twice = repository.tree([("100644", b"a.txt", blob), ("100644", b"a.txt", repository.blob(b"b"))])
    padded = repository.tree([("100644", b"a.txt", blob), ("040000", b"d", twice)])
    commit = repository.commit_tree(padded)
    client = Git(caps(server))
    failure = await fails(client.fetch(repository.url, "main", tmp_path / "f"))
    assert (failure.code, "git fsck" in failure.sentence) == ("REPOSITORY_UNREACHABLE", True)
    assert not await client.has(tmp_path / "f", commit)
    assert (await fails(client.fetch(repository.url, "main", tmp_path / "f"))).code == "REPOSITORY_UNREACHABLE"
    mended = repository.commit({"a.txt": "a", "d": None})
    assert await client.fetch(repository.url, "main", tmp_path / "f") == mended


async def test_odd_names_come_through_as_they_are(server: GitServer, tmp_path: Path) -> None:
    odd = {b"new\nline": b"1", b"invalid-\xff\xfe": b"2", b"tab\there": b"3", b"x" * 4000: b"4", b"plain": b"5"}
    repository = server.repository("app", odd)
    objects, commit = await fetched(server, repository, tmp_path / "f")
    entries = list(objects.entries(commit))
    read = dict(objects.read(entry.blob for entry in entries))
    assert {entry.path: read[entry.blob] for entry in entries} == odd
    assert [entry.path for entry in entries if entry.name] == [b"plain"]


async def test_a_huge_file_is_not_fetched_and_reads_as_nothing(server: GitServer, tmp_path: Path) -> None:
    repository = server.repository("app", {"huge.bin": bytes(60_000_000), "small.txt": "x", "cap.bin": bytes(100_000)})
    objects, commit = await fetched(server, repository, tmp_path / "f", max_file_bytes=100_000)
    entries = {entry.path: entry for entry in objects.entries(commit)}
    assert entries[b"huge.bin"].size is None
    assert entries[b"cap.bin"].size == 100_000
    wanted = [entries[name].blob for name in (b"huge.bin", b"small.txt", b"cap.bin", b"huge.bin")]
    assert [data for _, data in objects.read(wanted)] == [None, b"x", bytes(100_000), None]
    assert folder_size(tmp_path / "f") < 50_000


async def test_a_huge_file_of_a_server_that_leaves_nothing_out_is_not_read(server: GitServer, tmp_path: Path) -> None:
    server.options = ("uploadpack.allowFilter=false",)
    repository = server.repository("app", {"huge.bin": bytes(60_000_000), "small.txt": "x"})
    objects, commit = await fetched(server, repository, tmp_path / "f", max_file_bytes=100_000)
    sizes = {entry.path: entry.size for entry in objects.entries(commit)}
    assert sizes == {b"huge.bin": 60_000_000, b"small.txt": 1}
    assert [data for _, data in objects.read(e.blob for e in objects.entries(commit))] == [None, b"x"]


async def test_the_cap_on_bytes_is_said_and_nothing_stays(server: GitServer, tmp_path: Path) -> None:
    server.bytes_a_second = 4_000_000
    repository = server.repository("app", {f"{n}.bin": os.urandom(500_000) for n in range(12)})
    failure = await fails(Git(caps(server, max_bytes=1_000_000)).fetch(repository.url, "main", tmp_path / "f"))
    assert failure.code == "REPOSITORY_TOO_LARGE"
    assert "1 MB" in failure.sentence
    assert not (tmp_path / "f").exists()


async def test_the_systems_own_limit_ends_what_the_watch_sees_too_late(server: GitServer, tmp_path: Path) -> None:
    repository = server.repository("app", {f"{n}.bin": os.urandom(500_000) for n in range(12)})
    failure = await fails(Git(caps(server, max_bytes=1_000_000)).fetch(repository.url, "main", tmp_path / "f"))
    assert failure.code == "REPOSITORY_TOO_LARGE"


async def test_the_cap_on_files_is_said(server: GitServer, tmp_path: Path) -> None:
    repository = server.repository("app", {f"{n}.txt": str(n) for n in range(30)})
    objects, commit = await fetched(server, repository, tmp_path / "f", max_files=29)
    with pytest.raises(GitFailure) as caught:
        list(objects.entries(commit))
    assert caught.value.code == "REPOSITORY_TOO_LARGE"
    assert "29 files" in caught.value.sentence


async def test_a_bomb_of_trees_ends_at_the_cap(server: GitServer, tmp_path: Path) -> None:
    repository = server.repository("app")
    tree = repository.tree([("100644", b"%d" % n, repository.blob(b"x")) for n in range(10)])
    for _ in range(9):
        tree = repository.tree([("40000", b"%d" % n, tree) for n in range(10)])
    repository.commit_tree(tree)
    objects, commit = await fetched(server, repository, tmp_path / "f", max_files=1000)
    began = time.monotonic()
    with pytest.raises(GitFailure) as caught:
        list(objects.entries(commit))
    assert caught.value.code == "REPOSITORY_TOO_LARGE"
    assert time.monotonic() - began < 2


async def test_a_tree_without_an_end_of_depth_is_read_or_refused(server: GitServer, tmp_path: Path) -> None:
    repository = server.repository("app")
    tree = repository.tree([("100644", b"leaf", repository.blob(b"x"))])
    for _ in range(300):
        tree = repository.tree([("40000", b"d", tree)])
    repository.commit_tree(tree)
    objects, commit = await fetched(server, repository, tmp_path / "f")
    (entry,) = objects.entries(commit)
    assert entry.path.count(b"/") == 300


async def test_hooks_filters_and_attributes_run_nothing(server: GitServer, tmp_path: Path) -> None:
    mark = tmp_path / "owned"
    repository = server.repository(
        "app",
        {
            ".gitattributes": "* filter=evil diff=evil text eol=crlf ident working-tree-encoding=UTF-16\n",
            "hooks/post-checkout": f"#!/bin/sh\ntouch {mark}\n",
            ".git-config": f'[filter "evil"]\n\tsmudge = touch {mark}\n',
            "lfs.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
            "a.txt": "$Id$\n",
        },
    )
    objects, commit = await fetched(server, repository, tmp_path / "f")
    read = {
        e.path: d
        for e, (_, d) in zip(
            objects.entries(commit), objects.read(e.blob for e in objects.entries(commit)), strict=True
        )
    }
    assert read[b"a.txt"] == b"$Id$\n"
    assert (read[b"lfs.bin"] or b"").startswith(b"version https://git-lfs")
    assert not mark.exists()
    assert not (tmp_path / "f" / "hooks").exists()


async def test_the_persons_own_git_settings_are_not_read(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gitconfig").write_text('[url "file:///nowhere/"]\n\tinsteadOf = http://127.0.0.1\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "trace"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    repository = server.repository("app", {"a.txt": "a"})
    await fetched(server, repository, tmp_path / "f")
    assert not (tmp_path / "trace").exists()


async def test_a_server_that_never_answers_is_given_up(server: GitServer, tmp_path: Path) -> None:
    server.silent.add("/")
    failure = await fails(Git(caps(server, answer_s=0.5)).refs(server.url + "/app.git"))
    assert (failure.code, "0.5 seconds" in failure.sentence) == ("FETCH_TIMEOUT", True)


async def test_a_server_that_falls_silent_after_its_first_word_is_given_up(server: GitServer, tmp_path: Path) -> None:
    repository = server.repository("app", {"a.txt": "a"})
    server.silent.add("/app.git/git-upload-pack")
    failure = await fails(Git(caps(server, fetch_s=1)).fetch(repository.url, "main", tmp_path / "f"))
    assert failure.code == "FETCH_TIMEOUT"
    assert not our_gits(str(tmp_path / "f"))
    assert (await fails(Git(caps(server, answer_s=1)).refs(repository.url))).code == "FETCH_TIMEOUT"


async def test_a_server_that_trickles_is_given_up_at_the_deadline(server: GitServer, tmp_path: Path) -> None:
    repository = server.repository("app", {"a.bin": os.urandom(200_000)})
    server.bytes_a_second = 2000
    began = time.monotonic()
    failure = await fails(Git(caps(server, fetch_s=2)).fetch(repository.url, "main", tmp_path / "f"))
    assert failure.code == "FETCH_TIMEOUT"
    assert time.monotonic() - began < 5
    assert not our_gits(str(tmp_path / "f"))


async def test_a_cancellation_ends_the_processes_within_a_second(server: GitServer, tmp_path: Path) -> None:
    repository = server.repository("app", {"a.bin": os.urandom(500_000)})
    server.bytes_a_second = 20_000
    fetching = asyncio.create_task(Git(caps(server)).fetch(repository.url, "main", tmp_path / "f"))
    deadline = time.monotonic() + 20  # the server takes longer to send it
    while len(our_gits(str(tmp_path / "f"))) < 2 and time.monotonic() < deadline and not fetching.done():  # noqa: ASYNC110  # git tells nobody
        await asyncio.sleep(0.05)
    seen = our_gits(str(tmp_path / "f"))
    began = time.monotonic()
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert len(seen) > 1
    while our_gits(str(tmp_path / "f")):
        await asyncio.sleep(0.02)
        assert time.monotonic() - began < 1
    server.bytes_a_second = None
    assert await Git(caps(server)).fetch(repository.url, "main", tmp_path / "f") == repository.head()


async def test_a_cancellation_at_any_moment_of_a_start_ends_it(tmp_path: Path) -> None:
    for turns in range(12):
        running = asyncio.create_task(process.run(["--version"], {"PATH": os.environ["PATH"]}, seconds=10))
        for _ in range(turns):
            await asyncio.sleep(0)
        running.cancel()
        async with asyncio.timeout(10):
            await asyncio.gather(running, return_exceptions=True)


_FETCHES = """
import asyncio, sys
from pathlib import Path
from kijko.clients.git import Git
from kijko.settings import Git as Settings

asyncio.run(Git(Settings.model_validate_json(sys.argv[1])).fetch(sys.argv[2], "main", Path(sys.argv[3])))
"""


async def test_no_process_of_a_fetch_outlives_who_asked_for_it(server: GitServer, tmp_path: Path) -> None:
    repository = server.repository("app", {"a.txt": "a"})
    server.silent = {"/app.git/git-upload-pack"}
    settings = caps(server).model_dump_json()
    asking = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _FETCHES, settings, repository.url, str(tmp_path / "f"))
    )
    began = time.monotonic()
    while not any("git-upload-pack" in each for each in server.asked if each.startswith("POST")):
        assert asking.returncode is None
        assert time.monotonic() - began < 20
        await asyncio.sleep(0.05)
    assert set(our_gits(str(tmp_path / "f"))) > {asking.pid}
    asking.kill()
    await asking.wait()
    killed = time.monotonic()
    while our_gits(str(tmp_path / "f")) or our_gits(repository.url):
        assert time.monotonic() - killed < 2
        await asyncio.sleep(0.02)


async def test_a_server_that_lies_about_its_branches_is_not_believed(server: GitServer, tmp_path: Path) -> None:
    repository = server.repository("app", {"a.txt": "a"})
    (repository.folder / "refs" / "heads" / "ghost").write_text("1" * 40 + "\n")
    broken = repository.tree([("100644", b"a", "2" * 40)])  # a file that nobody has
    repository.commit_tree(broken, branch="broken")
    (repository.folder / "refs" / "heads" / "blob").write_text(repository.blob(b"x") + "\n")
    assert "ghost" in (await Git(caps(server)).refs(repository.url)).branches
    for branch in ("ghost", "broken", "blob"):
        failure = await fails(Git(caps(server)).fetch(repository.url, branch, tmp_path / branch))
        assert failure.code == "REPOSITORY_UNREACHABLE"


async def test_a_page_that_is_no_repository_is_none(server: GitServer) -> None:
    failure = await fails(Git(caps(server)).refs(server.url + "/HEAD"))
    assert failure.code == "REPOSITORY_NOT_FOUND"


async def test_redirects_are_followed_and_the_credential_stays_behind(tmp_path: Path) -> None:
    with GitServer(tmp_path / "one") as first, GitServer(tmp_path / "two") as second:
        repository = second.repository("moved", {"a.txt": "a"})
        first.redirects["/old.git"] = repository.url
        settings = GitSettings(allowed_hosts=frozenset({first.pair, second.pair}))
        found = await Git(settings).refs(first.url + "/old.git", Credential("someone", "dev-only-password"))
        assert found.branches == {"main": repository.head()}
        assert first.authorized
        assert not second.authorized
        alone = GitSettings(allowed_hosts=frozenset({first.pair}))
        assert (await fails(Git(alone).refs(first.url + "/old.git"))).code == "ADDRESS_REFUSED"


async def test_git_connects_to_the_address_that_was_checked(server: GitServer, tmp_path: Path) -> None:
    asked: list[str] = []

    async def once(host: str, _: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    repository = server.repository("app", {"a.txt": "a"})
    settings = GitSettings(allowed_hosts=frozenset({f"git.test:{server.port}"}))
    url = f"http://git.test:{server.port}/app.git"  # a name that only this resolver knows
    assert await Git(settings, resolver=once).fetch(url, "main", tmp_path / "f") == repository.head()
    assert asked == ["git.test"]


async def test_a_past_of_lies_is_told_as_far_as_it_can_be_true(server: GitServer, tmp_path: Path) -> None:
    repository = server.repository("app", {"a.txt": "1"})
    repository.commit({"a.txt": "2"}, message="x\x02" + "1" * 40 + "\x1fnever\x1fa\x1fb\x03\0b.txt")
    repository.commit({"d.txt": "4"}, message="y\x02\x03\x1f\x1f\x1f")
    last = repository.commit({"c.txt": "3"}, message="Far")
    far = git(repository.folder, "cat-file", "commit", last).replace(b" +0000", b"9999999999 +0000")
    commit = as_commit(repository, far)
    await Git(caps(server)).fetch(repository.url, "main", tmp_path / "f", history=10)
    told = history(tmp_path / "f", commit, caps(server))
    assert (told[b"c.txt"].commit, told[b"c.txt"].at.year) == (commit, 9999)
    assert set(told) <= {b"a.txt", b"c.txt", b"d.txt"}


async def test_a_past_that_names_the_same_files_again_and_again_is_read_in_part(
    server: GitServer, tmp_path: Path
) -> None:
    repository = server.repository("app", {"k.txt": "k"})
    many = repository.tree([("100644", b"%05d" % number + b"x" * 200, repository.blob(b"x")) for number in range(1000)])
    many = repository.tree([("40000", b"%d" % number + b"y" * 200, many) for number in range(5)])
    full = repository.tree([("40000", b"d" * 200, many)])
    without = repository.tree([("100644", b"k.txt", repository.blob(b"k"))])
    head = repository.head()
    for at in range(60):
        tree = (without, full)[at % 2]
        head = git(repository.folder, "commit-tree", tree, "-p", head, "-m", f"c{at}").decode().strip()
    git(repository.folder, "update-ref", "refs/heads/main", head)
    await Git(caps(server)).fetch(repository.url, "main", tmp_path / "f", history=100)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told = history(tmp_path / "f", head, caps(server))
    assert len(told) >= 5000
    assert told[max(told)].commit == head
    assert 1 < told[max(told)].changes < 60
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000


def test_what_was_not_fetched_whole_is_said(tmp_path: Path) -> None:
    objects = Objects(tmp_path / "nothing", GitSettings())
    for attempt in (lambda: list(objects.entries("0" * 40)), lambda: list(objects.read(["0" * 40]))):
        with pytest.raises(GitFailure) as caught:
            attempt()
        assert caught.value.code == "REPOSITORY_UNREACHABLE"
