"""Executions made by the hundred, as the worker leaves them: rows, their ledger entries, and so their sums."""

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tests.conftest import Person

Owner = psycopg.Connection[Any]
TYPES = ("manual", "habit", "reflex", "api")
ENDED = ("completed", "failed", "cancelled")
STATUSES = ("pending", "running", *ENDED)


@dataclass(frozen=True)
class Run:
    """One execution and what is known of it."""

    skill_id: str
    status: str = "completed"
    kind: str = "manual"
    executed_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    prompt_tokens: int | None = 10
    completion_tokens: int | None = 5
    cost_cents: Decimal | None = Decimal("0.25")
    duration_ms: int | None = 100
    output: str | None = "done"
    given: Any = field(default_factory=lambda: {"text": "x"})
    cited_project_id: str | None = None
    id: uuid.UUID = field(default_factory=uuid.uuid4)

    @property
    def tokens(self) -> int:
        return (self.prompt_tokens or 0) + (self.completion_tokens or 0)


def some(chance: random.Random, skills: Sequence[str], many: int, *, days: int = 40) -> list[Run]:
    """Random runs of those skills in the last days, today's included, of every status and type."""
    now = datetime.now(UTC)
    made = []
    for _ in range(many):
        status = chance.choices(STATUSES, (3, 2, 70, 15, 10))[0]
        known = status == "completed" or (status == "cancelled" and chance.random() < 0.5)
        made.append(
            Run(
                chance.choice(skills),
                status,
                chance.choice(TYPES),
                now - timedelta(seconds=chance.uniform(1, days * 86400)),
                chance.randrange(5000) if known else None,
                chance.randrange(1000) if known else None,
                Decimal(chance.randrange(10**9)) / 10**8 if known and chance.random() < 0.8 else None,
                chance.randrange(1, 60_000) if status in ("completed", "failed") else None,
            )
        )
    return made


def insert(owner: Owner, one: Person, runs: Sequence[Run]) -> None:
    """Writes them: what waits cannot be claimed, what runs has a lease that does not end.

    The ledger's entries come in several statements, half of them without saying when the run was asked for.
    """
    with owner.transaction(), owner.cursor() as cursor:
        cursor.executemany(
            "insert into executions (id, organization_id, skill_id, skill_version, user_id, execution_type, input, "
            "status, model, output, prompt_tokens, completion_tokens, cost_cents, duration_ms, attempts, lease_owner, "
            "lease_expires_at, executed_at, available_at, completed_at, cited_project_id) "
            "values (%s, %s, %s, 1, %s, %s, %s, %s, 'echo', %s, %s, %s, %s, %s, 1, %s, %s, %s, %s, %s, %s)",
            [
                (
                    run.id,
                    one.organization_id,
                    run.skill_id,
                    one.id,
                    run.kind,
                    Jsonb(run.given),
                    run.status,
                    run.output,
                    run.prompt_tokens,
                    run.completion_tokens,
                    run.cost_cents,
                    run.duration_ms,
                    run.id if run.status == "running" else None,
                    "infinity" if run.status == "running" else None,
                    run.executed_at,
                    "infinity" if run.status == "pending" else run.executed_at,
                    run.executed_at + timedelta(seconds=3) if run.status in ENDED else None,
                    run.cited_project_id,
                )
                for run in runs
            ],
        )
        ended = [run for run in runs if run.status in ENDED]
        cursor.executemany(
            "insert into usage_ledger (organization_id, metric, entry, quantity, subject_id, user_id, skill_id, "
            "execution_type, model, prompt_tokens, completion_tokens, cost_cents, duration_ms, outcome, executed_at, "
            "cited_project_id) "
            "values (%s, 'oracle_queries', 'settle', 0, %s, %s, %s, %s, 'echo', %s, %s, %s, %s, %s, %s, %s)",
            [
                (
                    one.organization_id,
                    run.id,
                    one.id,
                    run.skill_id,
                    run.kind,
                    run.prompt_tokens,
                    run.completion_tokens,
                    run.cost_cents,
                    run.duration_ms,
                    run.status,
                    run.executed_at if at % 2 else None,
                    run.cited_project_id if at % 2 else None,
                )
                for at, run in enumerate(ended)
            ],
        )


def of_project(runs: Sequence[Run], project_id: str) -> list[Run]:
    """The same runs, as if their prompts held that project's code."""
    return [replace(run, cited_project_id=project_id) for run in runs]


def newest_first(runs: Sequence[Run]) -> list[Run]:
    """In the order of lists."""
    return sorted(runs, key=lambda run: (run.executed_at, run.id), reverse=True)
