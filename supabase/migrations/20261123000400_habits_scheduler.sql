-- Habits run a skill on a schedule, reflexes on a webhook or an event.

create table public.habits (
  id uuid constraint habits_pkey primary key default gen_random_uuid(),
  organization_id uuid not null,
  skill_id uuid not null,
  user_id uuid not null,
  schedule_cron text not null,
  schedule_description text,
  timezone text not null default 'UTC',
  config jsonb not null default '{}'::jsonb,
  is_active boolean not null default true,
  last_run_at timestamptz,
  next_run_at timestamptz,
  run_count bigint not null default 0,
  consecutive_failures integer not null default 0,
  last_error_message text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint habits_skill_fkey foreign key (organization_id, skill_id)
    references public.skills (organization_id, id) on delete cascade,
  constraint habits_next_run_check check (is_active or next_run_at is null)
);
create index habits_list_idx on public.habits (organization_id, is_active desc, next_run_at, id);
create index habits_skill_idx on public.habits (organization_id, skill_id);
create index habits_due_idx on public.habits (next_run_at) where is_active;

create table public.reflexes (
  id uuid constraint reflexes_pkey primary key default gen_random_uuid(),
  organization_id uuid not null,
  skill_id uuid not null,
  user_id uuid not null,
  trigger_type text not null
    constraint reflexes_trigger_check check (
      trigger_type in ('webhook', 'email', 'file_change', 'api_call', 'schedule', 'event')
    ),
  trigger_config jsonb not null default '{}'::jsonb,
  conditions jsonb,
  is_active boolean not null default true,
  trigger_count bigint not null default 0,
  last_triggered_at timestamptz,
  consecutive_failures integer not null default 0,
  last_error_message text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint reflexes_skill_fkey foreign key (organization_id, skill_id)
    references public.skills (organization_id, id) on delete cascade
);
create index reflexes_list_idx on public.reflexes (organization_id, is_active desc, last_triggered_at desc, id);
create index reflexes_skill_idx on public.reflexes (organization_id, skill_id);

revoke all on public.habits, public.reflexes from anon, authenticated;
grant select, insert, delete on public.habits, public.reflexes to authenticated;
-- Whose they are never changes, and their counts are the scheduler's.
grant update (
    skill_id, schedule_cron, schedule_description, timezone, config, is_active, next_run_at, consecutive_failures,
    last_error_message, updated_at
  ) on public.habits to authenticated;
grant update (
    skill_id, trigger_type, trigger_config, conditions, is_active, consecutive_failures, last_error_message, updated_at
  ) on public.reflexes to authenticated;
grant all on public.habits, public.reflexes to service_role;

alter table public.habits enable row level security;
alter table public.habits force row level security;
create policy habits_select on public.habits for select to authenticated
  using (organization_id = (select kijko.current_org()));
create policy habits_insert on public.habits for insert to authenticated
  with check (organization_id = (select kijko.current_org()) and user_id = (select auth.uid()));
create policy habits_update on public.habits for update to authenticated
  using (
    organization_id = (select kijko.current_org())
    and (user_id = (select auth.uid()) or (select kijko.is_manager()))
  )
  with check (organization_id = (select kijko.current_org()));
create policy habits_delete on public.habits for delete to authenticated
  using (
    organization_id = (select kijko.current_org())
    and (user_id = (select auth.uid()) or (select kijko.is_manager()))
  );

alter table public.reflexes enable row level security;
alter table public.reflexes force row level security;
create policy reflexes_select on public.reflexes for select to authenticated
  using (organization_id = (select kijko.current_org()));
create policy reflexes_insert on public.reflexes for insert to authenticated
  with check (organization_id = (select kijko.current_org()) and user_id = (select auth.uid()));
create policy reflexes_update on public.reflexes for update to authenticated
  using (
    organization_id = (select kijko.current_org())
    and (user_id = (select auth.uid()) or (select kijko.is_manager()))
  )
  with check (organization_id = (select kijko.current_org()));
create policy reflexes_delete on public.reflexes for delete to authenticated
  using (
    organization_id = (select kijko.current_org())
    and (user_id = (select auth.uid()) or (select kijko.is_manager()))
  );
