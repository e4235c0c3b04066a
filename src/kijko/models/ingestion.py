"""Ingestions on the wire."""

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StrictBool

from kijko.models.base import Amount, Page, Request, Timestamp, UriReference, Wire
from kijko.models.enums import IngestionPhase
from kijko.models.projects import IngestionMetrics


class IngestionStatus(StrEnum):
    """Where an ingestion stands. The last three are ends."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StartIngestionRequest(Request):
    """How to ingest. `forceReprocess` reads every file anew, also where the project is active and nothing changed."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"forceReprocess": True}]})

    skip_validation: StrictBool | None = None
    force_reprocess: StrictBool | None = None


class StartIngestionResponse(Wire):
    """An ingestion that was accepted."""

    job_id: UUID
    project_id: UUID
    status: Literal["processing"] = "processing"
    ws_namespace_url: UriReference
    estimated_duration_seconds: float


class IngestedCommit(Wire):
    """What was read of a repository."""

    repository_id: UUID
    repository_name: str
    branch: str
    commit: str


class FileError(Wire):
    """A file that could not be read."""

    path: str
    message: str


class SkippedFile(Wire):
    """A file that was not taken."""

    path: str
    reason: str


class FoundSecret(Wire):
    """A secret in a file of the project, never its value."""

    path: str
    line: int
    kind: str
    placeholder: str | None = None


class Ingestion(Wire):
    """One ingestion of a project. Lists hold the first entries; the totals count all."""

    id: UUID
    status: IngestionStatus
    trigger: Annotated[Literal["manual", "webhook"], Field(description="Who asked: a person, or a push.")]
    phase: IngestionPhase
    progress_percent: Amount
    message: str
    started_at: Timestamp
    completed_at: Timestamp | None = None
    commits: list[IngestedCommit]
    metrics: IngestionMetrics
    errors: list[FileError]
    errors_total: int
    skipped: list[SkippedFile]
    skipped_total: int
    secrets: list[FoundSecret]
    secrets_total: int
    notes: Annotated[list[FileError], Field(description="Files that were not read as they should have been, and why.")]
    notes_total: int
    error_code: str | None = None
    error_message: str | None = None


class IngestionPage(Page):
    """A page of ingestions."""

    data: list[Ingestion]
