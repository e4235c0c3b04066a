"""Who changed each file last, from the commits that a fetch with `history` brought. One git process for all files."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from kijko.clients.git.caps import Caps
from kijko.clients.git.command import command, environment
from kijko.clients.git.failure import unreachable

_FORMAT: Final = "%x02%H%x1f%ct%x1f%an%x1f%s%x03"
_LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class Change:
    """The newest change of a file among the commits that were brought."""

    commit: str
    at: datetime
    author: str
    subject: str
    changes: int
    """How many of those commits changed it."""


def history(folder: Path, commit: str, caps: Caps) -> dict[bytes, Change]:
    """Each path that one of the commits changed → its newest change. What is older than all of them is left out.

    Raises:
        GitFailure: the commits cannot be read.
    """
    newest: dict[bytes, tuple[list[str], int]] = {}
    for told, paths in _commits(folder, commit, caps):
        for path in paths:
            first, count = newest.get(path, (told, 0))
            newest[path] = (first, count + 1)
    return {path: _change(told, count) for path, (told, count) in newest.items()}


def _commits(folder: Path, commit: str, caps: Caps) -> Iterator[tuple[list[str], list[bytes]]]:
    """Newest first: hash, time, author and subject, with the paths it changed."""
    listing = ["log", f"--format={_FORMAT}", "-z", "--name-only", "--no-renames", "--first-parent", "-m", commit]
    done = subprocess.run(
        command(caps, listing, folder=folder), env=dict(environment()), capture_output=True, check=False
    )
    if done.returncode != 0:
        raise unreachable("The repository's history cannot be read: what was fetched is not whole.")
    shallow = folder / "shallow"
    # Where the past was cut off, a commit seems to have made every file.
    edges = set(shallow.read_text().split()) if shallow.exists() else set()
    for each in done.stdout.split(b"\x02")[1:]:
        head, _, rest = each.partition(b"\x03")
        told = head.decode("utf-8", "replace").split("\x1f", 3)
        if len(told) == 4 and told[0] not in edges:
            yield told, [path for path in rest.lstrip(b"\0\n").split(b"\0") if path]


def _change(told: list[str], count: int) -> Change:
    commit, seconds, author, subject = told
    return Change(commit, datetime.fromtimestamp(int(seconds), UTC), author[:_LONGEST], subject[:_LONGEST], count)
