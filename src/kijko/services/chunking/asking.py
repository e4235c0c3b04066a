"""Files read with the cuts of a project's webhook."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from kijko.clients.chunker import Chunker, Hook, NoCuts
from kijko.services.reading import FileRead, Options, Skipped, read_file, show

_AT_ONCE: Final = 8
_BATCH: Final = 64
_NOTE: Final = "The project's chunking webhook did not cut it ({}); it was read as semantic."

File = tuple[str, bytes]
"""Path, content."""


def read_files(files: Iterable[File], options: Options, hook: Hook) -> Iterator[FileRead | Skipped]:
    """The files in their order, read with the webhook's cuts. For a process without a loop of its own.

    The webhook is asked for eight files at a time; files are taken from the iterable 64 at a time.
    """
    left = iter(files)
    with asyncio.Runner() as runner:
        chunker = runner.run(_opened(hook))
        try:
            while batch := list(islice(left, _BATCH)):
                yield from runner.run(_read_all(chunker, batch, options))
        finally:
            runner.run(chunker.__aexit__(None, None, None))


async def read_custom(chunker: Chunker, path: str, content: bytes, options: Options) -> FileRead | Skipped:
    """One file, read with the webhook's cuts; as semantic, with a note, where it gives none. Never fails for it."""
    shown = show(path, content, options)
    if isinstance(shown, Skipped) or not shown.lines:
        return read_file(path, content, options)
    try:
        cuts = await chunker.cuts(path, shown.language, shown.text, shown.lines, options.budget_tokens)
    except NoCuts as why:
        read = read_file(path, content, options)
        return read if isinstance(read, Skipped) else replace(read, note=_NOTE.format(why))
    return read_file(path, content, options, cuts=cuts)


async def _opened(hook: Hook) -> Chunker:
    return Chunker(hook)


async def _read_all(chunker: Chunker, files: Sequence[File], options: Options) -> list[FileRead | Skipped]:
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(path: str, content: bytes) -> FileRead | Skipped:
        async with turn:
            return await read_custom(chunker, path, content, options)

    return list(await asyncio.gather(*(one(path, content) for path, content in files)))
