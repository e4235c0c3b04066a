"""Statements with which attempts and runs end: results, their account in the ledger, what is tried again."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID, uuid5

from kijko.core.db import Call, Scalar
from kijko.core.tenancy import SystemReader, SystemTx
from kijko.services.executions.work_queries import look_for_waiting


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
    own_key: bool | None
    """Whether the organization's own key was used; None where no model ran."""
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
        $17::uuid[], $18::text[], $19::boolean[], $20::boolean[]
      ) as g (
        id, attempts, status, output, rendered_prompt, model, provider, prompt_tokens, completion_tokens,
        cache_read_tokens, cache_write_tokens, cost_cents, duration_ms, error_code, error_message,
        cited_project_id, citations, estimated, own_key
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
        g.cost_cents, g.estimated, g.own_key, g.duration_ms, e.executed_at, e.cited_project_id
    ),
    attempted as (
      insert into execution_attempts (
        organization_id, execution_id, claim, attempt, status, worker_id, provider, model, prompt_tokens,
        cache_read_tokens, cache_write_tokens, completion_tokens, cost_cents, estimated, error_code, error_message,
        started_at, own_key
      )
      select
        organization_id, id, claims, attempts, status, $1::uuid, provider, model, prompt_tokens, cache_read_tokens,
        cache_write_tokens, completion_tokens, cost_cents, estimated, error_code, error_message, attempt_started_at,
        own_key
      from ended
    ),
    accounted as (
      insert into usage_ledger (
        organization_id, metric, entry, quantity, subject_id, user_id, skill_id, execution_type, provider, model,
        prompt_tokens, cache_read_tokens, cache_write_tokens, completion_tokens, cost_cents, estimated, duration_ms,
        outcome, executed_at, cited_project_id, own_key
      )
      select
        organization_id, 'oracle_queries', 'settle', 0, id, user_id, skill_id, execution_type, provider, model,
        total_prompt_tokens, total_cache_read_tokens, total_cache_write_tokens, total_completion_tokens,
        total_cost_cents, any_estimated, duration_ms, status, executed_at, cited_project_id,
        coalesce(own_key, kijko.own_key_of(id))
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
    return await reader.gather(_finish(worker, endings), look_for_waiting())


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
        [e.own_key for e in endings],
    )


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
      started_at, own_key
    )
    select
      organization_id, id, claims, $3, 'failed', $1, $7::text, $8::text, $9::bigint, $10::bigint, $11::bigint,
      $12::bigint, $13::numeric, $14::boolean, $15::text, $16::text, attempt_started_at, $17::boolean
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
        failed.own_key,
    )
    return found is not None


# Its own settlement was written when it was deleted, with what was known then: this one has a subject of its own, which
# is the same each time it is tried. So is the word on its quota, which the deletion left open.
_ADD_DELETED = Scalar(
    bool,
    """
    with used as (
      insert into usage_ledger (
        organization_id, metric, entry, quantity, subject_id, user_id, provider, model, prompt_tokens,
        cache_read_tokens, cache_write_tokens, completion_tokens, cost_cents, estimated, duration_ms, outcome, own_key
      )
      select
        $2::uuid, 'oracle_queries', 'settle', 0, $13::uuid, $3::uuid, $4::text, $5::text, $6::bigint, $7::bigint,
        $8::bigint, $9::bigint, $10::numeric, $11::boolean, $12::bigint, 'cancelled', $14::boolean
      where $6 is not null and not exists (select from executions e where e.id = $1::uuid)
      on conflict on constraint usage_ledger_subject_key do nothing
    )
    select kijko.close_deleted($1, $15::uuid, $16::boolean)
    """,
    writes=True,
)


async def add_deleted(
    reader: SystemReader, worker: UUID, organization_id: UUID, user_id: UUID, used: Ending, *, ran: bool
) -> None:
    """What a worker used for a run that was deleted meanwhile, and whether a model ran: where none did, its quota is
    given back. Nothing where there still is one."""
    await reader.one(
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
        used.own_key,
        worker,
        ran,
    )
