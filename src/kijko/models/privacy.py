"""Deletions on the wire."""

from typing import Literal
from uuid import UUID

from kijko.models.base import ABSENT_MAY_BE, Timestamp, Wire

Progress = Literal["pending", "running", "done"]


class DeletionStep(Wire):
    """One part of a deletion."""

    name: str
    status: Progress


class DeletionReceipt(Wire):
    """What was deleted, and when; there is nothing of it here any more but this."""

    deletion_id: UUID
    kind: Literal["organization", "account"]
    id: UUID
    rows: int
    requested_at: Timestamp
    completed_at: Timestamp


class DeletionStatus(Wire):
    """How far a deletion is; with the receipt once it is done."""

    model_config = ABSENT_MAY_BE

    status: Progress
    steps: list[DeletionStep]
    receipt: DeletionReceipt | None = None
