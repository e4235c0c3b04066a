"""Projects on the wire."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StrictBool, StringConstraints

from kijko.models.base import (
    Amount,
    EmailAddress,
    Page,
    Part,
    Request,
    Text,
    Timestamp,
    Uri,
    Wire,
    absent_stays,
    composed,
    no_nul,
    readable,
)
from kijko.models.enums import (
    ChunkingStrategy,
    IngestionPhase,
    NotificationLevel,
    OutputFormat,
    ProjectCreationStep,
    ProjectMemberRole,
    ProjectPrivacy,
    ProjectStatus,
    ProjectType,
)
from kijko.models.repositories import ProjectRepository

ProjectName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=3, max_length=50),
    BeforeValidator(composed),
    AfterValidator(readable),
]
WebhookUrl = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=2000),
    AfterValidator(no_nul),
    Field(json_schema_extra={"format": "uri"}),
]
Description = Annotated[Text, StringConstraints(max_length=2000)]
Pattern = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), AfterValidator(no_nul)]
EmbeddingModel = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), AfterValidator(no_nul)
]
Patterns = Annotated[list[Pattern], Field(max_length=200)]
ProjectSort = Literal["name", "-name", "createdAt", "-createdAt", "updatedAt", "-updatedAt"]
"""The order of a list; with a minus, the last comes first."""


_WHOLE = ConfigDict(json_schema_serialization_defaults_required=True, json_schema_extra=absent_stays())
"""For a part of a request that goes out with the defaults of what was not given. In a change, what is absent stays."""


class MetadataOptions(Part):
    """What is kept beside the code: all but `gitHistory` and `customAnnotations`, until it is said otherwise."""

    model_config = _WHOLE

    function_signatures: StrictBool = True
    import_dependencies: StrictBool = True
    git_history: StrictBool = False
    file_structure: StrictBool = True
    custom_annotations: StrictBool = False


class PatternFilters(Part):
    """Which files are taken: all, until it is said otherwise."""

    model_config = _WHOLE

    language_patterns: Patterns = Field(default_factory=list)
    exclude_patterns: Patterns = Field(default_factory=list)


class ProcessingOptions(Part):
    """How an ingestion works. `anonymizeSecrets` is the project's own field of that name, under its second name.

    Until it is said otherwise, `parallelProcessing` is on and `realTimeIncremental` off.
    """

    model_config = _WHOLE

    anonymize_secrets: StrictBool = True
    parallel_processing: StrictBool = True
    real_time_incremental: StrictBool = False


class AdvancedSettings(Part):
    """What few projects change. In an update, what is absent stays and null goes back to the default."""

    webhook_url: WebhookUrl | None = None
    metadata_options: MetadataOptions | None = None
    output_format: OutputFormat | None = None
    embedding_model: EmbeddingModel | None = None
    pattern_filters: PatternFilters | None = None
    processing_options: ProcessingOptions | None = None


class ProjectSettings(Wire):
    """AdvancedSettings as they hold: what was set, and the default of what was not."""

    webhook_url: Annotated[Uri | None, Field(description="Null, too, for whoever may not change it.")] = None
    metadata_options: MetadataOptions
    output_format: OutputFormat
    embedding_model: str | None = None
    pattern_filters: PatternFilters
    processing_options: ProcessingOptions


class Project(Wire):
    """Code that is turned into context, and how."""

    id: UUID
    user_id: UUID
    organization_id: UUID
    name: str
    description: str | None = None
    type: ProjectType
    status: ProjectStatus
    privacy: ProjectPrivacy
    chunking_strategy: ChunkingStrategy
    include_metadata: bool
    anonymize_secrets: bool
    total_repos: int
    total_files: int
    original_tokens: int | None = None
    optimized_tokens: int | None = None
    ingestion_time_seconds: Amount | None = None
    created_at: Timestamp
    updated_at: Timestamp


class ProjectDetails(Project):
    """A project with its settings, as they hold: what was set, and the default of what was not."""

    settings: ProjectSettings


class CreateProjectRequest(Request):
    """A new project. All but its name and type has a default."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Payments",
                    "description": "The service that takes money",
                    "type": "repository",
                    "privacy": "shared",
                    "settings": {"patternFilters": {"languagePatterns": [], "excludePatterns": ["**/fixtures/**"]}},
                }
            ]
        }
    )

    name: ProjectName
    description: Description | None = None
    type: ProjectType
    privacy: ProjectPrivacy | None = None
    chunking_strategy: ChunkingStrategy | None = None
    include_metadata: StrictBool | None = None
    anonymize_secrets: StrictBool | None = None
    organization_id: UUID | None = None
    settings: AdvancedSettings | None = None


class CreateProjectResponse(Wire):
    """The project that was made, and what the web app asks for next."""

    project: ProjectDetails
    next_steps: list[ProjectCreationStep]


class UpdateProjectRequest(Request):
    """What is present changes; what is absent stays."""

    model_config = ConfigDict(
        json_schema_extra=absent_stays(
            {"privacy": "private", "settings": {"processingOptions": {"realTimeIncremental": True}}},
            {"name": "Payments", "chunkingStrategy": "semantic"},
        )
    )

    name: ProjectName = ""
    description: Description | None = None
    privacy: ProjectPrivacy = ProjectPrivacy.PRIVATE
    chunking_strategy: ChunkingStrategy = ChunkingStrategy.SEMANTIC
    include_metadata: StrictBool = True
    anonymize_secrets: StrictBool = True
    settings: AdvancedSettings | None = None


class ProjectPage(Page):
    """A page of projects."""

    data: list[Project]


class ProjectStats(Wire):
    """The projects that the caller may read, counted."""

    total_projects: int
    active_projects: int
    processing_projects: int
    error_projects: int
    total_tokens: int
    total_files: int


class ProjectMember(Wire):
    """Somebody in a project; without a person and an acceptance it is an invitation."""

    id: UUID
    project_id: UUID
    user_id: UUID | None = None
    email: EmailAddress
    name: str | None = None
    avatar_url: Uri | None = None
    role: ProjectMemberRole
    notify_on_ingestion: bool
    notify_on_error: bool
    notify_on_team_changes: bool
    notification_level: NotificationLevel
    invited_at: Timestamp
    accepted_at: Timestamp | None = None
    last_active_at: Timestamp | None = None


class IngestionMetrics(Wire):
    """How much an ingestion has done."""

    files_processed: int
    total_files: int
    tokens_processed: int
    bytes_processed: int
    chunks_created: int
    errors_encountered: int


class IngestionProgress(Wire):
    """Where an ingestion stands."""

    id: UUID
    project_id: UUID
    phase: IngestionPhase
    progress_percent: Amount
    message: str
    metrics: IngestionMetrics
    started_at: Timestamp
    estimated_completion_at: Timestamp | None = None
    completed_at: Timestamp | None = None
    error_message: str | None = None
    error_code: str | None = None


class ProjectWithRelations(ProjectDetails):
    """A project with what hangs on it. `currentIngestion` is the one that has not ended, if there is one."""

    repositories: list[ProjectRepository]
    members: list[ProjectMember]
    current_ingestion: IngestionProgress | None = None


class ValidateNameRequest(Request):
    """A name to try."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Payments"}]})

    name: Annotated[Text, StringConstraints(max_length=1000)]
    exclude_id: UUID | None = None


class NameValidation(Wire):
    """Whether a project may have that name, and why not."""

    valid: bool
    error: str | None = None
