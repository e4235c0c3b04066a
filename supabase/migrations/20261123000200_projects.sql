-- Projects and where their code comes from. A private project is its members' and the organization's managers'.

create table public.projects (
  id uuid constraint projects_pkey primary key default gen_random_uuid(),
  organization_id uuid not null
    constraint projects_organization_fkey references public.organizations (id) on delete cascade,
  user_id uuid not null,
  name text not null constraint projects_name_check check (char_length(name) between 3 and 50),
  description text,
  type text not null constraint projects_type_check check (type in ('repository', 'files', 'manual')),
  status text not null default 'draft'
    constraint projects_status_check check (status in ('draft', 'processing', 'active', 'error')),
  privacy text not null default 'private' constraint projects_privacy_check check (privacy in ('private', 'shared')),
  chunking_strategy text not null default 'semantic'
    constraint projects_chunking_check check (chunking_strategy in ('semantic', 'fixed', 'recursive', 'custom')),
  include_metadata boolean not null default true,
  anonymize_secrets boolean not null default true,
  settings jsonb not null default '{}'::jsonb,
  total_repos integer not null default 0,
  total_files integer not null default 0,
  original_tokens bigint,
  optimized_tokens bigint,
  ingestion_time_seconds numeric,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint projects_tenant_key unique (organization_id, id)
);
create unique index projects_name_key on public.projects (organization_id, lower(name));
create index projects_updated_idx on public.projects (organization_id, updated_at desc, id);

create table public.project_members (
  id uuid constraint project_members_pkey primary key default gen_random_uuid(),
  organization_id uuid not null,
  project_id uuid not null,
  user_id uuid,
  email text not null,
  role text not null
    constraint project_members_role_check check (role in ('admin', 'manager', 'developer', 'viewer', 'auditor')),
  notify_on_ingestion boolean not null default true,
  notify_on_error boolean not null default true,
  notify_on_team_changes boolean not null default true,
  notification_level text not null default 'real-time'
    constraint project_members_level_check check (notification_level in ('real-time', 'daily', 'weekly', 'disabled')),
  invited_at timestamptz not null default now(),
  accepted_at timestamptz,
  last_active_at timestamptz,
  constraint project_members_project_fkey foreign key (organization_id, project_id)
    references public.projects (organization_id, id) on delete cascade
);
create unique index project_members_email_key on public.project_members (project_id, lower(email));
create index project_members_organization_idx on public.project_members (organization_id, project_id);
create index project_members_user_idx on public.project_members (user_id, project_id);

create table public.project_repositories (
  id uuid constraint project_repositories_pkey primary key default gen_random_uuid(),
  organization_id uuid not null,
  project_id uuid not null,
  provider text not null
    constraint project_repositories_provider_check check (provider in ('github', 'gitlab', 'bitbucket', 'azure')),
  repository_url text not null,
  repository_name text not null,
  branch text not null default 'main',
  status text not null default 'pending'
    constraint project_repositories_status_check check (status in ('pending', 'connected', 'syncing', 'error')),
  last_sync_at timestamptz,
  last_commit_hash text,
  file_count integer,
  include_paths text[],
  exclude_paths text[],
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint project_repositories_project_fkey foreign key (organization_id, project_id)
    references public.projects (organization_id, id) on delete cascade
);
create unique index project_repositories_url_key on public.project_repositories (project_id, lower(repository_url));
create index project_repositories_organization_idx on public.project_repositories (organization_id, project_id);

create function kijko.my_projects() returns setof uuid
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select m.project_id
    from public.project_members m
    where m.user_id = auth.uid() and m.accepted_at is not null and m.organization_id = kijko.current_org();
end
$$;
comment on function kijko.my_projects() is 'The projects of the active organization that the caller is a member of.';
revoke execute on function kijko.my_projects() from public, anon, authenticated;
grant execute on function kijko.my_projects() to authenticated;

revoke all on public.projects, public.project_members, public.project_repositories from anon, authenticated;
grant select, insert, update, delete
  on public.projects, public.project_members, public.project_repositories to authenticated;
grant all on public.projects, public.project_members, public.project_repositories to service_role;

alter table public.projects enable row level security;
alter table public.projects force row level security;
create policy projects_select on public.projects for select to authenticated
  using (
    organization_id = (select kijko.current_org())
    and (
      privacy = 'shared'
      or user_id = (select auth.uid())
      or (select kijko.is_manager())
      or id in (select kijko.my_projects())
    )
  );
create policy projects_insert on public.projects for insert to authenticated
  with check (organization_id = (select kijko.current_org()) and user_id = (select auth.uid()));
create policy projects_update on public.projects for update to authenticated
  using (
    organization_id = (select kijko.current_org())
    and (user_id = (select auth.uid()) or (select kijko.is_manager()) or id in (select kijko.my_projects()))
  )
  with check (organization_id = (select kijko.current_org()));
create policy projects_delete on public.projects for delete to authenticated
  using (
    organization_id = (select kijko.current_org())
    and (user_id = (select auth.uid()) or (select kijko.is_manager()))
  );

-- What hangs on a project follows it: seen by whoever sees the project.
alter table public.project_members enable row level security;
alter table public.project_members force row level security;
create policy project_members_all on public.project_members for all to authenticated
  using (
    organization_id = (select kijko.current_org())
    and project_id in (select p.id from public.projects p)
  )
  with check (
    organization_id = (select kijko.current_org())
    and project_id in (select p.id from public.projects p)
  );

alter table public.project_repositories enable row level security;
alter table public.project_repositories force row level security;
create policy project_repositories_all on public.project_repositories for all to authenticated
  using (
    organization_id = (select kijko.current_org())
    and project_id in (select p.id from public.projects p)
  )
  with check (
    organization_id = (select kijko.current_org())
    and project_id in (select p.id from public.projects p)
  );
