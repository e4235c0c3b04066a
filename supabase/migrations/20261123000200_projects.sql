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
    where m.user_id = auth.uid()
      and m.accepted_at is not null
      and m.organization_id = (select kijko.current_org());
end
$$;
comment on function kijko.my_projects() is 'The projects of the active organization that the caller is a member of.';
revoke execute on function kijko.my_projects() from public, anon, authenticated;
grant execute on function kijko.my_projects() to authenticated;

create function kijko.projects_led_as(roles text[]) returns setof uuid
  language plpgsql stable security definer set search_path = ''
as $$
declare
  organization constant uuid := kijko.current_org();
  person constant uuid := auth.uid();
begin
  if kijko.is_manager() then
    return query select p.id from public.projects p where p.organization_id = organization;
    return;
  end if;
  return query
    select p.id from public.projects p where p.organization_id = organization and p.user_id = person
    union
    select m.project_id
    from public.project_members m
    where m.organization_id = organization
      and m.user_id = person
      and m.accepted_at is not null
      and m.role = any (roles);
end
$$;
comment on function kijko.projects_led_as(text[]) is
  'The projects of the active organization in which the caller has one of these roles; its maker and the '
  'organization''s managers have every role.';
revoke execute on function kijko.projects_led_as(text[]) from public, anon, authenticated;
grant execute on function kijko.projects_led_as(text[]) to authenticated;

revoke all on public.projects, public.project_members, public.project_repositories from anon, authenticated;
grant select, insert, delete on public.projects, public.project_members, public.project_repositories to authenticated;
-- Whose a row is and where it belongs never changes.
grant update (
    name, description, type, status, privacy, chunking_strategy, include_metadata, anonymize_secrets, settings,
    total_repos, total_files, original_tokens, optimized_tokens, ingestion_time_seconds, updated_at
  ) on public.projects to authenticated;
grant update (
    role, notify_on_ingestion, notify_on_error, notify_on_team_changes, notification_level, invited_at
  ) on public.project_members to authenticated;
grant update (
    branch, status, last_sync_at, last_commit_hash, file_count, include_paths, exclude_paths, updated_at
  ) on public.project_repositories to authenticated;
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
    and id in (select kijko.projects_led_as('{admin,manager,developer}'))
  )
  with check (organization_id = (select kijko.current_org()));
create policy projects_delete on public.projects for delete to authenticated
  using (
    organization_id = (select kijko.current_org())
    and id in (select kijko.projects_led_as('{admin}'))
  );

-- What hangs on a project is seen by whoever sees the project. Its admins and managers change who is in it, and only
-- admins touch an admin; developers change its sources too.
alter table public.project_members enable row level security;
alter table public.project_members force row level security;
create policy project_members_select on public.project_members for select to authenticated
  using (
    organization_id = (select kijko.current_org())
    and project_id in (select p.id from public.projects p)
  );
-- Nobody is made a member who is not of the organization; an address without a person is an invitation.
create policy project_members_insert on public.project_members for insert to authenticated
  with check (
    organization_id = (select kijko.current_org())
    and (
      project_id in (select kijko.projects_led_as('{admin}'))
      or (role <> 'admin' and project_id in (select kijko.projects_led_as('{admin,manager}')))
    )
    and (user_id is null or user_id in (select kijko.colleagues()))
  );
create policy project_members_update on public.project_members for update to authenticated
  using (
    organization_id = (select kijko.current_org())
    and (
      project_id in (select kijko.projects_led_as('{admin}'))
      or (role <> 'admin' and project_id in (select kijko.projects_led_as('{admin,manager}')))
    )
  )
  with check (
    organization_id = (select kijko.current_org())
    and (role <> 'admin' or project_id in (select kijko.projects_led_as('{admin}')))
  );
create policy project_members_delete on public.project_members for delete to authenticated
  using (
    organization_id = (select kijko.current_org())
    and (
      user_id = (select auth.uid())
      or project_id in (select kijko.projects_led_as('{admin}'))
      or (role <> 'admin' and project_id in (select kijko.projects_led_as('{admin,manager}')))
    )
  );

alter table public.project_repositories enable row level security;
alter table public.project_repositories force row level security;
create policy project_repositories_select on public.project_repositories for select to authenticated
  using (
    organization_id = (select kijko.current_org())
    and project_id in (select p.id from public.projects p)
  );
create policy project_repositories_insert on public.project_repositories for insert to authenticated
  with check (
    organization_id = (select kijko.current_org())
    and project_id in (select kijko.projects_led_as('{admin,manager,developer}'))
  );
create policy project_repositories_update on public.project_repositories for update to authenticated
  using (
    organization_id = (select kijko.current_org())
    and project_id in (select kijko.projects_led_as('{admin,manager,developer}'))
  )
  with check (organization_id = (select kijko.current_org()));
create policy project_repositories_delete on public.project_repositories for delete to authenticated
  using (
    organization_id = (select kijko.current_org())
    and project_id in (select kijko.projects_led_as('{admin,manager,developer}'))
  );
