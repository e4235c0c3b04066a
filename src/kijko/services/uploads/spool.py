"""What is being received, in a file that nobody else sees and that ends with the process."""

import asyncio
import hashlib
import logging
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final

from kijko.clients.storage import StorageUnavailable
from kijko.core.words import counted
from kijko.services.uploads.refusal import Refused

log = logging.getLogger(__name__)

_PIECE: Final = 1_048_576


class Spool:
    """One received file: written once, from front to back, then read any number of times."""

    def __init__(self, folder: str | None) -> None:
        """`folder`: where on disk; default the system's folder for such files.

        Raises:
            StorageUnavailable: the disk has no room, say; so `fill` does too.
        """
        # Closed by `close`; it has no name, so that a killed process leaves nothing.
        with _translated():
            self.file: BinaryIO = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
        self.size = 0
        self._digest = hashlib.sha256()

    async def fill(self, content: AsyncIterator[bytes], *, most: int) -> None:
        """Take a content in, a mebibyte at a time.

        Raises:
            Refused: it has more than `most` bytes; the rest was read and thrown away.
        """
        waiting = bytearray()
        async for piece in content:
            if self.size + len(waiting) + len(piece) > most:
                await _throw_away(content)
                raise Refused(f"The file is larger than the {megabytes(most)} that one may have.")
            waiting += piece
            if len(waiting) >= _PIECE:
                await self._add(bytes(waiting))
                waiting.clear()
        await self._add(bytes(waiting))

    @property
    def sha256(self) -> str:
        """Of all that was taken in, in hexadecimal digits."""
        return self._digest.hexdigest()

    async def head(self, size: int) -> bytes:
        """The first bytes."""
        return await asyncio.to_thread(self._read, 0, size)

    async def content(self) -> AsyncIterator[bytes]:
        """All of it, in pieces."""
        at = 0
        while piece := await asyncio.to_thread(self._read, at, _PIECE):
            yield piece
            at += len(piece)

    def close(self) -> None:
        """Forget it."""
        self.file.close()

    async def _add(self, piece: bytes) -> None:
        if not piece:
            return
        with _translated():
            await asyncio.to_thread(self._write, piece)

    def _write(self, piece: bytes) -> None:
        rest = memoryview(piece)
        while rest:
            rest = rest[self.file.write(rest) :]
        self._digest.update(piece)
        self.size += len(piece)

    def _read(self, at: int, size: int) -> bytes:
        self.file.seek(at)
        return self.file.read(size)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        log.warning("uploads: what comes in cannot be put down: %s", error.strerror)
        raise StorageUnavailable from None


def megabytes(size: int) -> str:
    """A size for people."""
    return f"{size / 1_048_576:.3g} MiB" if size >= 1_048_576 else counted(size, "byte")


async def _throw_away(content: AsyncIterator[bytes]) -> None:
    async for _ in content:
        pass
