"""Habits on the wire: skills on a schedule."""

from uuid import UUID

from kijko.models.base import JsonValue, Timestamp, Wire


class Habit(Wire):
    """When a skill runs by itself, and with what."""

    id: UUID
    skill_id: UUID
    user_id: UUID
    schedule_cron: str
    schedule_description: str | None = None
    timezone: str
    last_run_at: Timestamp | None = None
    next_run_at: Timestamp | None = None
    run_count: int
    is_active: bool
    config: dict[str, JsonValue]
    consecutive_failures: int
    last_error_message: str | None = None
    created_at: Timestamp
    updated_at: Timestamp
