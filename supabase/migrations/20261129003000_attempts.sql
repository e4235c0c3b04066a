-- A run is cancelled for good, and each of its attempts is kept with what it used.
--
-- A run that is cancelled while a worker holds it has ended at once, and keeps the lease until that worker has dropped the
-- call and told what was used; a dead one's is settled by the sweeper. No result overwrites it.

alter table public.executions
  add column claims integer not null default 0,
  add column attempt_started_at timestamptz;
comment on column public.executions.claims is
  'How often a worker took the run, counted on where one gave it back unharmed and attempts is not. Streamed text is told by it.';
comment on column public.executions.attempt_started_at is 'When the present, or last, attempt was claimed.';

alter table public.executions drop constraint executions_lease_check;
alter table public.executions add constraint executions_lease_check check (
  (status = 'running') <= (lease_owner is not null) and (lease_owner is not null) <= (status in ('running', 'cancelled'))
);
drop index public.executions_lease_idx;
create index executions_lease_idx on public.executions (lease_expires_at) where lease_owner is not null;
create index executions_dropped_idx on public.executions (lease_owner)
  where lease_owner is not null and status = 'cancelled';

alter table public.usage_ledger add column estimated boolean not null default false;
comment on column public.usage_ledger.estimated is
  'Whether tokens were counted here (cl100k_base), at least in part, since the provider did not tell them.';

create table public.execution_attempts (
  organization_id uuid not null,
  execution_id uuid not null
    constraint execution_attempts_execution_fkey references public.executions (id) on delete cascade,
  claim integer not null,
  attempt integer not null,
  status text not null
    constraint execution_attempts_status_check check (status in ('completed', 'failed', 'cancelled')),
  worker_id uuid,
  provider text,
  model text,
  prompt_tokens bigint,
  cache_read_tokens bigint,
  cache_write_tokens bigint,
  completion_tokens bigint,
  cost_cents numeric,
  estimated boolean not null default false,
  error_code text,
  error_message text,
  started_at timestamptz not null,
  ended_at timestamptz not null default clock_timestamp(),
  constraint execution_attempts_pkey primary key (execution_id, claim)
);
create index execution_attempts_ended_idx on public.execution_attempts (organization_id, ended_at);
comment on table public.execution_attempts is
  'How each attempt of a run ended, written with that end. Tokens are null where no model ran, or nobody can know (a lost '
  'worker). The sums of a run''s attempts are what its row and its settlement in the ledger say.';

revoke all on public.execution_attempts from anon, authenticated;
grant select on public.execution_attempts to authenticated;
grant select, insert on public.execution_attempts to service_role;
alter table public.execution_attempts enable row level security;
alter table public.execution_attempts force row level security;
-- Whoever sees the run, by that table's own policy, sees its attempts.
create policy execution_attempts_select on public.execution_attempts for select to authenticated
  using (
    organization_id = (select kijko.current_org())
    and exists (
      select from public.executions e
      where e.id = execution_attempts.execution_id and e.organization_id = execution_attempts.organization_id
    )
  );

create function kijko.cancel_execution(execution uuid) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  organization constant uuid := kijko.current_org();
  person constant uuid := auth.uid();
  manager constant boolean := kijko.is_manager();
  one record;
  spent record;
begin
  -- The quota's lock before the run's row, as who asks for a run has them.
  perform kijko.lock_quota(organization, 'oracle_queries');
  select e.id, e.status, e.user_id, e.skill_id, e.execution_type, e.model, e.model_ran into one
  from public.executions e
  where e.id = execution
    and e.organization_id = organization
    and (e.cited_project_id is null or manager or e.cited_project_id in (select kijko.projects_where('read')))
  for no key update;
  if not found then
    return 'unknown';
  end if;
  if one.user_id <> person and not coalesce(manager, false) then
    return 'forbidden';
  end if;
  if one.status not in ('pending', 'running') then
    return 'ended';
  end if;
  if one.status = 'pending' then
    -- Rows in the order in which a worker that writes results locks them: the run, the skill, the person's room.
    update public.skills s set execution_count = s.execution_count + 1 where s.id = one.skill_id;
  end if;
  select
    sum(a.prompt_tokens)::bigint as prompt_tokens, sum(a.completion_tokens)::bigint as completion_tokens,
    sum(a.cache_read_tokens)::bigint as cache_read_tokens, sum(a.cache_write_tokens)::bigint as cache_write_tokens,
    case when bool_or(a.prompt_tokens is not null and a.cost_cents is null) then null else sum(a.cost_cents) end
      as cost_cents,
    coalesce(bool_or(a.estimated), false) as estimated
  into spent
  from public.execution_attempts a
  where a.execution_id = execution;
  update public.executions e
  set
    status = 'cancelled',
    completed_at = clock_timestamp(),
    prompt_tokens = spent.prompt_tokens,
    completion_tokens = spent.completion_tokens,
    cost_cents = spent.cost_cents,
    error_code = 'CANCELLED',
    error_message = case
      when one.user_id = person then 'It was cancelled by who ran it.'
      else 'It was cancelled by one of the organization''s managers.'
    end
  where e.id = execution;
  if one.status = 'pending' then
    insert into public.usage_ledger (
      organization_id, metric, entry, quantity, subject_id, user_id, skill_id, execution_type, model, prompt_tokens,
      cache_read_tokens, cache_write_tokens, completion_tokens, cost_cents, estimated, outcome
    )
    values (
      organization, 'oracle_queries', 'settle', 0, execution, one.user_id, one.skill_id, one.execution_type, one.model,
      spent.prompt_tokens, spent.cache_read_tokens, spent.cache_write_tokens, spent.completion_tokens, spent.cost_cents,
      spent.estimated, 'cancelled'
    )
    on conflict on constraint usage_ledger_subject_key do nothing;
    if not one.model_ran then
      perform kijko.release_all('oracle_queries', array[execution]);
    end if;
  end if;
  return one.status;
end
$$;
comment on function kijko.cancel_execution(uuid) is
  'Ends a run of the caller''s, or, for a manager, anybody''s in the active organization. Answers what it was: pending (its '
  'quota is given back where no model ran) or running (its worker drops the call and tells what was used); or why not: '
  'unknown, forbidden, ended.';
revoke execute on function kijko.cancel_execution(uuid) from public, anon, authenticated;
grant execute on function kijko.cancel_execution(uuid) to authenticated;
