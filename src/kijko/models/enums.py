"""The closed sets of the contract."""

from enum import StrEnum


class PlanTier(StrEnum):
    """The plans, cheapest first."""

    FREE = "free"
    PRO = "pro"
    TEAMS = "teams"
    ENTERPRISE = "enterprise"


class OrganizationRole(StrEnum):
    """What a person is in an organization."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


class ProjectType(StrEnum):
    """Where a project's code comes from."""

    REPOSITORY = "repository"
    FILES = "files"
    MANUAL = "manual"


class ProjectStatus(StrEnum):
    """Where a project stands: draft until its first ingestion, active while an index serves."""

    DRAFT = "draft"
    PROCESSING = "processing"
    ACTIVE = "active"
    ERROR = "error"


class ProjectPrivacy(StrEnum):
    """Who sees a project: its members, or all of the organization."""

    PRIVATE = "private"
    SHARED = "shared"


class ChunkingStrategy(StrEnum):
    """How files are cut into chunks."""

    SEMANTIC = "semantic"
    FIXED = "fixed"
    RECURSIVE = "recursive"
    CUSTOM = "custom"


class OutputFormat(StrEnum):
    """What an ingestion makes."""

    JSON = "json"
    MARKDOWN = "markdown"
    VECTOR = "vector"


class NotificationLevel(StrEnum):
    """How often a project's news are sent to a member."""

    REAL_TIME = "real-time"
    DAILY = "daily"
    WEEKLY = "weekly"
    DISABLED = "disabled"


class ProjectMemberRole(StrEnum):
    """What a person is in a project."""

    ADMIN = "admin"
    MANAGER = "manager"
    DEVELOPER = "developer"
    VIEWER = "viewer"
    AUDITOR = "auditor"


class IngestionPhase(StrEnum):
    """The phases of an ingestion, in their order."""

    REPOSITORY_FETCH = "repository_fetch"
    PARSING = "parsing"
    CHUNKING = "chunking"
    OPTIMIZATION = "optimization"
    INDEXING = "indexing"


class RepositoryStatus(StrEnum):
    """Where a repository stands."""

    PENDING = "pending"
    CONNECTED = "connected"
    SYNCING = "syncing"
    ERROR = "error"


class GitProvider(StrEnum):
    """Whose git server it is."""

    GITHUB = "github"
    GITLAB = "gitlab"
    BITBUCKET = "bitbucket"
    AZURE = "azure"


class ProjectCreationStep(StrEnum):
    """The steps in which the web app makes a project."""

    TYPE_SELECTION = "type_selection"
    BASIC_INFO = "basic_info"
    SOURCE_CONFIG = "source_config"
    TEAM_SETUP = "team_setup"
    SETTINGS = "settings"
    REVIEW = "review"


class SkillCategory(StrEnum):
    """What a skill is for."""

    ANALYSIS = "analysis"
    GENERATION = "generation"
    TRANSFORMATION = "transformation"
    COMMUNICATION = "communication"
    AUTOMATION = "automation"
    CUSTOM = "custom"


class SkillOutputFormat(StrEnum):
    """How the web app shows a skill's output."""

    MARKDOWN = "markdown"
    JSON = "json"
    TEXT = "text"
    HTML = "html"
    CODE = "code"


class ExecutionStatus(StrEnum):
    """Where an execution stands. The last three are ends."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ReflexTriggerType(StrEnum):
    """What makes a reflex run its skill."""

    WEBHOOK = "webhook"
    EMAIL = "email"
    FILE_CHANGE = "file_change"
    API_CALL = "api_call"
    SCHEDULE = "schedule"
    EVENT = "event"


class ExecutionType(StrEnum):
    """What started an execution."""

    MANUAL = "manual"
    HABIT = "habit"
    REFLEX = "reflex"
    API = "api"


class ApiKeyScope(StrEnum):
    """What an API key may be allowed. `routers.scopes` says which operation needs which."""

    ORGANIZATIONS_READ = "organizations:read"
    PROJECTS_READ = "projects:read"
    PROJECTS_WRITE = "projects:write"
    INGESTION_RUN = "ingestion:run"
    SKILLS_READ = "skills:read"
    SKILLS_WRITE = "skills:write"
    EXECUTIONS_READ = "executions:read"
    EXECUTIONS_RUN = "executions:run"


class ModelProvider(StrEnum):
    """At whom an organization may have a key of its own."""

    ANTHROPIC = "anthropic"
    GOOGLE = "google"
    OPENAI = "openai"


class ExecutionErrorCode(StrEnum):
    """Why an execution failed, for programs."""

    PROVIDER_RATE_LIMITED = "PROVIDER_RATE_LIMITED"
    PROVIDER_OVERLOADED = "PROVIDER_OVERLOADED"
    PROVIDER_AUTH = "PROVIDER_AUTH"
    TIMEOUT = "TIMEOUT"
    CONTEXT_TOO_LONG = "CONTEXT_TOO_LONG"
    CONTENT_REFUSED = "CONTENT_REFUSED"
    PROJECT_NOT_FOUND = "PROJECT_NOT_FOUND"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    CANCELLED = "CANCELLED"
    WORKER_LOST = "WORKER_LOST"
    INTERNAL = "INTERNAL"


class UsageMetricType(StrEnum):
    """What a plan limits."""

    API_CALLS = "api_calls"
    INGESTIONS = "ingestions"
    STORAGE = "storage"
    SEATS = "seats"
    ORACLE_QUERIES = "oracle_queries"
