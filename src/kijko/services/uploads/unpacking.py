"""A zip's files on their way into the store, small ones several at a time."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from kijko.clients.storage import StorageUnavailable
from kijko.core.errors import AppError, QuotaExceeded
from kijko.services.uploads.archive import Archive, Limits, Member
from kijko.services.uploads.content import HEAD_BYTES, ZIP, sniff
from kijko.services.uploads.names import claim
from kijko.services.uploads.refusal import Refused
from kijko.services.uploads.spool import Spool
from kijko.services.uploads.writing import Place, Writer, Written
from kijko.settings import Storage as Settings

Fail = Callable[[str, Refused | AppError], None]

_BATCH: Final = 100
"""Files whose bytes are reserved in one statement."""
_SMALL: Final = 1_048_576
_AT_ONCE: Final = 8
"""Small files written side by side: a store over a network takes as long for one as for eight."""
_PIECE: Final = 1_048_576


@dataclass(frozen=True, slots=True)
class _Looked:
    """A member of a kind that is taken."""

    member: Member
    type: str


class Unpacking:
    """Unpacks the archives of one upload; together they may bring what the settings allow one."""

    def __init__(self, writer: Writer, settings: Settings, names: set[str], fail: Fail) -> None:
        """`names`: of the files that the upload has had; `fail` is told what cannot be kept, and why."""
        self._writer = writer
        self._settings = settings
        self._names = names
        self._fail = fail
        self._files_left = settings.max_zip_files
        self._bytes_left = settings.max_zip_bytes

    async def unpack(self, spool: Spool) -> None:
        """Keep each file of an archive. Raises Refused: the archive as a whole is not taken."""
        settings = self._settings
        limits = Limits(self._files_left, self._bytes_left, settings.max_file_bytes, settings.max_zip_ratio)
        archive = await asyncio.to_thread(Archive, spool.file, spool.size, limits)
        members = archive.members()
        while batch := await asyncio.to_thread(self._look, archive, members):
            await self._keep(archive, batch)

    def _look(self, archive: Archive, members: Iterator[Member | tuple[str, str]]) -> list[_Looked]:
        """The next members that are taken; what is wrong with others is told."""
        found: list[_Looked] = []
        for each in members:
            if isinstance(each, tuple):
                name, sentence = each
                self._fail(name, Refused(sentence))
                continue
            self._files_left -= 1
            self._bytes_left -= each.size
            try:
                kind = self._kind(archive, each)
                claim(self._names, each.name)
            except Refused as refused:
                self._fail(each.name, refused)
                continue
            found.append(_Looked(each, kind))
            if len(found) == _BATCH:
                break
        return found

    def _kind(self, archive: Archive, member: Member) -> str:
        kind = sniff(member.name, next(archive.read(member, HEAD_BYTES), b""))
        if kind == ZIP:
            raise Refused("A zip archive in a zip archive is not unpacked. Send it by itself.")
        return kind

    async def _keep(self, archive: Archive, batch: Sequence[_Looked]) -> None:
        try:
            places = await self._writer.reserve([each.member.size for each in batch])
        except QuotaExceeded as error:
            for each in batch:
                self._fail(each.member.name, error)
            return
        slots = asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as tasks:
            for each, place in zip(batch, places, strict=True):
                if place.size <= _SMALL:
                    tasks.create_task(self._put_within(slots, archive, each, place))
                else:
                    await self._put(archive, each, place)

    async def _put_within(self, slots: asyncio.Semaphore, archive: Archive, each: _Looked, place: Place) -> None:
        async with slots:
            await self._put(archive, each, place)

    async def _put(self, archive: Archive, each: _Looked, place: Place) -> None:
        content = _Content(archive, each.member)
        try:
            await self._writer.put(place, content.pieces())
        except (Refused, StorageUnavailable) as error:
            self._fail(each.member.name, content.broken or error)
        else:
            sha256 = content.digest.hexdigest()
            self._writer.keep(Written(place.id, each.member.name, each.type, each.member.size, sha256))


class _Content:
    """A member as the store reads it; what is wrong with it is kept, since the store tells it in words of its own."""

    def __init__(self, archive: Archive, member: Member) -> None:
        self.digest = hashlib.sha256()
        self.broken: Refused | None = None
        self._pieces = archive.read(member, _PIECE)

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            while piece := await asyncio.to_thread(next, self._pieces, b""):
                self.digest.update(piece)
                yield piece
        except Refused as refused:
            self.broken = refused
            raise
