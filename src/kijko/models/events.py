"""Events on the wire: what rooms and connections are told, and what a client may say. `EVENTS` lists them all."""

from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from kijko.models.base import ABSENT_MAY_BE, Amount, Timestamp, Wire
from kijko.models.enums import IngestionPhase, ProjectStatus
from kijko.models.executions import SkillExecution
from kijko.models.projects import IngestionMetrics


class About(Wire):
    """The second argument of every event. Keep the id: it is what you join with when you come back."""

    room: str
    id: str
    timestamp: Timestamp


class PhaseStarted(Wire):
    """An ingestion enters a phase."""

    project_id: UUID
    phase: IngestionPhase
    message: str
    start_time: Timestamp
    total_phases: int
    current_phase_index: int


class ProgressUpdate(Wire):
    """How far an ingestion is."""

    project_id: UUID
    phase: IngestionPhase
    progress_percent: Amount
    message: str
    metrics: IngestionMetrics


class IngestedProject(Wire):
    """The project as an ingestion left it."""

    id: UUID
    name: str
    status: ProjectStatus
    total_repos: int
    total_files: int
    original_tokens: int
    optimized_tokens: int
    ingestion_time_seconds: Amount | None
    updated_at: Timestamp


class IngestionComplete(Wire):
    """An ingestion has ended, well or not."""

    project_id: UUID
    success: bool
    total_duration_seconds: Amount | None
    final_metrics: IngestionMetrics
    project: IngestedProject


class IngestionFailed(Wire):
    """What went wrong with an ingestion."""

    project_id: UUID
    phase: IngestionPhase
    error_code: str | None
    error_message: str | None
    recoverable: bool
    retry_count: int


class ExecutionUpdate(Wire):
    """An execution has ended, or waits for another attempt. Without its prompt; see docs/realtime.md."""

    execution: SkillExecution


class ActivityNew(Wire):
    """Somebody did something that concerns you: in a project that you may read, or in your organization."""

    id: UUID
    type: str
    user: str
    """Who did it, by name; Kijko where a push or a schedule did."""
    user_id: UUID | None
    project_id: UUID | None
    description: str
    """What was done, in words that follow the name."""
    timestamp: Timestamp


class UserStatus(Wire):
    """A person who shares an organization with you has come, or has gone."""

    model_config = ABSENT_MAY_BE

    user_id: UUID
    status: Literal["online", "offline"]
    since: Timestamp | None = None
    """Null where you have just connected and are told who is there."""


class RoomAt(Wire):
    """What was missed has been sent, and from here on the room is live."""

    room: str
    last_id: str


class Gap(Wire):
    """Events before this id are no longer kept: fetch anew what the room is about."""

    room: str
    oldest_id: str


class LeftRoom(Wire):
    """You left that room; with a code, because you may not be in it any more."""

    model_config = ABSENT_MAY_BE

    room: str
    code: str | None = None
    message: str | None = None


class TokenEnd(Wire):
    """When your token ends."""

    expires_at: Timestamp


class Reason(Wire):
    """Why: a code for programs, a sentence for people."""

    code: str
    message: str


class Nothing(Wire):
    """No data."""


class Join(Wire):
    """Hear a room, from what follows that id on or from now. Answered {ok: true, room, lastId} when it is live."""

    model_config = ABSENT_MAY_BE

    room: str
    last_id: str | None = None


class Leave(Wire):
    """Hear it no more."""

    room: str


class NewToken(Wire):
    """A new access token of the same person and session, so that the connection goes on."""

    token: str


Channel = Literal["project", "user", "organization", "connection"]


@dataclass(frozen=True, slots=True)
class Described:
    """One event: where it is told, its data, and whether the server says it or the client."""

    name: str
    data: type[Wire]
    channels: tuple[Channel, ...]
    by_client: bool = False


EVENTS: Final = (
    Described("phase_started", PhaseStarted, ("project",)),
    Described("progress_update", ProgressUpdate, ("project",)),
    Described("ingestion_complete", IngestionComplete, ("project",)),
    Described("error", IngestionFailed, ("project",)),
    Described("ingestion:complete", IngestionComplete, ("user",)),
    Described("execution_update", ExecutionUpdate, ("user",)),
    Described("activity:new", ActivityNew, ("user",)),
    Described("user:status", UserStatus, ("user", "connection")),
    Described("joined", RoomAt, ("connection",)),
    Described("gap", Gap, ("connection",)),
    Described("left", LeftRoom, ("connection",)),
    Described("token:expiring", TokenEnd, ("connection",)),
    Described("token:expired", TokenEnd, ("connection",)),
    Described("token:refreshed", TokenEnd, ("connection",)),
    Described("refused", Reason, ("connection",)),
    Described("closed", Reason, ("connection",)),
    Described("pong", Nothing, ("connection",)),
    Described("join", Join, ("connection",), by_client=True),
    Described("leave", Leave, ("connection",), by_client=True),
    Described("token:refresh", NewToken, ("connection",), by_client=True),
    Described("ping", Nothing, ("connection",), by_client=True),
)
"""Every event there is."""
