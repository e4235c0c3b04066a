"""What is told in rooms and over their connections: each event's name, its shape, and when it comes."""

from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from pydantic import JsonValue

from kijko.models.base import Timestamp, Wire
from kijko.models.executions import SkillExecution
from kijko.models.projects import IngestionMetrics


class About(Wire):
    """An event's second argument over Socket.IO; the plain WebSocket has id and timestamp in the message."""

    room: str
    id: str
    timestamp: Timestamp


class PhaseStarted(Wire):
    """A phase of an ingestion begins."""

    project_id: UUID
    phase: str
    message: str
    start_time: Timestamp
    total_phases: int
    current_phase_index: int


class ProgressUpdate(Wire):
    """An ingestion goes on. The percentage never goes back."""

    project_id: UUID
    phase: str
    progress_percent: float
    message: str
    metrics: IngestionMetrics


class IngestionError(Wire):
    """An ingestion has failed; `ingestion_complete` follows."""

    project_id: UUID
    phase: str | None
    error_code: str
    error_message: str
    recoverable: bool
    retry_count: int


class IngestionComplete(Wire):
    """An ingestion has ended, well or not; `project` has what changed of it."""

    project_id: UUID
    success: bool
    total_duration_seconds: float | None
    final_metrics: IngestionMetrics
    project: dict[str, JsonValue]


class ExecutionUpdate(Wire):
    """A run of yours has ended, or waits for another attempt. Its prompt and citations are not told, nor is its output
    where the prompt held a project's code: read the execution."""

    execution: SkillExecution


class Joined(Wire):
    """What was missed has been sent, and from here on the room is live."""

    room: str
    last_id: str


class Gap(Wire):
    """Events before this id are no longer kept: what they told is to be fetched anew."""

    room: str
    oldest_id: str


class Left(Wire):
    """This room is not yours to hear any more."""

    room: str
    code: str
    message: str


class TokenTime(Wire):
    """Until when your token counts."""

    expires_at: Timestamp


class Told(Wire):
    """What was not taken, or why the connection is closed: a code, and a sentence."""

    code: str
    message: str


class JoinRoom(Wire):
    """Acknowledged with {ok: true, room, lastId} when it is live, else with {ok: false, code, message}."""

    room: str
    last_id: str | None = None


class LeaveRoom(Wire):
    """Acknowledged with {ok: true, room}."""

    room: str


class RefreshToken(Wire):
    """A new access token of the same person and session. Acknowledged with {ok: true, expiresAt}."""

    token: str


Channel = Literal["project", "user", "organization", "connection"]


@dataclass(frozen=True, slots=True)
class Described:
    """An event, where it is told, and whether the client is who sends it."""

    name: str
    shape: type[Wire]
    channel: Channel
    sent: bool = False


EVENTS: Final = (
    Described("phase_started", PhaseStarted, "project"),
    Described("progress_update", ProgressUpdate, "project"),
    Described("error", IngestionError, "project"),
    Described("ingestion_complete", IngestionComplete, "project"),
    Described("execution_update", ExecutionUpdate, "user"),
    Described("ingestion:complete", IngestionComplete, "user"),
    Described("joined", Joined, "connection"),
    Described("gap", Gap, "connection"),
    Described("left", Left, "connection"),
    Described("token:expiring", TokenTime, "connection"),
    Described("token:refreshed", TokenTime, "connection"),
    Described("token:expired", TokenTime, "connection"),
    Described("refused", Told, "connection"),
    Described("closed", Told, "connection"),
    Described("join", JoinRoom, "connection", sent=True),
    Described("leave", LeaveRoom, "connection", sent=True),
    Described("token:refresh", RefreshToken, "connection", sent=True),
)
