"""Executions on the wire."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from kijko.models.base import Amount, JsonValue, Page, Request, Text, Timestamp, Wire, left_out
from kijko.models.enums import ExecutionErrorCode, ExecutionStatus, ExecutionType
from kijko.models.habits import Habit
from kijko.models.reflexes import Reflex
from kijko.models.skills import Skill, SkillContext


class ExecuteSkillRequest(Request):
    """What to run a skill with."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"input": {"text": "The quick brown fox."}}]})

    input: dict[Text, JsonValue] | None = None
    context: SkillContext | None = None
    execution_type: Literal[ExecutionType.MANUAL, ExecutionType.API] = ExecutionType.MANUAL
    reference_id: UUID | None = None


class ExecuteSkillResponse(Wire):
    """An execution that was accepted and, after a wait, what became of it."""

    execution_id: UUID
    status: ExecutionStatus
    output: str | None = None
    tokens_used: int | None = None
    duration_ms: int | None = None
    error: str | None = None


class Citation(Wire):
    """A piece of code that the prompt was given."""

    project_id: UUID
    repository: str
    path: str
    start_line: int
    end_line: int
    commit: str


class SkillExecution(Wire):
    """One run of a skill, with what it gave and what it cost."""

    model_config = ConfigDict(json_schema_extra=left_out("renderedPrompt"))

    id: UUID
    skill_id: UUID | None = None
    user_id: UUID
    execution_type: ExecutionType
    reference_id: UUID | None = None
    input: dict[str, JsonValue] | None = None
    output: str | None = None
    tokens_used: int | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    duration_ms: int | None = None
    cost_cents: Annotated[Amount | None, Field(description="In cents, fractions kept; null while no price is known.")]
    status: ExecutionStatus
    error_message: str | None = None
    error_code: ExecutionErrorCode | None = None
    model: str | None = None
    skill_version: int | None = None
    attempts: int | None = None
    retry_of: UUID | None = None
    citations: list[Citation] | None = None
    rendered_prompt: Annotated[str | None, Field(description="Of one that is read by itself; lists are without.")] = (
        None
    )
    executed_at: Timestamp
    completed_at: Timestamp | None = None


class ExecutionWithSkill(SkillExecution):
    """A run, with the skill as it is now."""

    skill: Skill | None = None


class ExportedExecution(SkillExecution):
    """A run as an export has it, with the name of its skill."""

    skill_name: Annotated[str | None, Field(description="As the skill is called now; null where it is gone.")]


class ExecutionPage(Page):
    """A page of executions, newest first."""

    executions: list[ExecutionWithSkill]


class ExecutionSlice(Wire):
    """Some of a skill's executions, newest first, and how many there are."""

    executions: list[SkillExecution]
    total: int


class SkillWithRelations(Skill):
    """A skill with what hangs on it."""

    habits: list[Habit]
    reflexes: list[Reflex]
    recent_executions: list[SkillExecution]


class RetryResponse(Wire):
    """The run that does an earlier one again."""

    new_execution_id: UUID
    status: Literal[ExecutionStatus.PENDING, ExecutionStatus.RUNNING]


class CleanupResult(Wire):
    """What cleaning up took away."""

    deleted_count: int
    freed_space_mb: Annotated[Amount, Field(description="In MB of 10^6 bytes, as the rows lay on the disk.")]
