"""A repository's webhook on the wire."""

from enum import StrEnum

from pydantic import Field

from kijko.models.base import Uri, Wire


class RepositoryWebhook(Wire):
    """What to enter at GitHub or GitLab, so that a push starts the next ingestion."""

    url: Uri
    secret: str


class PushReason(StrEnum):
    """What became of a delivery, and why."""

    STARTED = "started"
    NO_PUSH = "no_push"
    OTHER_BRANCH = "other_branch"
    BRANCH_DELETED = "branch_deleted"
    NOT_FOLLOWED = "not_followed"
    DELIVERED_BEFORE = "delivered_before"
    QUOTA_EXCEEDED = "quota_exceeded"


class PushTaken(Wire):
    """A delivery was taken."""

    started: bool = Field(description="Whether an ingestion takes what was pushed.")
    reason: PushReason
    message: str = Field(description="The reason in a sentence, as the git provider shows it.")
