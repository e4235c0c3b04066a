"""Statements on the executions that a worker claims, holds and gives back. How they end is in `ending_queries`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from kijko.core.db import Call, Query, Scalar, Statement
from kijko.core.tenancy import SystemReader, SystemTx


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run that this worker holds, with the version it froze."""

    id: UUID
    organization_id: UUID
    user_id: UUID
    input: dict[str, Any]  # the input as JSON, checked when it was accepted
    context: dict[str, Any] | None  # SkillContext as JSON: the request's, else the skill's
    model: str
    prompt_template: str
    parameters: dict[str, Any]  # SkillParameters as JSON
    attempts: int
    request_id: str | None
    model_ran: bool
    """Whether a model worked for an earlier attempt: then the quota is not given back, however this one ends."""
    claims: int
    """How often a worker took it, this time among them."""
    since_s: float
    """Seconds since its first attempt began."""
    has_own_keys: bool
    """Whether its organization has keys of its own at providers."""


# Claims are made one after another, so that each sees what the last one took; they are short. The lock is a statement
# of its own in the same trip, since a statement sees what was committed before it began. A claim does not wait for the
# disk: if a crash of Postgres forgets it, the run waits again, and what this worker makes of it finds no lease.
_TURN = Scalar(
    bool,
    """
    select pg_advisory_xact_lock(hashtextextended('kijko.claim', 0)) is not null
      and set_config('synchronous_commit', 'off', true) is not null
    """,
    writes=True,
)

# Organizations that wait, found by skipping through the index; of each the runs that waited longest, as many as its
# plan leaves room for; of all of them first everybody's first, then everybody's second. So whoever queues many delays
# nobody else.
_CLAIM = Query(
    Claimed,
    """
    with recursive waiting as (
      (
        select e.organization_id
        from executions e
        where e.status = 'pending'
        order by e.organization_id
        limit 1
      )
      union all
      select (
        select e.organization_id
        from executions e
        where e.status = 'pending' and e.organization_id > w.organization_id
        order by e.organization_id
        limit 1
      )
      from waiting w
      where w.organization_id is not null
    ),
    room as (
      select w.organization_id, r.running, p.concurrent_executions - r.running as free
      from waiting w
      join plans p on p.id = kijko.plan_of(w.organization_id)
      cross join lateral (
        select count(*) as running
        from executions e
        where e.status = 'running' and e.organization_id = w.organization_id
      ) r
      where w.organization_id is not null
    ),
    next as (
      select n.id
      from room r
      cross join lateral (
        select e.id, e.available_at, r.running + row_number() over (order by e.available_at, e.id) as turn
        from executions e
        where e.organization_id = r.organization_id and e.status = 'pending' and e.available_at <= now()
        order by e.available_at, e.id
        limit greatest(least(r.free, $2::integer), 0)
      ) n
      order by n.turn, n.available_at, n.id
      limit $2
    )
    update executions e
    set
      status = 'running',
      lease_owner = $1::uuid,
      lease_expires_at = now() + make_interval(secs => $3::double precision),
      attempts = e.attempts + 1,
      claims = e.claims + 1,
      started_at = coalesce(e.started_at, now()),
      attempt_started_at = now(),
      own_key = false
    from next, skill_versions v
    where e.id = next.id
      and e.status = 'pending'
      and v.organization_id = e.organization_id
      and v.skill_id = e.skill_id
      and v.version = e.skill_version
    returning e.id, e.organization_id, e.user_id, e.input, coalesce(e.context, v.context) as context, e.model,
      v.prompt_template, v.parameters, e.attempts, e.request_id,
      e.model_ran, e.claims, extract(epoch from now() - e.started_at)::double precision as since_s,
      exists (select from model_keys k where k.organization_id = e.organization_id) as has_own_keys
    """,
)


async def claim(reader: SystemReader, worker: UUID, *, most: int, lease_s: float) -> list[Claimed]:
    """Takes runs, each for one lease: in turn between organizations, no more at once than each one's plan allows."""
    _, claimed = await reader.gather(_TURN.bind_one(), _CLAIM.bind(worker, most, lease_s))
    return claimed


# What a prompt holds of a project is its readers' alone, and so is what a model says of it: before it says anything.
_CITE = Statement(
    """
    update executions e
    set cited_project_id = $4::uuid
    where e.id = $2::uuid and e.status = 'running' and e.lease_owner = $1::uuid and e.attempts = $3::integer
    """
)


async def cite(reader: SystemReader, worker: UUID, execution_id: UUID, attempts: int, project_id: UUID) -> None:
    """From now on the run is shown to those only who may read that project."""
    await reader.run(_CITE, worker, execution_id, attempts, project_id)


# While a model is asked nobody else knows: so the ledger can say it of a run whose worker never comes back.
_NOTE_OWN_KEY = Statement(
    """
    update executions e
    set own_key = true
    where e.id = $2::uuid and e.status = 'running' and e.lease_owner = $1::uuid and e.attempts = $3::integer
    """
)


async def note_own_key(reader: SystemReader, worker: UUID, execution_id: UUID, attempts: int) -> None:
    """A provider is about to be asked with the organization's own key; a claim says that it is the server's."""
    await reader.run(_NOTE_OWN_KEY, worker, execution_id, attempts)


_WAITING = Scalar(
    bool,
    "select exists (select from executions where status = 'pending' and available_at <= now())",
)


async def any_waiting(tx: SystemTx) -> bool:
    """Whether a run waits for a worker now."""
    return await tx.one(_WAITING)


def look_for_waiting() -> Call[bool]:
    """The same, to share a trip with something else."""
    return _WAITING.bind_one()


# A worker that is asked to stop gives its runs back as if it had never claimed them.
_HAND_BACK = Statement(
    """
    update executions e
    set status = 'pending', lease_owner = null, lease_expires_at = null, attempts = e.attempts - 1
    where e.status = 'running' and e.lease_owner = $1::uuid
    """
)


async def hand_back(tx: SystemTx, worker: UUID) -> int:
    """Puts everything this worker holds back into the queue; answers how many."""
    return await tx.run(_HAND_BACK, worker)


_RENEW = Scalar(
    UUID,
    """
    update executions e
    set lease_expires_at = now() + make_interval(secs => $3::double precision)
    where e.id = any($2::uuid[]) and e.status in ('running', 'cancelled') and e.lease_owner = $1::uuid
    returning e.id
    """,
)


async def renew(tx: SystemTx, worker: UUID, execution_ids: Sequence[UUID], *, lease_s: float) -> list[UUID]:
    """Prolongs this worker's leases on these runs; answers the ids that it still holds."""
    return await tx.all(_RENEW, worker, list(execution_ids), lease_s)


_DROPPED = Scalar(
    UUID,
    """
    select e.id from executions e where e.lease_owner = $1::uuid and e.status = 'cancelled'
    union all
    select h.id from unnest($2::uuid[]) h (id) where not exists (select from executions e where e.id = h.id)
    """,
)


async def dropped(reader: SystemReader, worker: UUID, held: Sequence[UUID]) -> list[UUID]:
    """Runs that were cancelled, or deleted, while this worker holds them."""
    return await reader.all(_DROPPED, worker, list(held))
