-- What completed runs took, by the hour of the day (UTC) in which they were asked for: kept as execution_days is, by rows
-- that add up, since the hour of each of a hundred thousand runs is more than a question may take.

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

create or replace function kijko.count_runs() returns trigger
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

insert into public.execution_hours (organization_id, skill_id, hour, cited_project_id, completed, duration_ms, loose)
select
  l.organization_id, l.skill_id, date_part('hour', l.executed_at at time zone 'UTC')::smallint, l.cited_project_id,
  count(*), sum(l.duration_ms), false
from public.usage_ledger l
where l.executed_at is not null and l.outcome = 'completed' and l.duration_ms is not null
group by 1, 2, 3, 4;
