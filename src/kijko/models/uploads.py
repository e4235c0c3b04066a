"""The shapes of uploaded files on the wire."""

from uuid import UUID

from pydantic import Field

from kijko.models.base import Wire


class UploadedFile(Wire):
    """A file that is a source of its project now."""

    id: UUID
    name: str = Field(description="Its path in the project.")
    size: int = Field(description="Bytes.")
    type: str = Field(description="The media type that its content shows.")


class UploadFailure(Wire):
    """A file that was not kept, and why."""

    name: str
    error: str


class UploadResult(Wire):
    """What became of each file of an upload; a zip became its files."""

    uploaded: list[UploadedFile]
    errors: list[UploadFailure]
