"""One upload from its first part to its answer."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID

from kijko.clients.storage import Storage, StorageUnavailable
from kijko.core.errors import AppError, Invalid, QuotaExceeded
from kijko.core.tenancy import OrgReader
from kijko.core.words import counted
from kijko.models.uploads import UploadFailure, UploadResult
from kijko.services.projects import access
from kijko.services.projects.errors import ProjectNotFound
from kijko.services.uploads.content import HEAD_BYTES, ZIP, sniff
from kijko.services.uploads.errors import NothingUploaded
from kijko.services.uploads.incoming import Part
from kijko.services.uploads.names import claim, clean, shown
from kijko.services.uploads.refusal import Refused
from kijko.services.uploads.spool import Spool
from kijko.services.uploads.unpacking import Unpacking
from kijko.services.uploads.writing import Writer, Written
from kijko.settings import Storage as Settings

_LONGEST_FIELD: Final = 1000
_MOST_WAITING: Final = 100
"""Files that wait for projectId: each is an open file of the process, and those are what everybody shares."""


async def receive(reader: OrgReader, storage: Storage, settings: Settings, parts: AsyncIterator[Part]) -> UploadResult:
    """Keeps the files of an upload in the project that its field projectId names.

    Each file is put down on disk, looked at, and goes to the store before the next is read; a zip is unpacked. What is
    wrong with one file is told in `errors`. Where the upload breaks off, none of it is kept.

    Raises:
        ProjectNotFound, Forbidden: see access. NothingUploaded, Invalid: the form lacks something or has too much.
        QuotaExceeded, StorageUnavailable: that is why not one file could be kept.
    """
    upload = _Upload(reader, storage, settings)
    try:
        async for part in parts:
            await upload.take(part)
        return await upload.finish()
    finally:
        await asyncio.shield(upload.close())


class _Upload:
    def __init__(self, reader: OrgReader, storage: Storage, settings: Settings) -> None:
        self._reader = reader
        self._storage = storage
        self._settings = settings
        self._writer: Writer | None = None
        self._unpacking: Unpacking | None = None
        self._waiting: list[tuple[str, Spool]] = []
        self._names: set[str] = set()
        self._files = 0
        self._errors: list[UploadFailure] = []
        self._reason: AppError | None = None

    async def take(self, part: Part) -> None:
        """Take in the next part."""
        if part.filename is not None:
            await self._take_file(part, part.filename)
        elif part.field == "projectId":
            await self._open(await _text(part))
        elif part.field == "files":  # it would be lost without a word
            raise Invalid("Send each file with its name: filename in the part's Content-Disposition.", field="files")

    async def finish(self) -> UploadResult:
        """What became of the files."""
        if self._writer is None:
            raise Invalid("Name the project in the field projectId.", field="projectId")
        if not self._files:
            raise NothingUploaded
        files, late = await self._writer.finish()
        for each in late:
            self._refuse(each.name, "The upload took more than an hour. Please try again with less at once.")
        if not files and self._reason is not None:
            raise self._reason
        return UploadResult(uploaded=files, errors=self._errors)

    async def close(self) -> None:
        """Let go of everything that did not become a file."""
        for _, spool in self._waiting:
            spool.close()
        if self._writer is not None:
            await self._writer.give_up()

    async def _open(self, text: str) -> None:
        if self._writer is not None:
            raise Invalid("Name one project only.", field="projectId")
        try:
            project_id = UUID(text)
        except ValueError:
            raise ProjectNotFound from None
        await access.require(self._reader, project_id, "source")
        self._writer = Writer(self._reader, self._storage, project_id)
        self._unpacking = Unpacking(self._writer, self._settings, self._names, self._fail)
        while self._waiting:
            name, spool = self._waiting.pop(0)
            await self._store(self._writer, self._unpacking, name, spool)

    async def _take_file(self, part: Part, name: str) -> None:
        if part.field != "files":
            raise Invalid("Send every file in the field files.", field=shown(part.field))
        if self._writer is None and len(self._waiting) >= _MOST_WAITING:
            raise Invalid(
                f"Put the field projectId before the files: at most {_MOST_WAITING} may come before it.",
                field="projectId",
            )
        spool = Spool(self._settings.spool)
        try:
            self._count()
            await spool.fill(part.content, most=self._settings.max_file_bytes)
        except Refused as refused:
            self._refuse(name, refused.sentence)
            spool.close()
            return
        except BaseException:
            spool.close()
            raise
        if not name and not spool.size:  # what a browser sends for a field without a file
            self._files -= 1
            spool.close()
        elif self._writer is None or self._unpacking is None:
            self._waiting.append((name, spool))
        else:
            await self._store(self._writer, self._unpacking, name, spool)

    def _count(self) -> None:
        self._files += 1
        if self._files > self._settings.max_files:
            raise Invalid(
                f"Send at most {counted(self._settings.max_files, 'file')} at once; a zip counts as one.", field="files"
            )

    async def _store(self, writer: Writer, unpacking: Unpacking, told: str, spool: Spool) -> None:
        try:
            name = clean(told)
            kind = sniff(name, await spool.head(HEAD_BYTES))
            if kind == ZIP:
                await unpacking.unpack(spool)
                return
            claim(self._names, name)
            (place,) = await writer.reserve([spool.size])
            await writer.put(place, spool.content())
            writer.keep(Written(place.id, name, kind, spool.size, spool.sha256))
        except (Refused, QuotaExceeded, StorageUnavailable) as error:
            self._fail(told, error)
        finally:
            spool.close()

    def _fail(self, name: str, error: Refused | AppError) -> None:
        if isinstance(error, Refused):
            self._refuse(name, error.sentence)
        else:
            self._reason = self._reason or error
            self._refuse(name, error.detail)

    def _refuse(self, name: str, sentence: str) -> None:
        self._errors.append(UploadFailure(name=shown(name), error=sentence))


async def _text(part: Part) -> str:
    found = bytearray()
    async for piece in part.content:
        found += piece
        if len(found) > _LONGEST_FIELD:
            raise Invalid("The field is too long.", field=shown(part.field))
    return found.decode(errors="replace").strip()
