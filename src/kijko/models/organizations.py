"""Organizations, their members and invitations on the wire."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StringConstraints

from kijko.models.base import EmailAddress, Request, Text, Timestamp, Wire, composed, readable
from kijko.models.enums import OrganizationRole, PlanTier

OrganizationName = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    BeforeValidator(composed),
    AfterValidator(readable),
]


class Organization(Wire):
    """An organization of the caller's, with its plan and the caller's role in it."""

    id: UUID
    name: str
    plan: PlanTier
    role: OrganizationRole
    member_count: int
    created_at: Timestamp
    updated_at: Timestamp


class OrganizationRequest(Request):
    """What an organization is called."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Acme"}]})

    name: OrganizationName


class OrganizationMember(Wire):
    """Somebody in an organization."""

    user_id: UUID
    email: EmailAddress
    name: str | None = None
    role: OrganizationRole
    joined_at: Timestamp


class UpdateOrganizationMemberRequest(Request):
    """A member's new role."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"role": "admin"}]})

    role: OrganizationRole


class OrganizationInvitationRequest(Request):
    """Whom to invite into the organization, and as what."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "colleague@example.nl", "role": "member"}]})

    email: Annotated[Text, StringConstraints(max_length=1024), Field(json_schema_extra={"format": "email"})]
    role: OrganizationRole


class OrganizationInvitation(Wire):
    """An open invitation. With a `projectId` it is one into that project, which holds a seat here as well."""

    id: UUID
    email: EmailAddress
    role: OrganizationRole
    project_id: UUID | None = None
    invited_by: UUID
    created_at: Timestamp
    expires_at: Timestamp
    mail_status: Literal["pending", "sent", "failed", "dropped"] | None = None


class DeleteOrganizationRequest(Request):
    """The organization's name, to be sure."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"confirm": "Acme"}]})

    confirm: Annotated[Text, StringConstraints(max_length=1000)]


class DeletionBegun(Wire):
    """A deletion, and the token to look at it with: shown this once."""

    deletion_id: UUID
    status_token: str
