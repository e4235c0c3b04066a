"""A project's export as JSON, on the wire. It is written as a stream; tests hold it to these shapes."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from kijko.models.base import Timestamp, Wire


class ExportedProject(Wire):
    """Whose context it is."""

    id: UUID
    name: str
    description: str | None


class ExportedFolder(Wire):
    """A folder, with what is in it and below."""

    path: str
    files: int
    tokens: int


class ExportedFile(Wire):
    """A file's text, or the heads of its definitions."""

    path: str
    repository: Annotated[str | None, Field(description="Its name; null for an uploaded file.")]
    language: str | None
    lines: int
    tokens: int
    part: Literal["whole", "signatures"]
    content: str


class LeftOutFile(Wire):
    """A file for which there was no room."""

    path: str
    tokens: int


class LeftOut(Wire):
    """What there was no room for: all of it counted, the first of it named."""

    files: int
    tokens: int
    names: list[LeftOutFile]


class ProjectExport(Wire):
    """A project's context as one file."""

    project: ExportedProject
    exported_at: Timestamp
    tokenizer: Annotated[str, Field(description="What counted the tokens.")]
    max_tokens: int | None
    total_files: int
    total_tokens: int
    tree: list[ExportedFolder]
    files: list[ExportedFile]
    left_out: LeftOut
