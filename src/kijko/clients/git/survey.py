"""A look at a repository without its files: how many there are, in which language, and how often it changes."""

import asyncio
import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from kijko.clients.git.client import Git
from kijko.clients.git.command import Credential, command, environment
from kijko.clients.git.objects import Objects
from kijko.clients.git.past import moment
from kijko.settings import Git as GitSettings

LINES_A_FILE: Final = 90
"""What a file of source has on average, for an estimate."""
_MONTH: Final = timedelta(days=30)
_HISTORY: Final = 250
_CAPS: Final[Mapping[str, object]] = {"max_bytes": 50_000_000, "max_file_bytes": 0, "fetch_s": 20.0}
_LANGUAGES: Final[Mapping[str, str]] = {
    "c": "C", "h": "C", "cc": "C++", "cpp": "C++", "hpp": "C++", "cs": "C#", "css": "CSS", "dart": "Dart",
    "ex": "Elixir", "exs": "Elixir", "erl": "Erlang", "go": "Go", "hs": "Haskell", "html": "HTML", "java": "Java",
    "jl": "Julia", "js": "JavaScript", "jsx": "JavaScript", "mjs": "JavaScript", "kt": "Kotlin", "lua": "Lua",
    "m": "Objective-C", "ml": "OCaml", "php": "PHP", "pl": "Perl", "ps1": "PowerShell", "py": "Python", "r": "R",
    "rb": "Ruby", "rs": "Rust", "scala": "Scala", "sh": "Shell", "sql": "SQL", "swift": "Swift", "ts": "TypeScript",
    "tsx": "TypeScript", "vue": "Vue", "zig": "Zig",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Survey:
    """What git tells of a branch."""

    files: int
    lines: int
    """Of source, by an estimate."""
    language: str
    """Of most files of source; empty where there is none."""
    last_commit_at: datetime
    commits_per_month: int
    """Of the last thirty days, up to 250."""


class Surveyor:
    """Looks at branches, two at a time: names and last commits are fetched under narrow caps and thrown away."""

    def __init__(self, settings: GitSettings) -> None:
        self._settings = settings.model_copy(update=_CAPS)
        self._git = Git(self._settings)
        self._turns = asyncio.Semaphore(2)

    async def look(self, url: str, branch: str, credential: Credential | None = None) -> Survey:
        """What git tells of a branch.

        Raises:
            GitFailure: it cannot be read, or is too large for a look.
        """
        async with self._turns:
            with TemporaryDirectory(prefix="kijko-look-") as made:
                folder = Path(made) / "repository"
                commit = await self._git.fetch(url, branch, folder, credential, history=_HISTORY)
                return await asyncio.to_thread(_read, folder, commit, self._settings)


def _read(folder: Path, commit: str, settings: GitSettings) -> Survey:
    names = [entry.path for entry in Objects(folder, settings).entries(commit) if entry.is_file]
    found = Counter(language for name in names if (language := _LANGUAGES.get(_ending(name))))
    dates = [moment(each) for each in _dates(folder, commit, settings)]
    since = datetime.now(UTC) - _MONTH
    return Survey(
        files=len(names),
        lines=sum(found.values()) * LINES_A_FILE,
        language=max(sorted(found), key=lambda language: found[language], default=""),
        last_commit_at=dates[0],
        commits_per_month=sum(1 for each in dates if each > since),
    )


def _ending(name: bytes) -> str:
    return name.rpartition(b"/")[2].rpartition(b".")[2].decode("ascii", "replace").lower()


def _dates(folder: Path, commit: str, settings: GitSettings) -> list[str]:
    arguments = ["log", f"--max-count={_HISTORY}", "--format=%ct", commit]
    done = subprocess.run(
        command(settings, arguments, folder=folder),
        env=dict(environment()),
        capture_output=True,
        text=True,
        check=True,
        timeout=settings.fetch_s,
    )
    return done.stdout.split()
