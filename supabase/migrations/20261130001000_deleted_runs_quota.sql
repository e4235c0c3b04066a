-- A run that is deleted with its skill before a model ran for it gives its quota back, however the deletion meets it; and
-- whose key a model was called with is known from the call on, so that every ending can say it.

-- ---- the quota of runs that are deleted ----------------------------------------------------------------------------

alter table public.open_reservations add column held_by uuid;
comment on column public.open_reservations.held_by is
  'Of a run that was deleted while a worker held it: that worker, which may say before due_at whether a model ran.';

alter table public.executions add column own_key boolean;
comment on column public.executions.own_key is
  'Whether the present attempt''s model was called with the organization''s own key; null where no worker took it yet.';
alter table public.execution_attempts add column own_key boolean;
comment on column public.execution_attempts.own_key is
  'Whether its model was called with the organization''s own key; null where no model ran, or nobody knows.';

create function kijko.own_key_of(execution uuid) returns boolean
  language sql stable security definer set search_path = ''
as $$
  select a.own_key
  from public.execution_attempts a
  where a.execution_id = execution and a.own_key is not null
  order by a.claim desc
  limit 1
$$;
comment on function kijko.own_key_of(uuid) is
  'Whether the last attempt that a model worked for was made with the organization''s own key; null where none is kept.';
revoke execute on function kijko.own_key_of(uuid) from public, anon, authenticated;
grant execute on function kijko.own_key_of(uuid) to service_role;

create or replace function kijko.settle_deleted() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into public.usage_ledger (
    organization_id, metric, entry, quantity, subject_id, user_id, skill_id, execution_type, model, prompt_tokens,
    cache_read_tokens, cache_write_tokens, completion_tokens, cost_cents, estimated, outcome, own_key
  )
  select
    old.organization_id, 'oracle_queries', 'settle', 0, old.id, old.user_id, old.skill_id, old.execution_type, old.model,
    sum(a.prompt_tokens)::bigint, sum(a.cache_read_tokens)::bigint, sum(a.cache_write_tokens)::bigint,
    sum(a.completion_tokens)::bigint,
    case when bool_or(a.prompt_tokens is not null and a.cost_cents is null) then null else sum(a.cost_cents) end,
    coalesce(bool_or(a.estimated), false), 'cancelled',
    coalesce(kijko.own_key_of(old.id), case when old.lease_owner is not null then old.own_key end)
  from public.execution_attempts a
  where a.execution_id = old.id
  on conflict on constraint usage_ledger_subject_key do nothing;
  -- Not given back here: the quota's lock comes before a run's row, which is held already. Who gave it back before the
  -- deletion has left its entry; of an organization that is deleted itself nothing is given back.
  if not old.model_ran then
    insert into public.open_reservations (subject_id, organization_id, metric, due_at, held_by)
    select
      old.id, old.organization_id, 'oracle_queries',
      case when old.lease_owner is null then now() else greatest(old.lease_expires_at, now()) end, old.lease_owner
    from public.organizations o
    where o.id = old.organization_id
      and not exists (
        select
        from public.usage_ledger l
        where l.subject_id = old.id
          and l.metric = 'oracle_queries'
          and l.entry = 'release'
          and l.organization_id = old.organization_id
      )
    on conflict on constraint open_reservations_pkey do nothing;
  end if;
  return old;
end
$$;
comment on function kijko.settle_deleted() is
  'Settles a run that is deleted before its account was closed, with what its attempts used. What an attempt uses that is '
  'under way, its worker adds when it finds the row gone. Where no model had run yet, the quota is given back: at once, or '
  'when the worker says that none ran, or when a dead one''s lease is over.';

create function kijko.close_deleted(execution uuid, worker uuid, ran boolean) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  delete from public.open_reservations r
  where r.subject_id = execution and (ran or r.held_by = worker);
  if not found then
    return false;
  end if;
  if not ran then
    perform kijko.release_all('oracle_queries', array[execution]);
  end if;
  return true;
end
$$;
comment on function kijko.close_deleted(uuid, uuid, boolean) is
  'A worker''s word on a run that was deleted: where a model ran its quota counts, else it is given back, by who held it '
  'last alone. False where that was decided before, or the run is not deleted.';
revoke execute on function kijko.close_deleted(uuid, uuid, boolean) from public, anon, authenticated;
grant execute on function kijko.close_deleted(uuid, uuid, boolean) to service_role;

create or replace function kijko.model_keys_of_trials(organizations uuid[], providers text[])
  returns table (
    organization_id uuid, provider text, version uuid, master_id text, wrapped_key bytea, sealed_key bytea
  )
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select k.organization_id, k.provider, k.version, k.master_id, k.wrapped_key, k.sealed_key
    from unnest(organizations, providers) asked (organization_id, provider)
    join public.model_keys k on k.organization_id = asked.organization_id and k.provider = asked.provider
    where exists (
      select
      from public.open_reservations r
      where r.organization_id = asked.organization_id
        and r.metric = 'oracle_queries'
        and r.due_at > now()
        and r.held_by is null  -- no deleted run is a trial
    );
end
$$;

create or replace function kijko.cancel_execution(execution uuid) returns text
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
      cache_read_tokens, cache_write_tokens, completion_tokens, cost_cents, estimated, outcome,
      own_key
    )
    values (
      organization, 'oracle_queries', 'settle', 0, execution, one.user_id, one.skill_id, one.execution_type, one.model,
      spent.prompt_tokens, spent.cache_read_tokens, spent.cache_write_tokens, spent.completion_tokens, spent.cost_cents,
      spent.estimated, 'cancelled', kijko.own_key_of(execution)
    )
    on conflict on constraint usage_ledger_subject_key do nothing;
    if not one.model_ran then
      perform kijko.release_all('oracle_queries', array[execution]);
    end if;
  end if;
  return one.status;
end
$$;
