"""What is read of a project's index, on the wire."""

from uuid import UUID

from pydantic import Field

from kijko.models.base import Page, Wire


class SearchResult(Wire):
    """A piece of code that answers a question."""

    repository_id: UUID | None = Field(None, description="The repository it is of; null for an uploaded file.")
    repository_name: str | None = None
    upload_id: UUID | None = Field(None, description="The upload it is of; null for a repository's file.")
    path: str
    start_line: int = Field(description="From 1, in the file as its source has it.")
    end_line: int = Field(description="The last line, itself included.")
    content: str = Field(description="These lines; where secrets stood, their placeholders.")
    score: float = Field(description="Higher is better; it compares results of one search only.")


class IndexedFile(Wire):
    """A file that serves."""

    id: UUID
    path: str
    repository_id: UUID | None = Field(None, description="The repository it is of; null for an uploaded file.")
    repository_name: str | None = None
    upload_id: UUID | None = Field(None, description="The upload it is; null for a repository's file.")
    language: str | None = None
    size_bytes: int
    lines: int
    original_tokens: int = Field(description="Of the file as it is.")
    tokens: int = Field(description="Of its chunks together.")
    chunks: int


class FilePage(Page):
    """A page of files, by path."""

    data: list[IndexedFile]


class Chunk(Wire):
    """A piece of a file that serves."""

    id: UUID = Field(description="The same in every ingestion, as long as the piece and its file are.")
    file_id: UUID
    path: str
    ordinal: int = Field(description="Its place in the file, from 0.")
    start_line: int
    end_line: int
    tokens: int
    kind: str = Field(description="What it is: a function, a class, text and so on.")
    symbol: str | None = Field(None, description="The path of names of what it defines.")
    language: str | None = None
    content: str


class ChunkPage(Page):
    """A page of chunks, by path and place."""

    data: list[Chunk]
