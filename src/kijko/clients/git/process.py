"""One git process under a deadline and caps; whatever ends it early ends its whole process group."""

import asyncio
import contextlib
import os
import signal
from asyncio import StreamReader
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kijko.clients.git.failure import silent, size, too_large
from kijko.core.starting import started

Line = Callable[[str], None]
"""Is given each line that git says, as it says it."""

_LOOK_S: Final = 0.1
_KEPT: Final = 20
# Nobody writes to its standard input, which ends when we do, however that comes: then the whole group goes too. Else a
# fetch would outlive a killed worker, beside that of the next one in the same folder.
_TIED: Final = (
    "exec 3<&0; (read -r _ <&3; kill -KILL 0) >/dev/null 2>&1 & watch=$!; "
    '"$@" </dev/null 3<&-; status=$?; { kill -KILL $watch; wait $watch; } 2>/dev/null; exit $status'
)


@dataclass(frozen=True, slots=True)
class Output:
    """How it ended: its status, what it printed, and the last lines that it said."""

    status: int
    printed: bytes
    said: list[str]


async def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    seconds: float,
    printed_bytes: int = 1_000_000,
    folder: Path | None = None,
    folder_bytes: int = 0,
    line: Line | None = None,
) -> Output:
    """Run it to its end, or to ours.

    Args:
        command: program and arguments.
        environment: the whole of it.
        seconds: its deadline.
        printed_bytes: what it may print.
        folder: a repository whose size is watched, with `folder_bytes` as what it may take.
        line: is given each line of stderr.

    Raises:
        GitFailure: the deadline or a cap was hit; it says which. A cancellation ends the processes as well.
    """
    process = await started(
        *("/bin/sh", "-c", _TIED, "git", *command),
        end=_kill,
        env=dict(environment),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        start_new_session=True,
    )
    ended = asyncio.gather(
        _printed(process.stdout, printed_bytes), _said(process.stderr, line), process.wait(), return_exceptions=False
    )
    tasks: set[asyncio.Future[Any]] = {ended}  # Any: their results differ, and each is asked where it is known
    if folder is not None:
        tasks.add(asyncio.create_task(_watch(folder, folder_bytes)))
    try:
        done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            raise silent(seconds)
        for task in done - {ended}:
            task.result()
        printed, said, status = ended.result()
    except BaseException:
        _kill(process)
        raise
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.shield(process.wait())
    return Output(status, printed, said)


def folder_size(folder: Path) -> int:
    """Bytes of a bare repository's packs, those under way included."""
    total = 0
    for name in ("objects/pack", "objects"):
        with contextlib.suppress(FileNotFoundError), os.scandir(folder / name) as found:
            for each in found:
                with contextlib.suppress(FileNotFoundError):  # renamed this moment
                    total += each.stat(follow_symlinks=False).st_size if each.is_file(follow_symlinks=False) else 0
    return total


async def _watch(folder: Path, most: int) -> None:
    while folder_size(folder) <= most:  # noqa: ASYNC110  # another process writes there, and tells nobody
        await asyncio.sleep(_LOOK_S)
    raise too_large(f"more than {size(most)}")


async def _printed(stream: StreamReader | None, most: int) -> bytes:
    kept = bytearray()
    while stream is not None and (piece := await stream.read(65_536)):
        kept += piece
        if len(kept) > most:
            raise too_large("its list of branches has no end")
    return bytes(kept)


async def _said(stream: StreamReader | None, line: Line | None) -> list[str]:
    kept: list[str] = []
    rest = b""
    while stream is not None and (piece := await stream.read(65_536)):
        *lines, rest = (rest + piece).replace(b"\r", b"\n").split(b"\n")
        rest = rest[-1000:]
        for each in lines:
            text = each[:1000].decode("utf-8", "replace").strip()
            # What the server says for people is its own word, and leads nowhere.
            if text and not text.startswith("remote:"):
                kept = [*kept[-_KEPT:], text]
                if line is not None:
                    line(text)
    return [*kept, rest.decode("utf-8", "replace")] if rest else kept


def _kill(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
