"""The statement with which the scheduler takes runs away from dead workers."""

from dataclasses import dataclass
from uuid import UUID

from kijko.core.db import Query
from kijko.core.tenancy import SystemTx


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
        e.prompt_tokens, e.completion_tokens, s.cache_read_tokens, s.cache_write_tokens, e.cost_cents, s.estimated,
        e.executed_at, e.own_key
    ),
    attempted as (
      insert into execution_attempts (
        organization_id, execution_id, claim, attempt, status, worker_id, model, error_code, error_message, started_at,
        own_key
      )
      select
        organization_id, id, claims, attempts, case status when 'cancelled' then status else 'failed' end, lease_owner,
        model, 'WORKER_LOST', 'The worker was lost during this attempt, and what it used with it.', attempt_started_at,
        own_key
      from taken
      on conflict on constraint execution_attempts_pkey do nothing  -- by a worker of before claims were counted
    ),
    accounted as (
      insert into usage_ledger (
        organization_id, metric, entry, quantity, subject_id, user_id, skill_id, execution_type, model, prompt_tokens,
        cache_read_tokens, cache_write_tokens, completion_tokens, cost_cents, estimated, outcome, executed_at,
        own_key
      )
      select
        organization_id, 'oracle_queries', 'settle', 0, id, user_id, skill_id, execution_type, model, prompt_tokens,
        cache_read_tokens, cache_write_tokens, completion_tokens, cost_cents, coalesce(estimated, false), status,
        executed_at, coalesce(kijko.own_key_of(id), own_key)
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
