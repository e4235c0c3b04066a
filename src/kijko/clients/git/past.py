"""Who changed each file last, from the commits that a fetch with `history` brought. One git process for all files."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

from kijko.clients.git.caps import Caps
from kijko.clients.git.command import command, environment
from kijko.clients.git.failure import unreachable

_FORMAT: Final = "%x02%H%x1f%ct%x1f%an%x1f%s%x03"
_COMMIT: Final = re.compile(r"[0-9a-f]{40,64}\x1f[0-9]{1,20}\x1f[^\x1f]*\x1f.*", re.ASCII | re.DOTALL)
_LONGEST: Final = 200
_LAST: Final = 253_402_214_400
_PIECE: Final = 65_536
_MOST: Final = 64_000_000
"""Bytes of what git tells that are read. Each commit may name every file, so that few of them can tell gigabytes."""


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
    """Each path that one of the commits changed → its newest change. What is older than all of them is left out, and
    where they tell too much, the older ones are.

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
    shallow = folder / "shallow"
    # Where the past was cut off, a commit seems to have made every file.
    edges = set(shallow.read_text().split()) if shallow.exists() else set()
    with subprocess.Popen(
        command(caps, listing, folder=folder),
        env=dict(environment()),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdout is not None  # noqa: S101  # asked for above
        try:
            for each in _told(process.stdout):
                head, _, rest = each.partition(b"\x03")
                told = head.decode("utf-8", "replace").split("\x1f", 3)
                # A subject may have any character, so it can look like the next commit.
                if _COMMIT.fullmatch("\x1f".join(told)) and told[0] not in edges:
                    yield told, [path for path in rest.lstrip(b"\0\n").split(b"\0") if path]
            if not process.stdout.read(1) and process.wait() != 0:
                raise unreachable("The repository's history cannot be read: what was fetched is not whole.")
        finally:
            process.kill()


def _told(printed: IO[bytes]) -> Iterator[bytes]:
    """What is told of each commit, as far as it is read; one that is not told whole is left out."""
    parts: list[bytes] = []
    left = _MOST
    while left > 0 and (piece := printed.read(_PIECE)):
        left -= len(piece)
        end, *others = piece.split(b"\x02")
        parts.append(end)
        if others:
            yield b"".join(parts)
            yield from others[:-1]
            parts = [others[-1]]
    if left > 0:
        yield b"".join(parts)


def moment(seconds: str) -> datetime:
    """A commit's time, which is whatever somebody wrote: what no calendar has becomes its last day."""
    return datetime.fromtimestamp(min(int(seconds), _LAST), UTC)


def _change(told: list[str], count: int) -> Change:
    commit, seconds, author, subject = told
    return Change(commit, moment(seconds), author[:_LONGEST], subject[:_LONGEST], count)
