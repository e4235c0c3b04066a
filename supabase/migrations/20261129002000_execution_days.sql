-- What runs came to, a day: the table every statistic of skills and executions adds up.
--
-- A run that ended is one `settle` entry of `oracle_queries` in the ledger with `executed_at`. A trigger writes what each
-- statement brought into execution_days, in the same transaction: rows are only ever added there, so that workers never
-- wait for each other, and a sweep puts the rows of one key together (kijko.merge_execution_days). So a number is always
-- a sum over rows, never one row:
--
--   select skill_id, sum(completed + failed + cancelled), sum(cost_cents)
--   from execution_days
--   where organization_id = (select kijko.current_org()) and day >= $1
--   group by skill_id
--
-- It is exact at every moment, and no deletion of skills or executions changes it. `day` is the UTC day of executed_at:
-- when the run was asked for. What still waits or runs is not in it; it is counted in `executions`. A test run of a prompt
-- has no execution_type in the ledger, hence no executed_at, and is no execution.
--
-- A run that cites a project is counted for those who may see it, as in executions: the key has cited_project_id, and the
-- policy is the same. The model is no part of the key: no number is asked for by model, and the ledger has it.

-- ---- the ledger knows which run it was -----------------------------------------------------------------------------

alter table public.usage_ledger
  add column executed_at timestamptz,
  add column cited_project_id uuid;
comment on column public.usage_ledger.executed_at is
  'Of a run''s end: when the run was asked for. Null in every other entry.';
comment on column public.usage_ledger.cited_project_id is 'Of a run''s end: as in executions.';

alter table public.usage_ledger disable trigger usage_ledger_append_only;
update public.usage_ledger l
set
  executed_at = coalesce(
    (select e.executed_at from public.executions e where e.id = l.subject_id and e.organization_id = l.organization_id),
    (
      select r.at
      from public.usage_ledger r
      where r.subject_id = l.subject_id
        and r.metric = l.metric
        and r.entry = 'reserve'
        and r.organization_id = l.organization_id
    ),
    l.at
  ),
  cited_project_id = (
    select e.cited_project_id
    from public.executions e
    where e.id = l.subject_id and e.organization_id = l.organization_id
  )
where l.metric = 'oracle_queries'
  and l.entry = 'settle'
  and l.execution_type is not null
  and l.skill_id is not null
  and l.outcome is not null;
alter table public.usage_ledger enable trigger usage_ledger_append_only;

alter table public.usage_ledger add constraint usage_ledger_run_check check (
  executed_at is null
  or (
    metric = 'oracle_queries' and entry = 'settle' and execution_type is not null and skill_id is not null
    and outcome is not null and outcome in ('completed', 'failed', 'cancelled')
  )
);

create function kijko.place_run() returns trigger
  language plpgsql security definer set search_path = ''
as $$
declare
  run record;
begin
  select e.executed_at, e.cited_project_id into run
  from public.executions e
  where e.id = new.subject_id and e.organization_id = new.organization_id;
  new.executed_at := coalesce(run.executed_at, new.at);
  new.cited_project_id := coalesce(new.cited_project_id, run.cited_project_id);
  return new;
end
$$;
revoke execute on function kijko.place_run() from public, anon, authenticated;
-- For whoever writes a run's end without saying when the run began; the workers say it, and save the look.
create trigger usage_ledger_place_run
  before insert on public.usage_ledger
  for each row
  when (
    new.executed_at is null and new.entry = 'settle' and new.metric = 'oracle_queries'
    and new.execution_type is not null and new.skill_id is not null and new.outcome is not null
  )
  execute function kijko.place_run();

-- Runs by when they were asked for, with all that is counted of them; and the durations in order, for percentiles.
create index usage_ledger_runs_idx on public.usage_ledger (organization_id, executed_at)
  include (
    skill_id, execution_type, outcome, prompt_tokens, completion_tokens, cost_cents, duration_ms, cited_project_id
  )
  where executed_at is not null;
create index usage_ledger_durations_idx on public.usage_ledger (organization_id, duration_ms)
  include (skill_id, executed_at, cited_project_id)
  where executed_at is not null and outcome = 'completed';
-- Reading an index alone needs pages that were vacuumed.
alter table public.usage_ledger
  set (autovacuum_vacuum_insert_scale_factor = 0.01, autovacuum_analyze_scale_factor = 0.02);

drop policy usage_ledger_select on public.usage_ledger;
create policy usage_ledger_select on public.usage_ledger for select to authenticated
  using (
    organization_id = (select kijko.current_org())
    and (
      cited_project_id is null
      or (select kijko.is_manager())
      or cited_project_id in (select kijko.projects_where('read'))
    )
  );

-- ---- the sums ------------------------------------------------------------------------------------------------------

create table public.execution_days (
  id bigint generated always as identity constraint execution_days_pkey primary key,
  organization_id uuid not null,
  day date not null,
  skill_id uuid not null,
  execution_type text not null,
  cited_project_id uuid,
  completed bigint not null,
  failed bigint not null,
  cancelled bigint not null,
  tokens bigint not null,
  completed_tokens bigint not null,
  duration_ms bigint not null,
  cost_cents numeric not null,
  priced bigint not null,
  loose boolean not null default true
);
comment on table public.execution_days is
  'Sums over runs that ended, by organization, UTC day, skill, type and cited project; several rows of one key add up. '
  'tokens and cost_cents are of all runs that told them; completed_tokens and duration_ms of the completed ones; priced '
  'counts the runs whose cost is known. `loose` rows wait for the sweep.';
create index execution_days_read_idx on public.execution_days (organization_id, day, skill_id, execution_type)
  include (
    cited_project_id, completed, failed, cancelled, tokens, completed_tokens, duration_ms, cost_cents, priced
  );
create index execution_days_loose_idx on public.execution_days (id) where loose;
alter table public.execution_days set (
  autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02,
  autovacuum_analyze_scale_factor = 0.02
);

revoke all on public.execution_days from anon, authenticated, service_role;
grant select on public.execution_days to authenticated, service_role;
alter table public.execution_days enable row level security;
alter table public.execution_days force row level security;
create policy execution_days_select on public.execution_days for select to authenticated
  using (
    organization_id = (select kijko.current_org())
    and (
      cited_project_id is null
      or (select kijko.is_manager())
      or cited_project_id in (select kijko.projects_where('read'))
    )
  );

-- What completed runs took, by the hour of the day (UTC) in which they were asked for: kept in the same way, since the hour of
-- each of a hundred thousand runs is more than a question may take.
create table public.execution_hours (
  id bigint generated always as identity constraint execution_hours_pkey primary key,
  organization_id uuid not null,
  skill_id uuid not null,
  hour smallint not null constraint execution_hours_hour_check check (hour between 0 and 23),
  cited_project_id uuid,
  completed bigint not null,
  duration_ms bigint not null,
  loose boolean not null default true
);
comment on table public.execution_hours is
  'Sums over completed runs whose duration is known, by organization, skill, hour of the day and cited project; several '
  'rows of one key add up. `loose` rows wait for the sweep.';
create index execution_hours_read_idx on public.execution_hours (organization_id, skill_id, hour)
  include (cited_project_id, completed, duration_ms);
create index execution_hours_loose_idx on public.execution_hours (id) where loose;
alter table public.execution_hours set (
  autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02,
  autovacuum_analyze_scale_factor = 0.02
);

revoke all on public.execution_hours from anon, authenticated, service_role;
grant select on public.execution_hours to authenticated, service_role;
alter table public.execution_hours enable row level security;
alter table public.execution_hours force row level security;
create policy execution_hours_select on public.execution_hours for select to authenticated
  using (
    organization_id = (select kijko.current_org())
    and (
      cited_project_id is null
      or (select kijko.is_manager())
      or cited_project_id in (select kijko.projects_where('read'))
    )
  );

create function kijko.count_runs() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- Most statements reserve, and end no run.
  if not exists (select from new_rows n where n.executed_at is not null) then
    return null;
  end if;
  insert into public.execution_days (
    organization_id, day, skill_id, execution_type, cited_project_id, completed, failed, cancelled, tokens,
    completed_tokens, duration_ms, cost_cents, priced
  )
  select
    n.organization_id, (n.executed_at at time zone 'UTC')::date, n.skill_id, n.execution_type, n.cited_project_id,
    count(*) filter (where n.outcome = 'completed'),
    count(*) filter (where n.outcome = 'failed'),
    count(*) filter (where n.outcome = 'cancelled'),
    coalesce(sum(coalesce(n.prompt_tokens, 0) + coalesce(n.completion_tokens, 0)), 0),
    coalesce(
      sum(coalesce(n.prompt_tokens, 0) + coalesce(n.completion_tokens, 0)) filter (where n.outcome = 'completed'), 0
    ),
    coalesce(sum(n.duration_ms) filter (where n.outcome = 'completed'), 0),
    coalesce(sum(n.cost_cents), 0),
    count(n.cost_cents)
  from new_rows n
  where n.executed_at is not null
  group by n.organization_id, (n.executed_at at time zone 'UTC')::date, n.skill_id, n.execution_type, n.cited_project_id;
  insert into public.execution_hours (organization_id, skill_id, hour, cited_project_id, completed, duration_ms)
  select
    n.organization_id, n.skill_id, date_part('hour', n.executed_at at time zone 'UTC')::smallint, n.cited_project_id,
    count(*), sum(n.duration_ms)
  from new_rows n
  where n.executed_at is not null and n.outcome = 'completed' and n.duration_ms is not null
  group by n.organization_id, n.skill_id, date_part('hour', n.executed_at at time zone 'UTC'), n.cited_project_id;
  return null;
end
$$;
revoke execute on function kijko.count_runs() from public, anon, authenticated;
create trigger usage_ledger_count_runs
  after insert on public.usage_ledger
  referencing new table as new_rows
  for each statement execute function kijko.count_runs();

create function kijko.merge_execution_days(most integer) returns bigint
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  merged bigint;
begin
  -- One at a time: nobody else takes rows away, so what is summed here is what is deleted here.
  if not pg_try_advisory_xact_lock(hashtextextended('kijko.merge_execution_days', 0)) then
    return 0;
  end if;
  with chosen as materialized (
    select d.organization_id, d.day, d.skill_id, d.execution_type, d.cited_project_id
    from public.execution_days d
    where d.loose
    order by d.id
    limit most
  ),
  keys as (
    select distinct c.* from chosen c
  ),
  gone as (
    delete from public.execution_days d
    using keys k
    where d.organization_id = k.organization_id
      and d.day = k.day
      and d.skill_id = k.skill_id
      and d.execution_type = k.execution_type
      and d.cited_project_id is not distinct from k.cited_project_id
    returning d.*
  ),
  kept as (
    insert into public.execution_days (
      organization_id, day, skill_id, execution_type, cited_project_id, completed, failed, cancelled, tokens,
      completed_tokens, duration_ms, cost_cents, priced, loose
    )
    select
      g.organization_id, g.day, g.skill_id, g.execution_type, g.cited_project_id, sum(g.completed), sum(g.failed),
      sum(g.cancelled), sum(g.tokens), sum(g.completed_tokens), sum(g.duration_ms), sum(g.cost_cents), sum(g.priced),
      false
    from gone g
    group by g.organization_id, g.day, g.skill_id, g.execution_type, g.cited_project_id
  )
  select count(*) into merged from chosen;
  return merged;
end
$$;
comment on function kijko.merge_execution_days(integer) is
  'Puts up to so many loose rows together with the others of their keys; answers how many it took. No sum changes.';
revoke execute on function kijko.merge_execution_days(integer) from public, anon, authenticated;
grant execute on function kijko.merge_execution_days(integer) to service_role;

create function kijko.merge_execution_hours(most integer) returns bigint
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  merged bigint;
begin
  -- One at a time, as kijko.merge_execution_days.
  if not pg_try_advisory_xact_lock(hashtextextended('kijko.merge_execution_hours', 0)) then
    return 0;
  end if;
  with chosen as materialized (
    select h.organization_id, h.skill_id, h.hour, h.cited_project_id
    from public.execution_hours h
    where h.loose
    order by h.id
    limit most
  ),
  keys as (
    select distinct c.* from chosen c
  ),
  gone as (
    delete from public.execution_hours h
    using keys k
    where h.organization_id = k.organization_id
      and h.skill_id = k.skill_id
      and h.hour = k.hour
      and h.cited_project_id is not distinct from k.cited_project_id
    returning h.*
  ),
  kept as (
    insert into public.execution_hours (
      organization_id, skill_id, hour, cited_project_id, completed, duration_ms, loose
    )
    select g.organization_id, g.skill_id, g.hour, g.cited_project_id, sum(g.completed), sum(g.duration_ms), false
    from gone g
    group by g.organization_id, g.skill_id, g.hour, g.cited_project_id
  )
  select count(*) into merged from chosen;
  return merged;
end
$$;
comment on function kijko.merge_execution_hours(integer) is
  'Puts up to so many loose rows together with the others of their keys; answers how many it took. No sum changes.';
revoke execute on function kijko.merge_execution_hours(integer) from public, anon, authenticated;
grant execute on function kijko.merge_execution_hours(integer) to service_role;

insert into public.execution_days (
  organization_id, day, skill_id, execution_type, cited_project_id, completed, failed, cancelled, tokens,
  completed_tokens, duration_ms, cost_cents, priced, loose
)
select
  l.organization_id, (l.executed_at at time zone 'UTC')::date, l.skill_id, l.execution_type, l.cited_project_id,
  count(*) filter (where l.outcome = 'completed'),
  count(*) filter (where l.outcome = 'failed'),
  count(*) filter (where l.outcome = 'cancelled'),
  coalesce(sum(coalesce(l.prompt_tokens, 0) + coalesce(l.completion_tokens, 0)), 0),
  coalesce(
    sum(coalesce(l.prompt_tokens, 0) + coalesce(l.completion_tokens, 0)) filter (where l.outcome = 'completed'), 0
  ),
  coalesce(sum(l.duration_ms) filter (where l.outcome = 'completed'), 0),
  coalesce(sum(l.cost_cents), 0),
  count(l.cost_cents),
  false
from public.usage_ledger l
where l.executed_at is not null
group by l.organization_id, (l.executed_at at time zone 'UTC')::date, l.skill_id, l.execution_type, l.cited_project_id;
insert into public.execution_hours (organization_id, skill_id, hour, cited_project_id, completed, duration_ms, loose)
select
  l.organization_id, l.skill_id, date_part('hour', l.executed_at at time zone 'UTC')::smallint, l.cited_project_id,
  count(*), sum(l.duration_ms), false
from public.usage_ledger l
where l.executed_at is not null and l.outcome = 'completed' and l.duration_ms is not null
group by 1, 2, 3, 4;
