"""Every statement on executions that a worker or the scheduler causes: claims, results, leases."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

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
      attempt_started_at = now()
    from next, skill_versions v
    where e.id = next.id
      and e.status = 'pending'
      and v.organization_id = e.organization_id
      and v.skill_id = e.skill_id
      and v.version = e.skill_version
    returning e.id, e.organization_id, e.user_id, e.input, coalesce(e.context, v.context) as context, e.model,
      v.prompt_template, v.parameters, e.attempts, e.request_id,
      e.model_ran, e.claims, extract(epoch from now() - e.started_at)::double precision as since_s
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


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended, and with it the run, unless there is another one. Tokens and cost are the attempt's, None
    where no model ran."""

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
    estimated: bool
    duration_ms: int
    error_code: str | None
    error_message: str | None
    request_id: str | None


# The lease is the fence: a row that is no longer this worker's, in this attempt, takes no result. One that was
# cancelled keeps its lease until here: it stays cancelled, and what was used for it is kept. A run's tokens and cost
# are those of all its attempts, and unknown where one of them is.
_FINISH = Scalar(
    UUID,
    """
    with given as (
      select *
      from unnest(
        $2::uuid[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[],
        $10::bigint[], $11::bigint[], $12::bigint[], $13::numeric[], $14::bigint[], $15::text[], $16::text[],
        $17::uuid[], $18::text[], $19::boolean[]
      ) as g (
        id, attempts, status, output, rendered_prompt, model, provider, prompt_tokens, completion_tokens,
        cache_read_tokens, cache_write_tokens, cost_cents, duration_ms, error_code, error_message,
        cited_project_id, citations, estimated
      )
    ),
    spent as (
      select
        one.id, sum(one.prompt_tokens)::bigint as prompt_tokens,
        sum(one.completion_tokens)::bigint as completion_tokens,
        sum(one.cache_read_tokens)::bigint as cache_read_tokens,
        sum(one.cache_write_tokens)::bigint as cache_write_tokens, bool_or(one.estimated) as estimated,
        case
          when bool_or(one.prompt_tokens is not null and one.cost_cents is null) then null
          else sum(one.cost_cents)
        end as cost_cents
      from (
        select
          g.id, g.prompt_tokens, g.completion_tokens, g.cache_read_tokens, g.cache_write_tokens, g.cost_cents,
          g.estimated
        from given g
        union all
        select
          a.execution_id, a.prompt_tokens, a.completion_tokens, a.cache_read_tokens, a.cache_write_tokens, a.cost_cents,
          a.estimated
        from execution_attempts a
        where a.execution_id = any ($2)
      ) one
      group by one.id
    ),
    ended as (
      update executions e
      set
        status = case e.status when 'running' then g.status else e.status end,
        output = case e.status when 'running' then g.output end,
        rendered_prompt = g.rendered_prompt,
        cited_project_id = g.cited_project_id,
        citations = g.citations::jsonb,
        model = coalesce(g.model, e.model),
        prompt_tokens = s.prompt_tokens,
        completion_tokens = s.completion_tokens,
        cost_cents = s.cost_cents,
        duration_ms = g.duration_ms,
        error_code = case e.status when 'running' then g.error_code else e.error_code end,
        error_message = case e.status when 'running' then g.error_message else e.error_message end,
        lease_owner = null,
        lease_expires_at = null,
        completed_at = coalesce(e.completed_at, clock_timestamp())
      from given g
      join spent s on s.id = g.id
      where e.id = g.id
        and e.status in ('running', 'cancelled')
        and e.lease_owner = $1::uuid
        and e.attempts = g.attempts
      returning
        e.id, e.organization_id, e.user_id, e.skill_id, e.execution_type, e.status, e.claims, e.attempts,
        coalesce(e.attempt_started_at, e.started_at, e.executed_at) as attempt_started_at,
        e.error_code, e.error_message,
        e.prompt_tokens as total_prompt_tokens, e.completion_tokens as total_completion_tokens,
        s.cache_read_tokens as total_cache_read_tokens, s.cache_write_tokens as total_cache_write_tokens,
        e.cost_cents as total_cost_cents, s.estimated as any_estimated,
        g.provider, g.model, g.prompt_tokens, g.completion_tokens, g.cache_read_tokens, g.cache_write_tokens,
        g.cost_cents, g.estimated, g.duration_ms
    ),
    attempted as (
      insert into execution_attempts (
        organization_id, execution_id, claim, attempt, status, worker_id, provider, model, prompt_tokens,
        cache_read_tokens, cache_write_tokens, completion_tokens, cost_cents, estimated, error_code, error_message,
        started_at
      )
      select
        organization_id, id, claims, attempts, status, $1::uuid, provider, model, prompt_tokens, cache_read_tokens,
        cache_write_tokens, completion_tokens, cost_cents, estimated, error_code, error_message, attempt_started_at
      from ended
    ),
    accounted as (
      insert into usage_ledger (
        organization_id, metric, entry, quantity, subject_id, user_id, skill_id, execution_type, provider, model,
        prompt_tokens, cache_read_tokens, cache_write_tokens, completion_tokens, cost_cents, estimated, duration_ms,
        outcome
      )
      select
        organization_id, 'oracle_queries', 'settle', 0, id, user_id, skill_id, execution_type, provider, model,
        total_prompt_tokens, total_cache_read_tokens, total_cache_write_tokens, total_completion_tokens,
        total_cost_cents, any_estimated, duration_ms, status
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
        [e.estimated for e in endings],
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


# Where a transaction has several statements about runs: the rows in the order in which everybody locks them, runs, then
# skills, then (by a trigger) the rooms of who is told.
_LOCK = Scalar(
    UUID,
    """
    with held as (
      select e.id, e.skill_id
      from executions e
      where e.id = any ($2::uuid[]) and e.lease_owner = $1::uuid
      order by e.id
      for no key update
    )
    select s.id from skills s where s.id in (select skill_id from held) order by s.id for no key update
    """,
    writes=True,
)


async def lock(tx: SystemTx, worker: UUID, execution_ids: Sequence[UUID]) -> None:
    """Holds these runs of the worker's, and their skills, until the transaction ends."""
    await tx.all(_LOCK, worker, list(execution_ids))


_RETRY = Scalar(
    UUID,
    """
    with put_back as (
      update executions e
      set
        status = 'pending',
        lease_owner = null,
        lease_expires_at = null,
        available_at = clock_timestamp() + make_interval(secs => $4::double precision),
        model_ran = e.model_ran or $5::boolean,
        attempts = e.attempts - case when $6::boolean then 0 else 1 end
      where e.id = $2::uuid and e.status = 'running' and e.lease_owner = $1::uuid and e.attempts = $3::integer
      returning
        e.id, e.organization_id, e.claims,
        coalesce(e.attempt_started_at, e.started_at, e.executed_at) as attempt_started_at
    )
    insert into execution_attempts (
      organization_id, execution_id, claim, attempt, status, worker_id, provider, model, prompt_tokens,
      cache_read_tokens, cache_write_tokens, completion_tokens, cost_cents, estimated, error_code, error_message,
      started_at
    )
    select
      organization_id, id, claims, $3, 'failed', $1, $7::text, $8::text, $9::bigint, $10::bigint, $11::bigint,
      $12::bigint, $13::numeric, $14::boolean, $15::text, $16::text, attempt_started_at
    from put_back
    returning execution_id
    """,
    writes=True,
)


async def try_again(tx: SystemTx, worker: UUID, failed: Ending, *, delay_s: float, ran: bool, counts: bool) -> bool:
    """Puts a run back into the queue for a later attempt and keeps how this one failed. False: it was not this worker's
    to put back any more, or was cancelled.

    Args:
        ran: whether a model worked for it. counts: whether it is one of the attempts that a run has.
    """
    found = await tx.first(
        _RETRY,
        worker,
        failed.id,
        failed.attempts,
        delay_s,
        ran,
        counts,
        failed.provider,
        failed.model,
        failed.prompt_tokens,
        failed.cache_read_tokens,
        failed.cache_write_tokens,
        failed.completion_tokens,
        failed.cost_cents,
        failed.estimated,
        failed.error_code,
        failed.error_message,
    )
    return found is not None


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


_CANCELLED = Scalar(UUID, "select id from executions where lease_owner = $1::uuid and status = 'cancelled'")


async def cancelled(reader: SystemReader, worker: UUID) -> list[UUID]:
    """Runs that were cancelled while this worker holds them."""
    return await reader.all(_CANCELLED, worker)


# Its own settlement was written when it was deleted, with what was known then: this one has a subject of its own, which
# is the same each time it is tried.
_ADD_DELETED = Statement(
    """
    insert into usage_ledger (
      organization_id, metric, entry, quantity, subject_id, user_id, provider, model, prompt_tokens, cache_read_tokens,
      cache_write_tokens, completion_tokens, cost_cents, estimated, duration_ms, outcome
    )
    select
      $2::uuid, 'oracle_queries', 'settle', 0, $13::uuid, $3::uuid, $4::text, $5::text, $6::bigint, $7::bigint,
      $8::bigint, $9::bigint, $10::numeric, $11::boolean, $12::bigint, 'cancelled'
    where not exists (select from executions e where e.id = $1::uuid)
    on conflict on constraint usage_ledger_subject_key do nothing
    """
)


async def add_deleted(reader: SystemReader, organization_id: UUID, user_id: UUID, used: Ending) -> None:
    """What was used for a run that was deleted meanwhile; nothing where there still is one, or no model ran."""
    if used.prompt_tokens is None:
        return
    await reader.run(
        _ADD_DELETED,
        used.id,
        organization_id,
        user_id,
        used.provider,
        used.model,
        used.prompt_tokens,
        used.cache_read_tokens,
        used.cache_write_tokens,
        used.completion_tokens,
        used.cost_cents,
        used.estimated,
        used.duration_ms,
        uuid5(used.id, str(used.attempts)),
    )


@dataclass(frozen=True, slots=True)
class Lost:
    """A run whose worker let the lease run out, and what became of it."""

    id: UUID
    status: str
    model_ran: bool
    """Whether a model is known to have worked for it."""


# A run that ends here is accounted for like any other; only what it cost is not known. One that was cancelled has
# ended, and only its account was open.
_EXPIRE = Query(
    Lost,
    """
    with lost as (
      select id, lease_owner
      from executions
      where lease_owner is not null and lease_expires_at < now()
      order by lease_expires_at
      limit 1000
      for update skip locked
    ),
    spent as (
      select
        a.execution_id as id, sum(a.prompt_tokens)::bigint as prompt_tokens,
        sum(a.completion_tokens)::bigint as completion_tokens, sum(a.cache_read_tokens)::bigint as cache_read_tokens,
        sum(a.cache_write_tokens)::bigint as cache_write_tokens, bool_or(a.estimated) as estimated,
        case when bool_or(a.prompt_tokens is not null and a.cost_cents is null) then null else sum(a.cost_cents) end
          as cost_cents
      from execution_attempts a
      where a.execution_id in (select id from lost)
      group by a.execution_id
    ),
    taken as (
      update executions e
      set
        status = case
          when e.status = 'cancelled' then e.status
          when e.attempts < $1::integer then 'pending'
          else 'failed'
        end,
        lease_owner = null,
        lease_expires_at = null,
        prompt_tokens = s.prompt_tokens,
        completion_tokens = s.completion_tokens,
        cost_cents = s.cost_cents,
        error_code = case
          when e.status = 'cancelled' then e.error_code
          when e.attempts < $1 then null
          else 'WORKER_LOST'
        end,
        error_message = case
          when e.status = 'cancelled' then e.error_message
          when e.attempts < $1 then null
          else 'The worker was lost during the run, more than once. Start it again.'
        end,
        completed_at = case
          when e.status = 'cancelled' then e.completed_at
          when e.attempts < $1 then null
          else now()
        end
      from lost
      left join spent s on s.id = lost.id
      where e.id = lost.id
      returning
        e.id, e.organization_id, e.user_id, e.skill_id, e.execution_type, e.status, e.model, e.model_ran, e.claims,
        e.attempts, coalesce(e.attempt_started_at, e.started_at, e.executed_at) as attempt_started_at, lost.lease_owner,
        e.prompt_tokens, e.completion_tokens, s.cache_read_tokens, s.cache_write_tokens, e.cost_cents, s.estimated
    ),
    attempted as (
      insert into execution_attempts (
        organization_id, execution_id, claim, attempt, status, worker_id, model, error_code, error_message, started_at
      )
      select
        organization_id, id, claims, attempts, case status when 'cancelled' then status else 'failed' end, lease_owner,
        model, 'WORKER_LOST', 'The worker was lost during this attempt, and what it used with it.', attempt_started_at
      from taken
      on conflict on constraint execution_attempts_pkey do nothing  -- by a worker of before claims were counted
    ),
    accounted as (
      insert into usage_ledger (
        organization_id, metric, entry, quantity, subject_id, user_id, skill_id, execution_type, model, prompt_tokens,
        cache_read_tokens, cache_write_tokens, completion_tokens, cost_cents, estimated, outcome
      )
      select
        organization_id, 'oracle_queries', 'settle', 0, id, user_id, skill_id, execution_type, model, prompt_tokens,
        cache_read_tokens, cache_write_tokens, completion_tokens, cost_cents, coalesce(estimated, false), status
      from taken
      where status in ('failed', 'cancelled')
      on conflict on constraint usage_ledger_subject_key do nothing
    ),
    ended as (
      select s.id
      from skills s
      where s.id in (select skill_id from taken where status in ('failed', 'cancelled'))
      order by s.id
      for no key update
    ),
    counted as (
      update skills s
      set execution_count = s.execution_count + n.runs, last_executed_at = now()
      from (
        select
          d.id,
          (select count(*) from taken t where t.skill_id = d.id and t.status in ('failed', 'cancelled')) as runs
        from ended d
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
