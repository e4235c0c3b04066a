"""The files of a fetched commit, read from git's own objects: nothing is checked out. Synchronous, for processes that
parse. Names are bytes, as git has them.
"""

import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Final

from kijko.clients.git.caps import Caps
from kijko.clients.git.command import command, environment
from kijko.clients.git.failure import too_large, unreachable
from kijko.core.words import counted

_SYMLINK: Final = 0o120000
_SUBMODULE: Final = 0o160000
_LONGEST_NAME: Final = 1000
_PIECE: Final = 65_536
# As many requests as a pipe takes at once, so that neither side waits for the other.
_WINDOW: Final = 128
_BROKEN: Final = "The repository's files cannot be read: what was fetched is not whole."


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a commit's tree."""

    path: bytes
    mode: int
    blob: str
    size: int | None
    """Bytes; None where it was not fetched, being over the cap, or is no file."""

    @property
    def is_file(self) -> bool:
        """Whether it is content: no symbolic link and no submodule, which lead elsewhere."""
        return self.mode not in (_SYMLINK, _SUBMODULE)

    @property
    def name(self) -> str | None:
        """The path as text; None for one that is `unsafe`."""
        return None if unsafe(self.path) else self.path.decode()


def unsafe(path: bytes) -> str | None:
    """Why a path is not taken, for people; None for an ordinary one."""
    if len(path) > _LONGEST_NAME:
        return f"its name is longer than {_LONGEST_NAME} bytes"
    try:
        text = path.decode()
    except UnicodeDecodeError:
        return "its name is not UTF-8"
    if any(each < " " or each == "\x7f" for each in text):
        return "its name has a control character"
    if any(part in ("", ".", "..") or part.lower() == ".git" for part in text.split("/")):
        return "its name leads out of the repository"
    return None


class Objects:
    """A bare repository that `Git.fetch` made. It can be handed to another process."""

    def __init__(self, folder: Path, caps: Caps) -> None:
        """`caps`: more is refused, or not read."""
        self._folder = folder
        self._caps = caps

    def entries(self, commit: str) -> Iterator[Entry]:
        """Every name in the commit, in git's order; also symbolic links and submodules, by their mode.

        Raises:
            GitFailure: more files than the cap, or not whole.
        """
        most = self._caps.max_files
        with self._git(["ls-tree", "-r", "-z", "-l", "--full-tree", commit]) as (_, printed):
            for at, line in enumerate(_lines(printed), 1):
                if at > most:
                    raise too_large(f"more than {counted(most, 'file')}")
                yield _entry(line)

    def read(self, blobs: Iterable[str]) -> Iterator[tuple[str, bytes | None]]:
        """Each blob with its content, in the order asked for; None where it is over the cap or was not fetched.

        Raises:
            GitFailure: not whole.
        """
        wanted = iter(blobs)
        with self._git(["cat-file", "--batch-command", "--buffer"]) as (asked, printed):
            while window := list(islice(wanted, _WINDOW)):
                sizes = dict(zip(window, _sizes(asked, printed, window), strict=True))
                small = {blob for blob, size in sizes.items() if size is not None and self._fits(size)}
                _ask(asked, "contents", [blob for blob in window if blob in small])
                for blob in window:
                    yield blob, _content(printed) if blob in small else None

    def _fits(self, size: int) -> bool:
        return size <= self._caps.max_file_bytes

    @contextmanager
    def _git(self, arguments: Sequence[str]) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
        """A git process in the repository: what it is asked, and what it prints. It may not end badly by itself."""
        process = subprocess.Popen(
            command(self._caps, arguments, folder=self._folder),
            env=dict(environment()),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=_PIECE,
        )
        assert process.stdin is not None  # noqa: S101  # asked for above
        assert process.stdout is not None  # noqa: S101
        try:
            yield process.stdin, process.stdout
            process.stdin.close()
            if process.wait() != 0:
                raise unreachable(_BROKEN)
        except BrokenPipeError:
            raise unreachable(_BROKEN) from None
        finally:
            process.kill()
            process.stdout.close()
            process.wait()


def _lines(printed: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while piece := printed.read(_PIECE):
        *lines, rest = (rest + piece).split(b"\0")
        if len(rest) > 1_000_000:
            raise too_large("a name of more than a million bytes")
        yield from lines


def _entry(line: bytes) -> Entry:
    """`mode type blob size<tab>path`."""
    told, _, path = line.partition(b"\t")
    mode, _, blob, size = told.split()
    return Entry(path, int(mode, 8), blob.decode(), int(size) if size.isdigit() else None)


def _ask(asked: IO[bytes], what: str, blobs: Iterable[str]) -> None:
    asked.write("".join(f"{what} {blob}\n" for blob in blobs).encode() + b"flush\n")
    asked.flush()


def _sizes(asked: IO[bytes], printed: IO[bytes], blobs: Sequence[str]) -> list[int | None]:
    _ask(asked, "info", blobs)
    return [_header(printed) for _ in blobs]


def _header(printed: IO[bytes]) -> int | None:
    """`blob blob-type size`, or `blob missing`."""
    told = printed.readline().split()
    if not told:
        raise unreachable(_BROKEN)
    return int(told[2]) if len(told) == 3 and told[1] == b"blob" else None


def _content(printed: IO[bytes]) -> bytes:
    size = _header(printed)
    content = printed.read((size or 0) + 1)
    if size is None or len(content) != size + 1:
        raise unreachable(_BROKEN)
    return content[:-1]
