-- Plans, grants, the append-only usage ledger and the quota engine over it.
--
-- A quota is taken before the work (reserve), kept with its price afterwards (settle), or given back (release). The
-- ledger is the truth; a counter is its running sum for one limited window, made from it when first needed and locked
-- while it is compared, so that of 40 callers with N left exactly N pass.

create table public.plans (
  id text constraint plans_pkey primary key,
  position integer not null,
  api_calls bigint,
  ingestions bigint,
  storage_bytes bigint,
  seats bigint,
  oracle_queries bigint,
  concurrent_executions integer not null
);
comment on table public.plans is 'What each plan allows; null is unlimited. Storage counts bytes, 1 GB being 10^9.';
insert into public.plans (id, position, api_calls, ingestions, storage_bytes, seats, oracle_queries,
                          concurrent_executions)
values
  ('free', 1, 1000, 50, 1000000000, 1, 10, 2),
  ('pro', 2, 10000, 500, 25000000000, 3, 100, 10),
  ('teams', 3, 50000, 2500, 100000000000, 10, null, 50),
  ('enterprise', 4, null, null, null, null, null, 1000);

create table public.plan_grants (
  id uuid constraint plan_grants_pkey primary key default gen_random_uuid(),
  organization_id uuid not null
    constraint plan_grants_organization_fkey references public.organizations (id) on delete cascade,
  plan_id text not null constraint plan_grants_plan_fkey references public.plans (id),
  reason text not null default '',
  granted_at timestamptz not null default clock_timestamp(),
  revoked_at timestamptz
);
comment on table public.plan_grants is 'An operator''s word on a plan; the newest one standing outranks what is paid for.';
create unique index plan_grants_standing_key on public.plan_grants (organization_id) where revoked_at is null;
create index plan_grants_organization_idx on public.plan_grants (organization_id, granted_at desc);
create index plan_grants_plan_idx on public.plan_grants (plan_id);

create table public.usage_ledger (
  id bigint generated always as identity constraint usage_ledger_pkey primary key,
  organization_id uuid not null,
  metric text not null
    constraint usage_ledger_metric_check
      check (metric in ('api_calls', 'ingestions', 'storage', 'seats', 'oracle_queries')),
  entry text not null constraint usage_ledger_entry_check check (entry in ('reserve', 'settle', 'release')),
  quantity numeric not null
    constraint usage_ledger_quantity_check check (quantity = trunc(quantity) and abs(quantity) <= 1e15),
  subject_id uuid not null,
  user_id uuid,
  skill_id uuid,
  execution_type text,
  provider text,
  model text,
  prompt_tokens bigint,
  cache_read_tokens bigint,
  cache_write_tokens bigint,
  completion_tokens bigint,
  cost_cents numeric,
  duration_ms bigint,
  outcome text,
  at timestamptz not null default now(),
  -- With the organization in it nobody can take, or find, another one's subject by naming it.
  constraint usage_ledger_subject_key unique (subject_id, metric, entry, organization_id)
);
comment on table public.usage_ledger is
  'Append-only: what was used, by whom, at what cost. No row points at a skill or an execution by a foreign key, since '
  'their deletion changes nothing here. A subject is reserved, settled and released once each.';
create index usage_ledger_window_idx on public.usage_ledger (organization_id, metric, at) include (quantity);

create table public.usage_counters (
  organization_id uuid not null,
  metric text not null,
  window_start timestamptz not null,
  used numeric not null,
  constraint usage_counters_pkey primary key (organization_id, metric, window_start)
);

create function kijko.refuse_change() returns trigger
  language plpgsql set search_path = ''
as $$
begin
  raise exception 'the usage ledger is append-only' using errcode = 'KJ409';
end
$$;
create trigger usage_ledger_append_only before update or delete or truncate on public.usage_ledger
  for each statement execute function kijko.refuse_change();

create function kijko.plan_of(organization uuid) returns text
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return coalesce(
    (select g.plan_id from public.plan_grants g where g.organization_id = organization and g.revoked_at is null),
    'free'
  );
end
$$;
comment on function kijko.plan_of(uuid) is 'The plan an organization is on now: the standing grant, else free.';
revoke execute on function kijko.plan_of(uuid) from public, anon, authenticated;
grant execute on function kijko.plan_of(uuid) to service_role;

create function kijko.current_plan() returns text
  language sql stable security definer set search_path = ''
as $$ select kijko.plan_of(kijko.current_org()) $$;
comment on function kijko.current_plan() is 'The active organization''s plan.';
revoke execute on function kijko.current_plan() from public, anon, authenticated;
grant execute on function kijko.current_plan() to authenticated;

create function kijko.usage_window(
  metric text, instant timestamptz, out window_start timestamptz, out window_end timestamptz
)
  language sql immutable set search_path = ''
as $$
  select
    case
      when metric in ('storage', 'seats') then '-infinity'::timestamptz
      when metric = 'oracle_queries' then date_trunc('day', instant at time zone 'UTC') at time zone 'UTC'
      else date_trunc('month', instant at time zone 'UTC') at time zone 'UTC'
    end,
    case
      when metric in ('storage', 'seats') then null
      when metric = 'oracle_queries'
        then (date_trunc('day', instant at time zone 'UTC') + interval '1 day') at time zone 'UTC'
      else (date_trunc('month', instant at time zone 'UTC') + interval '1 month') at time zone 'UTC'
    end
$$;
comment on function kijko.usage_window(text, timestamptz) is
  'The window an instant counts in: a UTC day for oracle queries, a calendar month (UTC) for calls and ingestions, '
  'always for what is held (storage, seats; it never resets).';
revoke execute on function kijko.usage_window(text, timestamptz) from public, anon, authenticated;
grant execute on function kijko.usage_window(text, timestamptz) to authenticated, service_role;

create function kijko.quota_limit(plan text, metric text) returns numeric
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return (
    select case metric
      when 'api_calls' then p.api_calls
      when 'ingestions' then p.ingestions
      when 'storage' then p.storage_bytes
      when 'seats' then p.seats
      when 'oracle_queries' then p.oracle_queries
    end
    from public.plans p where p.id = plan
  );
end
$$;
comment on function kijko.quota_limit(text, text) is 'What a plan allows of a metric in a window; null is unlimited.';
revoke execute on function kijko.quota_limit(text, text) from public, anon, authenticated;
grant execute on function kijko.quota_limit(text, text) to authenticated, service_role;

-- ---- the engine ----------------------------------------------------------------------------------------------------
--
-- Locks, always in this order: the organization's plan (shared; a change of plan holds it alone), then, only where the
-- metric is limited, the metric (held alone). So unlimited callers never wait for each other, and limited ones only
-- for those of the same organization and metric.

create function kijko.quota_lock(organization uuid, metric text) returns bigint
  language sql immutable set search_path = ''
as $$ select hashtextextended('quota:' || metric || ':' || organization::text, 0) $$;
revoke execute on function kijko.quota_lock(uuid, text) from public, anon, authenticated;

create function kijko.lock_quota(organization uuid, metric text) returns numeric
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  allowed numeric;
begin
  -- What is read after a lock must be what its last holder committed, not what stood when the transaction began.
  if current_setting('transaction_isolation') not in ('read committed', 'read uncommitted') then
    raise exception 'quotas are counted in read committed transactions only' using errcode = '25001';
  end if;
  perform pg_advisory_xact_lock_shared(kijko.quota_lock(organization, 'plan'));
  allowed := kijko.quota_limit(kijko.plan_of(organization), metric);
  if allowed is not null then
    perform pg_advisory_xact_lock(kijko.quota_lock(organization, metric));
  end if;
  return allowed;
end
$$;
comment on function kijko.lock_quota(uuid, text) is
  'Takes a metric''s locks and answers its limit, which stands until the transaction ends; null is unlimited.';
revoke execute on function kijko.lock_quota(uuid, text) from public, anon, authenticated;

create function kijko.usage_taken(organization uuid, metric text, since timestamptz, until timestamptz) returns numeric
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return coalesce(
    (
      select c.used
      from public.usage_counters c
      where c.organization_id = organization and c.metric = usage_taken.metric and c.window_start = since
    ),
    (
      select sum(l.quantity)
      from public.usage_ledger l
      where l.organization_id = organization
        and l.metric = usage_taken.metric
        and l.at >= since
        and (until is null or l.at < until)
    ),
    0
  );
end
$$;
comment on function kijko.usage_taken(uuid, text, timestamptz, timestamptz) is
  'What is used in a window: its counter, or the ledger''s sum where there is none.';
revoke execute on function kijko.usage_taken(uuid, text, timestamptz, timestamptz) from public, anon, authenticated;

create function kijko.reserve_for(
  organization uuid, metric text, quantity numeric, subject uuid, person uuid
) returns jsonb
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  allowed numeric;
  taken numeric;
  span record;
begin
  -- Not a number is greater than every number, so it fails here as well.
  if quantity is null or not (quantity >= 1 and quantity <= 1e15 and quantity = trunc(quantity)) then
    raise exception 'A reservation needs a whole, positive quantity.' using errcode = 'KJ422';
  end if;
  allowed := kijko.lock_quota(organization, metric);
  if allowed is not null then
    span := kijko.usage_window(metric, now());
    update public.usage_counters c set used = c.used + quantity
    where c.organization_id = organization
      and c.metric = reserve_for.metric
      and c.window_start = span.window_start
      and c.used + quantity <= allowed
    returning c.used into taken;
    if not found then
      taken := kijko.usage_taken(organization, metric, span.window_start, span.window_end);
      if taken + quantity > allowed then
        raise exception 'quota exceeded' using errcode = 'KJ429', detail = jsonb_build_object(
          'metric', metric, 'limit', allowed, 'used', taken, 'resetsAt', span.window_end
        )::text;
      end if;
      -- The window's first: its counter begins, and those of windows before it have had their time.
      delete from public.usage_counters c
      where c.organization_id = organization and c.metric = reserve_for.metric and c.window_start < span.window_start;
      insert into public.usage_counters (organization_id, metric, window_start, used)
      values (organization, reserve_for.metric, span.window_start, taken + quantity)
      returning used into taken;
    end if;
  end if;
  insert into public.usage_ledger (organization_id, metric, entry, quantity, subject_id, user_id)
  values (organization, reserve_for.metric, 'reserve', reserve_for.quantity, subject, person);
  if allowed is null then
    return null;
  end if;
  return jsonb_build_object('metric', metric, 'limit', allowed, 'used', taken, 'resetsAt', span.window_end);
end
$$;
comment on function kijko.reserve_for(uuid, text, numeric, uuid, uuid) is
  'Takes a quantity of a metric for a subject, or raises KJ429 with {metric, limit, used, resetsAt} as its detail. '
  'Answers the same of what is now used; null where there is no limit. A subject is reserved once.';
revoke execute on function kijko.reserve_for(uuid, text, numeric, uuid, uuid) from public, anon, authenticated;
grant execute on function kijko.reserve_for(uuid, text, numeric, uuid, uuid) to service_role;

create function kijko.reserve(metric text, quantity numeric, subject uuid) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  organization uuid := kijko.current_org();
begin
  if organization is null then
    raise exception 'no active organization' using errcode = 'KJ404';
  end if;
  perform kijko.reserve_for(organization, metric, quantity, subject, auth.uid());
end
$$;
comment on function kijko.reserve(text, numeric, uuid) is 'kijko.reserve_for the caller''s active organization.';
revoke execute on function kijko.reserve(text, numeric, uuid) from public, anon, authenticated;
grant execute on function kijko.reserve(text, numeric, uuid) to authenticated;

-- What a subject stands for now is the sum of its entries: its reservation, corrected when it was settled, and nothing
-- once it was released.
create function kijko.correct_usage(organization uuid, metric text, subject uuid, entry text, becomes numeric)
  returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  allowed constant numeric := kijko.lock_quota(organization, metric);
  reserved record;
  standing numeric;
  span record;
begin
  -- The row's lock parts a release from a settlement of the same subject where no lock of the metric does.
  select l.user_id, l.at into reserved
  from public.usage_ledger l
  where l.organization_id = organization
    and l.subject_id = subject
    and l.metric = correct_usage.metric
    and l.entry = 'reserve'
  for no key update;
  if not found then
    return false;
  end if;
  select case when bool_or(l.entry in ('release', correct_usage.entry)) then null else sum(l.quantity) end
  into standing
  from public.usage_ledger l
  where l.organization_id = organization and l.subject_id = subject and l.metric = correct_usage.metric;
  if standing is null then
    return false;
  end if;
  -- It counts in the window that it was taken from, so the row carries the reservation's instant.
  insert into public.usage_ledger (organization_id, metric, entry, quantity, subject_id, user_id, at)
  values (
    organization, correct_usage.metric, correct_usage.entry, becomes - standing, subject, reserved.user_id, reserved.at
  );
  if allowed is not null then
    span := kijko.usage_window(metric, reserved.at);
    update public.usage_counters c set used = c.used + becomes - standing
    where c.organization_id = organization
      and c.metric = correct_usage.metric
      and c.window_start = span.window_start;
  end if;
  return true;
end
$$;
comment on function kijko.correct_usage(uuid, text, uuid, text, numeric) is
  'Writes a settle or release entry, after which the subject stands for `becomes`; false when there is no '
  'reservation, when it was released, or when it has such an entry.';
revoke execute on function kijko.correct_usage(uuid, text, uuid, text, numeric) from public, anon, authenticated;

create function kijko.release_all(metric text, subjects uuid[]) returns setof uuid
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  taken record;
begin
  -- In one order, so that two callers with many organizations do not wait for each other.
  for taken in
    select l.organization_id, l.subject_id
    from public.usage_ledger l
    where l.subject_id = any (subjects) and l.metric = release_all.metric and l.entry = 'reserve'
    order by l.organization_id, l.subject_id
  loop
    if kijko.correct_usage(taken.organization_id, metric, taken.subject_id, 'release', 0) then
      return next taken.subject_id;
    end if;
  end loop;
end
$$;
comment on function kijko.release_all(text, uuid[]) is
  'Gives subjects'' reservations back, each once; answers those that stood until now.';
revoke execute on function kijko.release_all(text, uuid[]) from public, anon, authenticated;
grant execute on function kijko.release_all(text, uuid[]) to service_role;

create function kijko.release(metric text, subject uuid) returns boolean
  language sql volatile security definer set search_path = ''
as $$ select exists (select from kijko.release_all(metric, array[subject])) $$;
comment on function kijko.release(text, uuid) is
  'Gives a subject''s reservation back, once; false when there is none or it was given back before.';
revoke execute on function kijko.release(text, uuid) from public, anon, authenticated;
grant execute on function kijko.release(text, uuid) to service_role;

create function kijko.settle(organization uuid, metric text, subject uuid, actual numeric) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if actual is null or not (actual >= 0 and actual <= 1e15 and actual = trunc(actual)) then
    raise exception 'What was used is a whole quantity, zero or more.' using errcode = 'KJ422';
  end if;
  return kijko.correct_usage(organization, metric, subject, 'settle', actual);
end
$$;
comment on function kijko.settle(uuid, text, uuid, numeric) is
  'Corrects a subject''s reservation to what was really used, once; false when there is none standing. What was used '
  'counts even where it is more than the limit.';
revoke execute on function kijko.settle(uuid, text, uuid, numeric) from public, anon, authenticated;
grant execute on function kijko.settle(uuid, text, uuid, numeric) to service_role;

create function kijko.usage_of(organization uuid)
  returns table (metric text, used numeric, allowed numeric, resets_at timestamptz)
  language plpgsql stable security definer set search_path = ''
as $$
declare
  plan constant text := kijko.plan_of(organization);
begin
  return query
    select
      m.name,
      kijko.usage_taken(organization, m.name, w.window_start, w.window_end),
      kijko.quota_limit(plan, m.name),
      w.window_end
    from unnest(array['api_calls', 'ingestions', 'storage', 'seats', 'oracle_queries'])
      with ordinality as m (name, position)
    cross join lateral kijko.usage_window(m.name, now()) w
    where organization is not null
    order by m.position;
end
$$;
comment on function kijko.usage_of(uuid) is 'The five metrics of an organization now. `allowed` null: unlimited.';
revoke execute on function kijko.usage_of(uuid) from public, anon, authenticated;
grant execute on function kijko.usage_of(uuid) to service_role;

create function kijko.current_usage()
  returns table (metric text, used numeric, allowed numeric, resets_at timestamptz)
  language sql stable security definer set search_path = ''
as $$ select * from kijko.usage_of(kijko.current_org()) $$;
comment on function kijko.current_usage() is 'kijko.usage_of the caller''s active organization.';
revoke execute on function kijko.current_usage() from public, anon, authenticated;
grant execute on function kijko.current_usage() to authenticated;

create function kijko.grant_plan(organization uuid, plan text, reason text) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(kijko.quota_lock(organization, 'plan'));
  update public.plan_grants g set revoked_at = clock_timestamp()
  where g.organization_id = organization and g.revoked_at is null;
  if plan is not null then
    insert into public.plan_grants (organization_id, plan_id, reason) values (organization, plan, grant_plan.reason);
  end if;
  -- Counters are not kept while a metric is unlimited; the next limited reservation makes them from the ledger.
  delete from public.usage_counters c where c.organization_id = organization;
end
$$;
comment on function kijko.grant_plan(uuid, text, text) is
  'Puts an organization on a plan by an operator''s word; a null plan takes that word back.';
revoke execute on function kijko.grant_plan(uuid, text, text) from public, anon, authenticated;
grant execute on function kijko.grant_plan(uuid, text, text) to service_role;

-- ---- a run takes its quota with its row ----------------------------------------------------------------------------

create function kijko.request_execution(
  execution uuid, skill uuid, skill_version integer, execution_type text, reference uuid, input jsonb, context jsonb,
  model text, request_id text
) returns jsonb
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  organization uuid := kijko.current_org();
  person uuid := auth.uid();
  quota jsonb;
begin
  if organization is null then
    raise exception 'no active organization' using errcode = 'KJ404';
  end if;
  quota := kijko.reserve_for(organization, 'oracle_queries', 1, execution, person);
  insert into public.executions (
    id, organization_id, skill_id, skill_version, user_id, execution_type, reference_id, input, context, model,
    request_id
  )
  values (
    execution, organization, skill, request_execution.skill_version, person, request_execution.execution_type,
    reference, request_execution.input, request_execution.context, request_execution.model,
    request_execution.request_id
  );
  return quota;
end
$$;
comment on function kijko.request_execution(uuid, uuid, integer, text, uuid, jsonb, jsonb, text, text) is
  'Takes one oracle query and makes a pending run of a skill, as the caller, in the active organization. The only way '
  'in for a person: no run without its quota, of which it answers what reserve_for does. Another organization''s skill fails at executions_skill_fkey.';
revoke execute on function kijko.request_execution(uuid, uuid, integer, text, uuid, jsonb, jsonb, text, text)
  from public, anon, authenticated;
grant execute on function kijko.request_execution(uuid, uuid, integer, text, uuid, jsonb, jsonb, text, text)
  to authenticated;

-- The worker too writes here through the functions above; into the ledger it may add what a run cost.
revoke all on public.plans, public.plan_grants, public.usage_ledger, public.usage_counters
  from anon, authenticated, service_role;
grant select on public.plans, public.plan_grants, public.usage_ledger to authenticated, service_role;
grant insert on public.usage_ledger to service_role;

alter table public.plans enable row level security;
alter table public.plans force row level security;
create policy plans_select on public.plans for select to authenticated using (true);

alter table public.plan_grants enable row level security;
alter table public.plan_grants force row level security;
create policy plan_grants_select on public.plan_grants for select to authenticated
  using (organization_id = (select kijko.current_org()));

alter table public.usage_ledger enable row level security;
alter table public.usage_ledger force row level security;
create policy usage_ledger_select on public.usage_ledger for select to authenticated
  using (organization_id = (select kijko.current_org()));

alter table public.usage_counters enable row level security;
alter table public.usage_counters force row level security;
