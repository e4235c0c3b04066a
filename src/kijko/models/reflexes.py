"""Reflexes on the wire: skills that run when something happens."""

from uuid import UUID

from kijko.models.base import JsonValue, Timestamp, Wire
from kijko.models.enums import ReflexTriggerType


class Reflex(Wire):
    """What makes a skill run. A webhook's secret is not shown here."""

    id: UUID
    skill_id: UUID
    user_id: UUID
    trigger_type: ReflexTriggerType
    trigger_config: dict[str, JsonValue]
    conditions: dict[str, JsonValue] | None = None
    is_active: bool
    trigger_count: int
    last_triggered_at: Timestamp | None = None
    consecutive_failures: int
    last_error_message: str | None = None
    created_at: Timestamp
    updated_at: Timestamp
