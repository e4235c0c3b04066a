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
  quantity numeric not null,
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
  constraint usage_ledger_subject_key unique (subject_id, metric, entry)
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

-- One counter's lock; plan changes take it for every metric of the organization.
create function kijko.quota_lock(organization uuid, metric text) returns bigint
  language sql immutable set search_path = ''
as $$ select hashtextextended('quota:' || metric || ':' || organization::text, 0) $$;
revoke execute on function kijko.quota_lock(uuid, text) from public, anon, authenticated;

create function kijko.reserve_for(
  organization uuid, metric text, quantity numeric, subject uuid, person uuid
) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  allowed numeric;
  taken numeric;
  span record;
begin
  if quantity <= 0 then
    raise exception 'a reservation needs a positive quantity' using errcode = 'KJ422';
  end if;
  -- Unlimited callers share the lock, limited ones hold it alone; either way a plan change waits for them.
  perform pg_advisory_xact_lock_shared(kijko.quota_lock(organization, 'plan'));
  allowed := kijko.quota_limit(kijko.plan_of(organization), metric);
  if allowed is not null then
    perform pg_advisory_xact_lock(kijko.quota_lock(organization, metric));
    select * into span from kijko.usage_window(metric, now());
    taken := kijko.usage_taken(organization, metric, span.window_start);
    if taken + quantity > allowed then
      raise exception 'quota exceeded' using errcode = 'KJ429', detail = jsonb_build_object(
        'metric', metric, 'limit', allowed, 'used', taken, 'resetsAt', span.window_end
      )::text;
    end if;
    update public.usage_counters c set used = c.used + quantity
    where c.organization_id = organization and c.metric = reserve_for.metric and c.window_start = span.window_start;
  end if;
  insert into public.usage_ledger (organization_id, metric, entry, quantity, subject_id, user_id)
  values (organization, reserve_for.metric, 'reserve', reserve_for.quantity, subject, person);
end
$$;

create function kijko.usage_taken(organization uuid, metric text, since timestamptz) returns numeric
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  taken numeric;
begin
  select c.used into taken
  from public.usage_counters c
  where c.organization_id = organization and c.metric = usage_taken.metric and c.window_start = since;
  if taken is null then
    select coalesce(sum(l.quantity), 0) into taken
    from public.usage_ledger l
    where l.organization_id = organization and l.metric = usage_taken.metric and l.at >= since;
    insert into public.usage_counters (organization_id, metric, window_start, used)
    values (organization, usage_taken.metric, since, taken);
  end if;
  return taken;
end
$$;
comment on function kijko.usage_taken(uuid, text, timestamptz) is
  'What is used since the window began, from the counter, which is made from the ledger when there is none. The '
  'caller holds the metric''s lock.';

comment on function kijko.reserve_for(uuid, text, numeric, uuid, uuid) is
  'Takes a quantity of a metric for a subject, or raises KJ429 with {metric, limit, used, resetsAt} as its detail. '
  'A subject is reserved once.';
revoke execute on function kijko.reserve_for(uuid, text, numeric, uuid, uuid) from public, anon, authenticated;
revoke execute on function kijko.usage_taken(uuid, text, timestamptz) from public, anon, authenticated;
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

create function kijko.release(metric text, subject uuid) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  taken record;
  span record;
begin
  select l.organization_id, l.quantity, l.user_id, l.at into taken
  from public.usage_ledger l
  where l.subject_id = subject and l.metric = release.metric and l.entry = 'reserve';
  if not found then
    return false;
  end if;
  perform pg_advisory_xact_lock_shared(kijko.quota_lock(taken.organization_id, 'plan'));
  perform pg_advisory_xact_lock(kijko.quota_lock(taken.organization_id, metric));
  -- It goes back into the window it came from, so the ledger row carries the reservation's instant.
  insert into public.usage_ledger (organization_id, metric, entry, quantity, subject_id, user_id, at)
  values (taken.organization_id, release.metric, 'release', -taken.quantity, subject, taken.user_id, taken.at)
  on conflict on constraint usage_ledger_subject_key do nothing;
  if not found then
    return false;
  end if;
  select * into span from kijko.usage_window(metric, taken.at);
  update public.usage_counters c set used = c.used - taken.quantity
  where c.organization_id = taken.organization_id
    and c.metric = release.metric
    and c.window_start = span.window_start;
  return true;
end
$$;
comment on function kijko.release(text, uuid) is
  'Gives a subject''s reservation back, once; false when there is none or it was given back before.';
revoke execute on function kijko.release(text, uuid) from public, anon, authenticated;
grant execute on function kijko.release(text, uuid) to service_role;

create function kijko.settle(metric text, subject uuid, actual numeric) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  taken record;
  span record;
begin
  select l.organization_id, l.quantity, l.user_id, l.at into taken
  from public.usage_ledger l
  where l.subject_id = subject and l.metric = settle.metric and l.entry = 'reserve'
    and not exists (
      select from public.usage_ledger r
      where r.subject_id = subject and r.metric = settle.metric and r.entry = 'release'
    );
  if not found then
    return false;
  end if;
  perform pg_advisory_xact_lock_shared(kijko.quota_lock(taken.organization_id, 'plan'));
  perform pg_advisory_xact_lock(kijko.quota_lock(taken.organization_id, metric));
  insert into public.usage_ledger (organization_id, metric, entry, quantity, subject_id, user_id, at)
  values (taken.organization_id, settle.metric, 'settle', actual - taken.quantity, subject, taken.user_id, taken.at)
  on conflict on constraint usage_ledger_subject_key do nothing;
  if not found then
    return false;
  end if;
  select * into span from kijko.usage_window(metric, taken.at);
  update public.usage_counters c set used = c.used + actual - taken.quantity
  where c.organization_id = taken.organization_id
    and c.metric = settle.metric
    and c.window_start = span.window_start;
  return true;
end
$$;
comment on function kijko.settle(text, uuid, numeric) is
  'Corrects a subject''s reservation to what was really used, once; false when there is none standing.';
revoke execute on function kijko.settle(text, uuid, numeric) from public, anon, authenticated;
grant execute on function kijko.settle(text, uuid, numeric) to service_role;

create function kijko.grant_plan(organization uuid, plan text, reason text) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform pg_advisory_xact_lock(kijko.quota_lock(organization, 'plan'));
  update public.plan_grants g set revoked_at = clock_timestamp()
  where g.organization_id = organization and g.revoked_at is null;
  insert into public.plan_grants (organization_id, plan_id, reason) values (organization, plan, grant_plan.reason);
  -- Counters are not kept while a metric is unlimited; the next limited reservation makes them from the ledger.
  delete from public.usage_counters c where c.organization_id = organization;
end
$$;
comment on function kijko.grant_plan(uuid, text, text) is 'Puts an organization on a plan by an operator''s word.';
revoke execute on function kijko.grant_plan(uuid, text, text) from public, anon, authenticated;
grant execute on function kijko.grant_plan(uuid, text, text) to service_role;

revoke all on public.plans, public.plan_grants, public.usage_ledger, public.usage_counters from anon, authenticated;
grant select on public.plans, public.plan_grants, public.usage_ledger to authenticated;
grant all on public.plans, public.plan_grants, public.usage_ledger, public.usage_counters to service_role;

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
