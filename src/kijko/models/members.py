"""Members of projects, and invitations into them, on the wire."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StrictBool, StringConstraints

from kijko.models.base import Part, Request, Text, Wire, absent_stays
from kijko.models.enums import NotificationLevel, ProjectMemberRole

MemberEmail = Annotated[Text, StringConstraints(max_length=1024), Field(json_schema_extra={"format": "email"})]
InviteMessage = Annotated[Text, StringConstraints(strip_whitespace=True, max_length=1000)]


class AddMemberRequest(Request):
    """Somebody for a project: a colleague joins at once, any other address is invited by mail."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"email": "colleague@example.nl", "role": "developer", "inviteMessage": "Shall we?"}]
        }
    )

    email: MemberEmail
    role: ProjectMemberRole
    notify_on_ingestion: StrictBool | None = None
    notify_on_error: StrictBool | None = None
    notify_on_team_changes: StrictBool | None = None
    invite_message: InviteMessage | None = None


class UpdateMemberRequest(Request):
    """What is present changes; what is absent stays."""

    model_config = ConfigDict(json_schema_extra=absent_stays({"role": "viewer", "notificationLevel": "daily"}))

    role: ProjectMemberRole = ProjectMemberRole.VIEWER
    notify_on_ingestion: StrictBool = True
    notify_on_error: StrictBool = True
    notify_on_team_changes: StrictBool = True
    notification_level: NotificationLevel = NotificationLevel.REAL_TIME


class TeamMemberInvitation(Part):
    """One of several who are invited at once."""

    email: MemberEmail
    role: ProjectMemberRole
    notification_level: NotificationLevel = NotificationLevel.REAL_TIME


class BulkInvitationRequest(Request):
    """Up to 100 people; each succeeds or fails alone."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"invitations": [{"email": "colleague@example.nl", "role": "viewer", "notificationLevel": "daily"}]}
            ]
        }
    )

    invitations: Annotated[list[TeamMemberInvitation], Field(min_length=1, max_length=100)]


class InvitationResult(Wire):
    """What became of one: `pending` (the mail is in the outbox), `sent` (a colleague: in at once) or `failed`."""

    email: str
    status: Literal["sent", "pending", "failed"]
    member_id: UUID | None = None
    error: str | None = None


class BulkInvitationResponse(Wire):
    """What became of each, in the order of the request. `totalSent` counts those who did not fail."""

    success: bool
    results: list[InvitationResult]
    total_sent: int
    total_failed: int
