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


class ExecutionType(StrEnum):
    """What started an execution."""

    MANUAL = "manual"
    HABIT = "habit"
    REFLEX = "reflex"
    API = "api"


class ExecutionErrorCode(StrEnum):
    """Why an execution failed, for programs."""

    PROVIDER_RATE_LIMITED = "PROVIDER_RATE_LIMITED"
    PROVIDER_OVERLOADED = "PROVIDER_OVERLOADED"
    PROVIDER_AUTH = "PROVIDER_AUTH"
    TIMEOUT = "TIMEOUT"
    CONTEXT_TOO_LONG = "CONTEXT_TOO_LONG"
    CONTENT_REFUSED = "CONTENT_REFUSED"
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
