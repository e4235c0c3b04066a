-- Skills, their immutable versions, and executions. An execution row is the job itself: a worker claims it with a
-- lease, and a message to the worker is only a nudge.

create table public.skills (
  id uuid constraint skills_pkey primary key default gen_random_uuid(),
  organization_id uuid not null
    constraint skills_organization_fkey references public.organizations (id) on delete cascade,
  user_id uuid not null,
  name text not null constraint skills_name_check check (char_length(name) between 2 and 100),
  description text,
  category text not null default 'custom'
    constraint skills_category_check check (
      category in ('analysis', 'generation', 'transformation', 'communication', 'automation', 'custom')
    ),
  prompt_template text not null,
  model text not null,
  parameters jsonb not null default '{}'::jsonb,
  input_schema jsonb,
  output_format text not null default 'markdown'
    constraint skills_output_format_check check (output_format in ('markdown', 'json', 'text', 'html', 'code')),
  context jsonb,
  version integer not null default 1,
  is_active boolean not null default true,
  execution_count bigint not null default 0,
  last_executed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint skills_tenant_key unique (organization_id, id)
);
comment on column public.skills.execution_count is 'Executions that have ended; written with their results.';
create unique index skills_name_key on public.skills (organization_id, user_id, lower(name));
create index skills_updated_idx on public.skills (organization_id, updated_at desc, id);

create table public.skill_versions (
  organization_id uuid not null,
  skill_id uuid not null,
  version integer not null constraint skill_versions_version_check check (version >= 1),
  prompt_template text not null,
  model text not null,
  parameters jsonb not null,
  input_schema jsonb,
  output_format text not null,
  context jsonb,
  created_at timestamptz not null default now(),
  created_by uuid not null,
  constraint skill_versions_pkey primary key (organization_id, skill_id, version),
  constraint skill_versions_skill_fkey foreign key (organization_id, skill_id)
    references public.skills (organization_id, id) on delete cascade
);

create table public.executions (
  id uuid constraint executions_pkey primary key default gen_random_uuid(),
  organization_id uuid not null,
  skill_id uuid not null,
  skill_version integer not null,
  user_id uuid not null,
  execution_type text not null default 'manual'
    constraint executions_type_check check (execution_type in ('manual', 'habit', 'reflex', 'api')),
  reference_id uuid,
  retry_of uuid,
  input jsonb not null default '{}'::jsonb,
  context jsonb,
  status text not null default 'pending'
    constraint executions_status_check check (status in ('pending', 'running', 'completed', 'failed', 'cancelled')),
  model text not null,
  rendered_prompt text,
  output text,
  prompt_tokens bigint,
  completion_tokens bigint,
  cost_cents numeric,
  duration_ms bigint,
  error_code text,
  error_message text,
  citations jsonb,
  request_id text,
  attempts integer not null default 0,
  model_ran boolean not null default false,
  available_at timestamptz not null default now(),
  lease_owner uuid,
  lease_expires_at timestamptz,
  executed_at timestamptz not null default now(),
  started_at timestamptz,
  completed_at timestamptz,
  constraint executions_skill_fkey foreign key (organization_id, skill_id)
    references public.skills (organization_id, id) on delete cascade,
  constraint executions_version_fkey foreign key (organization_id, skill_id, skill_version)
    references public.skill_versions (organization_id, skill_id, version) on delete cascade,
  constraint executions_lease_check check ((status = 'running') = (lease_owner is not null)),
  constraint executions_ended_check check (
    (status in ('completed', 'failed', 'cancelled')) = (completed_at is not null)
  )
);
create index executions_newest_idx on public.executions (organization_id, executed_at desc, id desc);
create index executions_skill_idx on public.executions (organization_id, skill_id, executed_at desc, id desc);
create index executions_version_idx on public.executions (organization_id, skill_id, skill_version);
-- The queue: small, since a row leaves both indexes when it ends.
create index executions_pending_idx on public.executions (available_at, id) where status = 'pending';
create index executions_lease_idx on public.executions (lease_expires_at) where status = 'running';

revoke all on public.skills, public.skill_versions, public.executions from anon, authenticated;
grant select, delete on public.skills to authenticated;
-- Whose a skill is never changes, and its counts are the worker's.
grant insert (
    id, organization_id, user_id, name, description, category, prompt_template, model, parameters, input_schema,
    output_format, context, is_active
  ) on public.skills to authenticated;
grant update (
    name, description, category, prompt_template, model, parameters, input_schema, output_format, context, version,
    is_active, updated_at
  ) on public.skills to authenticated;
grant select, insert on public.skill_versions to authenticated;
-- A run is asked for through kijko.request_execution, which takes its quota; results are the worker's.
grant select on public.executions to authenticated;
grant all on public.skills, public.skill_versions, public.executions to service_role;

alter table public.skills enable row level security;
alter table public.skills force row level security;
create policy skills_select on public.skills for select to authenticated
  using (organization_id = (select kijko.current_org()));
create policy skills_insert on public.skills for insert to authenticated
  with check (organization_id = (select kijko.current_org()) and user_id = (select auth.uid()));
create policy skills_update on public.skills for update to authenticated
  using (
    organization_id = (select kijko.current_org())
    and (user_id = (select auth.uid()) or (select kijko.is_manager()))
  )
  with check (organization_id = (select kijko.current_org()));
create policy skills_delete on public.skills for delete to authenticated
  using (
    organization_id = (select kijko.current_org())
    and (user_id = (select auth.uid()) or (select kijko.is_manager()))
  );

alter table public.skill_versions enable row level security;
alter table public.skill_versions force row level security;
create policy skill_versions_select on public.skill_versions for select to authenticated
  using (organization_id = (select kijko.current_org()));
-- Version 1 is written along with its skill, which no policy can see yet; every skill has it, so nobody adds it later.
create policy skill_versions_insert on public.skill_versions for insert to authenticated
  with check (
    organization_id = (select kijko.current_org())
    and created_by = (select auth.uid())
    and (
      version = 1
      or (select kijko.is_manager())
      or exists (select from public.skills s where s.id = skill_id and s.user_id = (select auth.uid()))
    )
  );

alter table public.executions enable row level security;
alter table public.executions force row level security;
create policy executions_select on public.executions for select to authenticated
  using (organization_id = (select kijko.current_org()));
