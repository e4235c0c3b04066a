"""Git as a client of servers: what branches a repository has, and a copy of one branch's newest commit."""

import asyncio
import logging
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kijko.clients.git import place
from kijko.clients.git.checking import FORGIVEN, forgivable, is_unchecked, unchecked
from kijko.clients.git.command import Credential, command, environment, helper
from kijko.clients.git.failure import GitFailure, too_large, unreachable
from kijko.clients.git.place import Place
from kijko.clients.git.process import Line, Output, folder_size, run
from kijko.core.addresses import Resolver
from kijko.core.words import counted
from kijko.settings import Git as GitSettings

log = logging.getLogger(__name__)

Progress = Callable[[float, str], None]
"""Is told how much of a fetch is done, from 0 to 1, and in words for people."""

REF: Final = "refs/kijko/head"
_COMMIT: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?", re.ASCII)
_NO_BRANCH: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|\.lock(?:/|$)|(?:^|/)\.|[./]$|^[-/]|^@$|^$")
_DONE: Final = re.compile(r"(Receiving|Resolving)\s+(objects|deltas):\s+(\d+)%(?:[^,]*,\s*([\d.]+ [KMG]?i?B))?")
_MOST_PACKS: Final = 50
_REFS_BYTES: Final = 16_000_000


@dataclass(frozen=True, slots=True)
class Refs:
    """What a repository has to read."""

    default_branch: str | None
    """None for an empty repository, or where the server does not tell."""
    branches: Mapping[str, str] = field(default_factory=dict)
    """A branch's name → its commit. Names that are no UTF-8 are left out."""


class Git:
    """Reads from git servers within the settings' caps. It keeps nothing between its calls."""

    def __init__(self, settings: GitSettings, *, resolver: Resolver | None = None) -> None:
        """`resolver`: what asks for a host's addresses; default the system's."""
        self._settings = settings
        self._resolver = resolver
        self.allowed: Final = settings.allowed_hosts
        """`host:port` pairs that may be private, or speak http."""

    async def refs(self, url: str, credential: Credential | None = None) -> Refs:
        """The branches of a repository with their commits.

        Raises:
            GitFailure: it cannot be read; the code says why.
        """
        at = await place.find(url, credential, self._settings, resolver=self._resolver)
        listed = await self._ask(at, ["ls-remote", "--symref", at.at.url, "HEAD", "refs/heads/*"])
        return _refs(listed)

    async def fetch(
        self,
        url: str,
        branch: str,
        folder: Path,
        credential: Credential | None = None,
        known: str | None = None,
        progress: Progress | None = None,
        *,
        history: int = 0,
    ) -> str:
        """Bring a branch's newest commit with its files below `folder`; answers the commit.

        The folder becomes a bare repository: shallow, without files over the cap where the server can leave them out.
        Where it is one from an earlier fetch, only what changed comes. One task at a time may use a folder. After an
        error or a cancellation it can be fetched into again.

        Args:
            url: as for cloning, over https.
            branch: its name.
            folder: where; made when it is not there.
            credential: shown to the server of `url` alone.
            known: a commit; while the branch is still at it, nothing is fetched.
            progress: is told how it goes.
            history: commits to bring as well, without their files, for `history`.

        Raises:
            GitFailure: it cannot be read; the code says why, and for a cap which.
        """
        if _NO_BRANCH.search(branch) or len(branch.encode()) > 200:
            raise _no_branch(branch)
        at = await place.find(url, credential, self._settings, resolver=self._resolver)
        if known is not None and await self._newest(at, branch) == known:
            return known
        fresh = await asyncio.to_thread(_prepare, folder, self._settings)
        if fresh:
            await self._local(folder, ["init", "--bare", "--quiet", "--template=", str(folder)])
        try:
            for depth, blobs in _steps(history, fresh=fresh, limit=self._settings.max_file_bytes):
                await self._fetch(at, branch, folder, depth, blobs, progress)
        except GitFailure as failure:
            if failure.code == "REPOSITORY_TOO_LARGE":
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
            raise
        found = await self._local(folder, ["rev-parse", "--verify", "--quiet", REF + "^{commit}"], folder=folder)
        return found.decode().strip()

    async def has(self, folder: Path, commit: str) -> bool:
        """Whether a fetch into that folder has brought the commit."""
        if not _COMMIT.fullmatch(commit) or not (folder / "HEAD").is_file() or is_unchecked(folder):
            return False
        asked = command(self._settings, ["cat-file", "-e", commit + "^{tree}"], folder=folder)
        return (await run(asked, environment(), seconds=30)).status == 0

    async def _newest(self, at: Place, branch: str) -> str:
        listed = await self._ask(at, ["ls-remote", at.at.url, f"refs/heads/{branch}"])
        found = _refs(listed).branches.get(branch)
        if found is None:
            raise _no_branch(branch)
        return found

    async def _ask(self, at: Place, arguments: Sequence[str]) -> bytes:
        said = await run(
            command(self._settings, arguments, options=_remote(at)),
            environment(protocols=at.at.scheme, credential=at.credential),
            seconds=self._settings.answer_s,
            printed_bytes=_REFS_BYTES,
        )
        if said.status != 0:
            raise _meaning(said, "")
        return said.printed

    async def _fetch(
        self, at: Place, branch: str, folder: Path, depth: Sequence[str], blobs: str, progress: Progress | None
    ) -> None:
        options = [
            *_remote(at),
            f"remote.origin.url={at.at.url}",
            "remote.origin.promisor=true",
            f"remote.origin.partialclonefilter={blobs}",
        ]
        what = f"+refs/heads/{branch}:{REF}"
        flags = ["--progress", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", f"--filter={blobs}"]

        async def fetch(*more: str) -> Output:
            return await run(
                command(
                    self._settings, ["fetch", *flags, *depth, "origin", what], options=[*options, *more], folder=folder
                ),
                environment(protocols=at.at.scheme, credential=at.credential),
                seconds=self._settings.fetch_s,
                folder=folder,
                folder_bytes=self._settings.max_bytes,
                line=_told(progress) if progress is not None else None,
            )

        said = await fetch()
        if said.status == 0:
            return
        if not forgivable(said.said):
            raise self._failed(said, branch, folder)
        with unchecked(folder):
            said = await fetch("fetch.fsckObjects=false")
            if said.status == 0:
                said = await self._check(folder)
            if said.status != 0:
                raise self._failed(said, branch, folder)

    async def _check(self, folder: Path) -> Output:
        """What `fetch.fsckObjects` does, afterwards: git before 2.44 knows no exceptions from it in a partial clone."""
        arguments = ["fsck", "--strict", "--no-dangling", "--no-reflogs", "--no-progress"]
        options = ["remote.origin.promisor=true", *(f"fsck.{each}=ignore" for each in FORGIVEN)]
        asked = command(self._settings, arguments, options=options, folder=folder)
        return await run(asked, environment(), seconds=self._settings.fetch_s)

    def _failed(self, said: Output, branch: str, folder: Path) -> GitFailure:
        if folder_size(folder) > self._settings.max_bytes:
            return too_large(f"more than {counted(self._settings.max_bytes, 'byte')}")
        return _meaning(said, branch)

    async def _local(self, at: Path, arguments: Sequence[str], *, folder: Path | None = None) -> bytes:
        said = await run(command(self._settings, arguments, folder=folder), environment(), seconds=30)
        if said.status != 0:
            log.warning("git %s failed in %s: %s", arguments[0], at.name, " | ".join(said.said))
            raise unreachable("What the git server sent is not a commit.")
        return said.printed


def _remote(at: Place) -> list[str]:
    return [f"http.curloptResolve={at.pin}", *helper(at.credential)]


def _steps(history: int, *, fresh: bool, limit: int) -> list[tuple[list[str], str]]:
    """Each fetch's depth and filter. Commits of the past come without files."""
    files, none = f"blob:limit={limit + 1}", "blob:none"
    if not history:
        return [(["--depth=1"], files)]
    return [(["--depth=1"], files), ([f"--depth={history}"], none)] if fresh else [([], files)]


def _prepare(folder: Path, settings: GitSettings) -> bool:
    """Make room for a fetch: remove what a broken one left; whether the folder is to be made anew."""
    packs = folder / "objects" / "pack"
    if (folder / "HEAD").is_file() and packs.is_dir() and not is_unchecked(folder):
        for each in (*packs.glob("tmp_*"), *folder.rglob("*.lock"), *(folder / "objects").glob("incoming-*")):
            shutil.rmtree(each) if each.is_dir() else each.unlink(missing_ok=True)
        few = sum(1 for _ in packs.glob("*.pack")) < _MOST_PACKS
        if few and folder_size(folder) <= settings.max_bytes // 2:
            return False
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return True


def _refs(listed: bytes) -> Refs:
    default: str | None = None
    branches: dict[str, str] = {}
    for line in listed.split(b"\n"):
        left, _, right = line.partition(b"\t")
        try:
            value, name = left.decode("ascii"), right.decode()
        except UnicodeDecodeError:
            continue
        if value.startswith("ref: refs/heads/") and name == "HEAD":
            default = value.removeprefix("ref: refs/heads/")
        elif name.startswith("refs/heads/") and _COMMIT.fullmatch(value):
            branches[name.removeprefix("refs/heads/")] = value
    return Refs(default if default in branches else None, branches)


def _told(progress: Progress) -> Line:
    def line(text: str) -> None:
        found = _DONE.match(text)
        if found is not None:
            share, received = int(found[3]) / 100, found[1] == "Receiving"
            words = f"{found[1]} {found[2]}: {found[3]}%" + (f", {found[4]}" if found[4] else "")
            progress(share * 0.9 if received else 0.9 + share * 0.1, words)

    return line


def _no_branch(branch: str) -> GitFailure:
    return GitFailure("BRANCH_NOT_FOUND", f"The repository has no branch {branch[:200]!r}.")


def _meaning(said: Output, branch: str) -> GitFailure:
    """What git's own words mean; they stay in the log, since parts of them are the server's."""
    words = " | ".join(each for each in said.said if not _DONE.match(each))
    log.info("git ended with %s: %s", said.status, words[-500:])
    if "couldn't find remote ref" in words:
        return _no_branch(branch)
    if "Authentication failed" in words or "could not read Username" in words or "error: 403" in words:
        return GitFailure("AUTHENTICATION_FAILED", place.DENIED)
    if "fsck error" in words or "error in " in words:
        return unreachable("The repository has an object that is broken: git fsck says which. Mend it, then try again.")
    if "out of memory" in words or "mmap failed" in words:
        return too_large("it takes too much memory to unpack")
    return unreachable("The git server broke off, or its answer is not what git expects. Try again later.")
