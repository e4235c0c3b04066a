"""A project with an index, made as an ingestion makes it: rows of files and chunks, then staged and published terms."""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from kijko.core.tenancy import Tenants
from kijko.services import search

Files = Mapping[str, str]
_BLOCK = re.compile(r"(?<=\n)(?=(?:def|class|function|#) )")


@dataclass(frozen=True)
class Cut:
    """A piece of a file: the lines from one definition at the margin to the next."""

    start_line: int
    end_line: int
    text: str
    symbol: str | None = None


def cut(text: str) -> list[Cut]:
    """The whole text, once and in order."""
    pieces, line = [], 1
    for block in _BLOCK.split(text):
        lines = block.count("\n") + (not block.endswith("\n"))
        pieces.append(Cut(line, line + lines - 1, block))
        line += lines
    return pieces


@dataclass
class Index:
    """A project's index, by the worker's database and the owner's connection."""

    database: Tenants
    owner: psycopg.Connection[Any]
    organization: uuid.UUID
    project: uuid.UUID

    async def ingest(self, files: Files, *, removed: Sequence[str] = (), repository: str | None = None) -> None:
        """Adds these files, and removes those paths (with what is added anew)."""
        ingestion = uuid.uuid4()
        gone = self.numbers([*removed, *files])
        await self.stage(ingestion, files, repository)
        async with self.database.system("a test") as tx:
            await search.publish(tx, self.organization, self.project, ingestion, gone)
            # Before the commit: whoever merges in between takes what is not live for dead.
            self.owner.execute(
                "delete from source_files where project_id = %s and live and path = any(%s)",
                (self.project, [*removed, *files]),
            )
            self.owner.execute("update source_files set live = true where ingestion_id = %s", (ingestion,))

    async def stage(self, ingestion: uuid.UUID, files: Files, repository: str | None = None) -> None:
        entries: list[tuple[int, bytes]] = []
        for path, text in files.items():
            pieces = cut(text)
            numbers = self._write(ingestion, path, text, pieces, repository)
            entries += zip(numbers, search.analyse(path, "python", pieces), strict=True)
        await search.stage(self.database, self.organization, self.project, ingestion, entries)

    def numbers(self, paths: Sequence[str]) -> list[int]:
        rows = self.owner.execute(
            "select c.number from chunks c join source_files f on f.id = c.file_id "
            "where f.project_id = %s and f.live and f.path = any(%s)",
            (self.project, list(paths)),
        )
        return [row[0] for row in rows]

    def _write(
        self, ingestion: uuid.UUID, path: str, text: str, pieces: Sequence[Cut], repository: str | None
    ) -> list[int]:
        file = uuid.uuid4()
        upload = None if repository else self._upload(path)
        self.owner.execute(
            "insert into source_files (id, organization_id, project_id, repository_id, upload_id, ingestion_id, path, "
            "content_key, options_key, language, size_bytes, lines, original_tokens, tokens, chunks) "
            "values (%s, %s, %s, %s, %s, %s, %s, %s, 'o', 'python', %s, %s, %s, %s, %s)",
            (
                file,
                self.organization,
                self.project,
                repository,
                upload,
                ingestion,
                path,
                "a" * 40,
                len(text),
                text.count("\n"),
                len(text) // 4,
                len(text) // 4,
                len(pieces),
            ),
        )
        row = self.owner.execute(
            "select coalesce(max(number), 0) from chunks where project_id = %s", (self.project,)
        ).fetchone()
        assert row is not None
        numbers = [row[0] + at for at in range(1, len(pieces) + 1)]
        for at, (piece, number) in enumerate(zip(pieces, numbers, strict=True)):
            self.owner.execute(
                "insert into chunks (file_id, ordinal, id, organization_id, project_id, number, start_byte, end_byte, "
                "start_line, end_line, tokens, kind, symbol, content) "
                "values (%s, %s, %s, %s, %s, %s, 0, 0, %s, %s, %s, 'function', %s, %s)",
                (
                    file,
                    at,
                    uuid.uuid4(),
                    self.organization,
                    self.project,
                    number,
                    piece.start_line,
                    piece.end_line,
                    max(1, len(piece.text) // 4),
                    piece.symbol,
                    piece.text,
                ),
            )
        return numbers

    def _upload(self, path: str) -> uuid.UUID:
        made = uuid.uuid4()
        self.owner.execute(
            "insert into uploads (id, organization_id, project_id, user_id, name, size_bytes, content_type, sha256, "
            "storage_key) values (%s, %s, %s, %s, %s, 1, 'text/plain', repeat('a', 64), %s) "
            "on conflict do nothing",
            (made, self.organization, self.project, uuid.uuid4(), path, f"tests/{made}"),
        )
        row = self.owner.execute(
            "select id from uploads where project_id = %s and name = %s", (self.project, path)
        ).fetchone()
        assert row is not None
        found: uuid.UUID = row[0]
        return found
