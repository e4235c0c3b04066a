"""Every statement on executions that a worker or the scheduler causes: claims, results, leases."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
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
      started_at = coalesce(e.started_at, now())
    from next, skill_versions v
    where e.id = next.id
      and e.status = 'pending'
      and v.organization_id = e.organization_id
      and v.skill_id = e.skill_id
      and v.version = e.skill_version
    returning e.id, e.organization_id, e.user_id, e.input, coalesce(e.context, v.context) as context, e.model,
      v.prompt_template, v.parameters, e.attempts, e.request_id,
      e.model_ran
    """,
)


async def claim(reader: SystemReader, worker: UUID, *, most: int, lease_s: float) -> list[Claimed]:
    """Takes runs, each for one lease: in turn between organizations, no more at once than each one's plan allows."""
    _, claimed = await reader.gather(_TURN.bind_one(), _CLAIM.bind(worker, most, lease_s))
    return claimed


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended. Tokens and cost are None where no model ran."""

    id: UUID
    attempts: int
    status: str
    output: str | None
    rendered_prompt: str | None
    cited_project_id: UUID | None
    citations: str | None
    """As JSON, where the prompt holds a project's code."""
    model: str | None
    provider: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    cost_cents: Decimal | None
    duration_ms: int
    error_code: str | None
    error_message: str | None
    request_id: str | None


# The lease is the fence: a row that is no longer this worker's, in this attempt, takes no result.
_FINISH = Scalar(
    UUID,
    """
    with given as (
      select *
      from unnest(
        $2::uuid[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[],
        $10::bigint[], $11::bigint[], $12::bigint[], $13::numeric[], $14::bigint[], $15::text[], $16::text[],
        $17::uuid[], $18::text[]
      ) as g (
        id, attempts, status, output, rendered_prompt, model, provider, prompt_tokens, completion_tokens,
        cache_read_tokens, cache_write_tokens, cost_cents, duration_ms, error_code, error_message,
        cited_project_id, citations
      )
    ),
    ended as (
      update executions e
      set
        status = g.status,
        output = g.output,
        rendered_prompt = g.rendered_prompt,
        cited_project_id = g.cited_project_id,
        citations = g.citations::jsonb,
        model = coalesce(g.model, e.model),
        prompt_tokens = g.prompt_tokens,
        completion_tokens = g.completion_tokens,
        cost_cents = g.cost_cents,
        duration_ms = g.duration_ms,
        error_code = g.error_code,
        error_message = g.error_message,
        lease_owner = null,
        lease_expires_at = null,
        completed_at = clock_timestamp()
      from given g
      where e.id = g.id and e.status = 'running' and e.lease_owner = $1::uuid and e.attempts = g.attempts
      returning
        e.id, e.organization_id, e.user_id, e.skill_id, e.execution_type, e.status, g.provider, g.model,
        g.prompt_tokens, g.completion_tokens, g.cache_read_tokens, g.cache_write_tokens, g.cost_cents, g.duration_ms,
        e.executed_at, e.cited_project_id
    ),
    accounted as (
      insert into usage_ledger (
        organization_id, metric, entry, quantity, subject_id, user_id, skill_id, execution_type, provider, model,
        prompt_tokens, cache_read_tokens, cache_write_tokens, completion_tokens, cost_cents, duration_ms, outcome,
        executed_at, cited_project_id
      )
      select
        organization_id, 'oracle_queries', 'settle', 0, id, user_id, skill_id, execution_type, provider, model,
        prompt_tokens, cache_read_tokens, cache_write_tokens, completion_tokens, cost_cents, duration_ms, status,
        executed_at, cited_project_id
      from ended
      on conflict on constraint usage_ledger_subject_key do nothing
    ),
    -- Two workers whose batches share skills lock them in the same order.
    ran as (
      select s.id from skills s where s.id in (select skill_id from ended) order by s.id for no key update
    ),
    counted as (
      update skills s
      set execution_count = s.execution_count + n.runs, last_executed_at = now()
      from (select r.id, (select count(*) from ended where skill_id = r.id) as runs from ran r) n
      where s.id = n.id
    )
    select id from ended
    """,
    writes=True,
)


async def finish(tx: SystemTx, worker: UUID, endings: Sequence[Ending]) -> list[UUID]:
    """Writes the results that are still this worker's to write, with their ledger rows; answers their ids."""
    return await tx.call(_finish(worker, endings))


async def finish_and_look(reader: SystemReader, worker: UUID, endings: Sequence[Ending]) -> tuple[list[UUID], bool]:
    """As `finish`, in one trip; answers also whether a run waits for a worker now."""
    return await reader.gather(_finish(worker, endings), _WAITING.bind_one())


def _finish(worker: UUID, endings: Sequence[Ending]) -> Call[list[UUID]]:
    return _FINISH.bind(
        worker,
        [e.id for e in endings],
        [e.attempts for e in endings],
        [e.status for e in endings],
        [e.output for e in endings],
        [e.rendered_prompt for e in endings],
        [e.model for e in endings],
        [e.provider for e in endings],
        [e.prompt_tokens for e in endings],
        [e.completion_tokens for e in endings],
        [e.cache_read_tokens for e in endings],
        [e.cache_write_tokens for e in endings],
        [e.cost_cents for e in endings],
        [e.duration_ms for e in endings],
        [e.error_code for e in endings],
        [e.error_message for e in endings],
        [e.cited_project_id for e in endings],
        [e.citations for e in endings],
    )


_WAITING = Scalar(
    bool,
    "select exists (select from executions where status = 'pending' and available_at <= now())",
)


async def any_waiting(tx: SystemTx) -> bool:
    """Whether a run waits for a worker now."""
    return await tx.one(_WAITING)


_RELEASE = Scalar(UUID, "select kijko.release_all('oracle_queries', $1::uuid[])", writes=True)


async def give_back(tx: SystemTx, execution_ids: Sequence[UUID]) -> None:
    """Gives back the quota of runs in which no model ran."""
    await tx.all(_RELEASE, list(execution_ids))


_RETRY = Statement(
    """
    update executions e
    set
      status = 'pending',
      lease_owner = null,
      lease_expires_at = null,
      available_at = clock_timestamp() + make_interval(secs => $4::double precision),
      model_ran = e.model_ran or $5::boolean
    where e.id = $2::uuid and e.status = 'running' and e.lease_owner = $1::uuid and e.attempts = $3::integer
    """
)


async def try_again(
    tx: SystemTx, worker: UUID, execution_id: UUID, attempts: int, *, delay_s: float, ran: bool
) -> None:
    """Puts a run back into the queue for a later attempt; `ran` says whether a model worked for this one."""
    await tx.run(_RETRY, worker, execution_id, attempts, delay_s, ran)


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
    where e.id = any($2::uuid[]) and e.status = 'running' and e.lease_owner = $1::uuid
    returning e.id
    """,
)


async def renew(tx: SystemTx, worker: UUID, execution_ids: Sequence[UUID], *, lease_s: float) -> list[UUID]:
    """Prolongs this worker's leases on these runs; answers the ids that it still holds."""
    return await tx.all(_RENEW, worker, list(execution_ids), lease_s)


@dataclass(frozen=True, slots=True)
class Lost:
    """A run whose worker let the lease run out, and what became of it."""

    id: UUID
    status: str
    model_ran: bool
    """Whether a model is known to have worked for it."""


# A run that ends here is accounted for like any other; only what it cost is not known.
_EXPIRE = Query(
    Lost,
    """
    with lost as (
      select id
      from executions
      where status = 'running' and lease_expires_at < now()
      order by lease_expires_at
      limit 1000
      for update skip locked
    ),
    taken as (
      update executions e
      set
        status = case when e.attempts < $1::integer then 'pending' else 'failed' end,
        lease_owner = null,
        lease_expires_at = null,
        error_code = case when e.attempts < $1 then null else 'WORKER_LOST' end,
        error_message = case
          when e.attempts < $1 then null
          else 'The worker was lost during the run, more than once. Start it again.'
        end,
        completed_at = case when e.attempts < $1 then null else now() end
      from lost
      where e.id = lost.id
      returning e.id, e.organization_id, e.user_id, e.skill_id, e.execution_type, e.status, e.model, e.model_ran,
        e.executed_at
    ),
    accounted as (
      insert into usage_ledger (
        organization_id, metric, entry, quantity, subject_id, user_id, skill_id, execution_type, model, outcome,
        executed_at
      )
      select
        organization_id, 'oracle_queries', 'settle', 0, id, user_id, skill_id, execution_type, model, status,
        executed_at
      from taken
      where status = 'failed'
      on conflict on constraint usage_ledger_subject_key do nothing
    ),
    ended as (
      select s.id
      from skills s
      where s.id in (select skill_id from taken where status = 'failed')
      order by s.id
      for no key update
    ),
    counted as (
      update skills s
      set execution_count = s.execution_count + n.runs, last_executed_at = now()
      from (
        select d.id, (select count(*) from taken t where t.skill_id = d.id and t.status = 'failed') as runs from ended d
      ) n
      where s.id = n.id
    )
    select id, status, model_ran from taken
    """,
    writes=True,
)


async def expire(tx: SystemTx, *, max_attempts: int) -> list[Lost]:
    """Takes the runs of dead workers away from them: back into the queue, or failed after the last attempt."""
    return await tx.all(_EXPIRE, max_attempts)
