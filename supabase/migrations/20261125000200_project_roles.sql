-- Who may what in a project. The matrix stands in kijko.project_actions and nowhere else; policies and functions ask it.
--
-- An organization's owners and admins may all in every project. A project's maker is its first admin member, and what
-- they may hangs on that membership alone, so it ends with it. A shared project is read by the whole organization.

create function kijko.project_actions(role text) returns text[]
  language sql immutable set search_path = ''
as $$
  select case role
    when 'admin' then '{read,audit,source,edit,invite,name_admin,delete}'
    when 'manager' then '{read,audit,source,edit,invite}'
    when 'developer' then '{read,source}'
    when 'auditor' then '{read,audit}'
    when 'viewer' then '{read}'
    else '{}'
  end::text[]
$$;
comment on function kijko.project_actions(text) is
  'What a role may in a project: read it; audit: its entries of the audit log; source: its sources and ingestions; '
  'edit: its name, settings and privacy; invite: members below admin; name_admin; delete.';
revoke execute on function kijko.project_actions(text) from public, anon, authenticated;
grant execute on function kijko.project_actions(text) to authenticated, service_role;

create function kijko.project_roles(action text) returns text[]
  language sql immutable set search_path = ''
as $$
  select array(
    select r
    from unnest('{admin,manager,developer,viewer,auditor}'::text[]) r
    where action = any (kijko.project_actions(r))
  )
$$;
comment on function kijko.project_roles(text) is 'The roles that allow an action: asked once, and not for each membership.';
revoke execute on function kijko.project_roles(text) from public, anon, authenticated;
grant execute on function kijko.project_roles(text) to authenticated, service_role;

create function kijko.memberships_where(action text) returns setof uuid
  language plpgsql stable security definer set search_path = ''
as $$
declare
  roles constant text[] := kijko.project_roles(action);
begin
  return query
    select m.project_id
    from public.project_members m
    where m.user_id = auth.uid()
      and m.accepted_at is not null
      and m.organization_id = (select kijko.current_org())
      and m.role = any (roles);
end
$$;
comment on function kijko.memberships_where(text) is
  'The projects of the active organization in which the caller''s own membership allows an action.';
revoke execute on function kijko.memberships_where(text) from public, anon, authenticated;
grant execute on function kijko.memberships_where(text) to authenticated;

create function kijko.projects_where(action text) returns setof uuid
  language plpgsql stable security definer set search_path = ''
as $$
declare
  organization constant uuid := kijko.current_org();
  by_all constant boolean := action = any (kijko.project_actions('viewer'));
begin
  if kijko.is_manager() then
    return query
      select p.id
      from public.projects p
      where p.organization_id = organization and action = any (kijko.project_actions('admin'));
    return;
  end if;
  return query
    select kijko.memberships_where(action)
    union
    select p.id from public.projects p where by_all and p.organization_id = organization and p.privacy = 'shared';
end
$$;
comment on function kijko.projects_where(text) is
  'The projects of the active organization in which the caller may do that: owners and admins all; whoever is not a '
  'member may do in a shared one what a viewer may.';
revoke execute on function kijko.projects_where(text) from public, anon, authenticated;
grant execute on function kijko.projects_where(text) to authenticated;

create function kijko.actions_of(person uuid, organization uuid, project uuid) returns text[]
  language sql stable security definer set search_path = ''
as $$
  select case
    when o.role in ('owner', 'admin') then kijko.project_actions('admin')
    else array(
      select unnest(kijko.project_actions(m.role))
      from public.project_members m
      where m.user_id = person
        and m.project_id = project
        and m.organization_id = organization
        and m.accepted_at is not null
      union
      select unnest(kijko.project_actions('viewer')) where p.privacy = 'shared'
    )
  end
  from public.projects p
  join public.memberships o on o.organization_id = p.organization_id
  where p.id = project and p.organization_id = organization and o.user_id = person
$$;
comment on function kijko.actions_of(uuid, uuid, uuid) is
  'What a person may in a project: nothing at all, or null, where it is not there for them.';
revoke execute on function kijko.actions_of(uuid, uuid, uuid) from public, anon, authenticated;
grant execute on function kijko.actions_of(uuid, uuid, uuid) to service_role;

create function kijko.my_actions(project uuid) returns text[]
  language sql stable security definer set search_path = ''
as $$ select coalesce(kijko.actions_of(auth.uid(), kijko.current_org(), project), '{}') $$;
comment on function kijko.my_actions(uuid) is 'What the caller may in a project of the active organization.';
revoke execute on function kijko.my_actions(uuid) from public, anon, authenticated;
grant execute on function kijko.my_actions(uuid) to authenticated;

create function kijko.can_read_project(person uuid, project uuid) returns boolean
  language sql stable security definer set search_path = ''
as $$
  select coalesce((
    select 'read' = any (kijko.actions_of(person, p.organization_id, p.id)) from public.projects p where p.id = project
  ), false)
$$;
comment on function kijko.can_read_project(uuid, uuid) is
  'Whether a person may read a project now, for who works in their name without a request of theirs.';
revoke execute on function kijko.can_read_project(uuid, uuid) from public, anon, authenticated;
grant execute on function kijko.can_read_project(uuid, uuid) to service_role;

-- ---- the maker is the first admin ----------------------------------------------------------------------------------

create function kijko.admit_maker() returns trigger
  language plpgsql security definer set search_path = ''
as $$
begin
  insert into public.project_members (organization_id, project_id, user_id, email, role, accepted_at)
  select new.organization_id, new.id, u.id, u.email, 'admin', now()
  from public.users u
  where u.id = new.user_id;
  return null;
end
$$;
revoke execute on function kijko.admit_maker() from public, anon, authenticated;
create trigger projects_maker after insert on public.projects
  for each row execute function kijko.admit_maker();

insert into public.project_members (organization_id, project_id, user_id, email, role, accepted_at)
select p.organization_id, p.id, u.id, u.email, 'admin', p.created_at
from public.projects p
join public.users u on u.id = p.user_id
on conflict (project_id, lower(email)) do update
  set user_id = excluded.user_id,
    role = 'admin',
    accepted_at = coalesce(project_members.accepted_at, excluded.accepted_at);

-- ---- what the server counts is the server's ------------------------------------------------------------------------

-- Whose connection reads a private repository: of the one who added it.
alter table public.project_repositories add column user_id uuid;

-- With and without .git it is the same repository.
drop index public.project_repositories_url_key;
create unique index project_repositories_url_key
  on public.project_repositories (project_id, regexp_replace(lower(repository_url), '\.git$', ''));

create function kijko.count_repositories() returns trigger
  language plpgsql security definer set search_path = ''
as $$
begin
  if tg_op = 'INSERT' then
    update public.projects set total_repos = total_repos + 1, updated_at = now() where id = new.project_id;
  else
    update public.projects set total_repos = total_repos - 1, updated_at = now() where id = old.project_id;
  end if;
  return null;
end
$$;
revoke execute on function kijko.count_repositories() from public, anon, authenticated;
create trigger project_repositories_count after insert or delete on public.project_repositories
  for each row execute function kijko.count_repositories();

update public.projects p
set total_repos = counted.n
from (select r.project_id, count(*) as n from public.project_repositories r group by r.project_id) counted
where p.id = counted.project_id;

revoke insert, update on public.projects, public.project_repositories from authenticated;
grant insert (
    id, organization_id, user_id, name, description, type, privacy, chunking_strategy, include_metadata,
    anonymize_secrets, settings
  ) on public.projects to authenticated;
grant insert (
    id, organization_id, project_id, user_id, provider, repository_url, repository_name, branch, include_paths,
    exclude_paths
  ) on public.project_repositories to authenticated;
grant update (
    name, description, privacy, chunking_strategy, include_metadata, anonymize_secrets, settings, updated_at
  ) on public.projects to authenticated;
grant update (branch, include_paths, exclude_paths, updated_at) on public.project_repositories to authenticated;

-- ---- the policies, on the matrix -----------------------------------------------------------------------------------
-- An owner or admin is asked for first: their thousands of projects need not be listed to find one.

drop policy projects_select on public.projects;
drop policy projects_update on public.projects;
drop policy projects_delete on public.projects;
create policy projects_select on public.projects for select to authenticated
  using (
    organization_id = (select kijko.current_org())
    and (
      (select kijko.is_manager())
      or privacy = 'shared'
      or id in (select kijko.memberships_where('read'))
    )
  );
create policy projects_update on public.projects for update to authenticated
  using (
    organization_id = (select kijko.current_org())
    and ((select kijko.is_manager()) or id in (select kijko.projects_where('edit')))
  )
  with check (organization_id = (select kijko.current_org()));
create policy projects_delete on public.projects for delete to authenticated
  using (
    organization_id = (select kijko.current_org())
    and ((select kijko.is_manager()) or id in (select kijko.projects_where('delete')))
  );

drop policy project_members_select on public.project_members;
drop policy project_members_insert on public.project_members;
drop policy project_members_update on public.project_members;
drop policy project_members_delete on public.project_members;
create policy project_members_select on public.project_members for select to authenticated
  using (
    organization_id = (select kijko.current_org())
    and ((select kijko.is_manager()) or project_id in (select p.id from public.projects p))
  );
-- Nobody is made a member who is not of the organization; an address without a person is an invitation.
create policy project_members_insert on public.project_members for insert to authenticated
  with check (
    organization_id = (select kijko.current_org())
    and (
      (select kijko.is_manager())
      or project_id in (select kijko.projects_where('name_admin'))
      or (role <> 'admin' and project_id in (select kijko.projects_where('invite')))
    )
    and (user_id is null or user_id in (select kijko.colleagues()))
  );
-- Only who may name an admin touches one.
create policy project_members_update on public.project_members for update to authenticated
  using (
    organization_id = (select kijko.current_org())
    and (
      (select kijko.is_manager())
      or project_id in (select kijko.projects_where('name_admin'))
      or (role <> 'admin' and project_id in (select kijko.projects_where('invite')))
    )
  )
  with check (
    organization_id = (select kijko.current_org())
    and (
      (select kijko.is_manager())
      or role <> 'admin'
      or project_id in (select kijko.projects_where('name_admin'))
    )
  );
create policy project_members_delete on public.project_members for delete to authenticated
  using (
    organization_id = (select kijko.current_org())
    and (
      (select kijko.is_manager())
      or user_id = (select auth.uid())
      or project_id in (select kijko.projects_where('name_admin'))
      or (role <> 'admin' and project_id in (select kijko.projects_where('invite')))
    )
  );

drop policy project_repositories_select on public.project_repositories;
drop policy project_repositories_insert on public.project_repositories;
drop policy project_repositories_update on public.project_repositories;
drop policy project_repositories_delete on public.project_repositories;
create policy project_repositories_select on public.project_repositories for select to authenticated
  using (
    organization_id = (select kijko.current_org())
    and ((select kijko.is_manager()) or project_id in (select p.id from public.projects p))
  );
create policy project_repositories_insert on public.project_repositories for insert to authenticated
  with check (
    organization_id = (select kijko.current_org())
    and user_id = (select auth.uid())
    and ((select kijko.is_manager()) or project_id in (select kijko.projects_where('source')))
  );
create policy project_repositories_update on public.project_repositories for update to authenticated
  using (
    organization_id = (select kijko.current_org())
    and ((select kijko.is_manager()) or project_id in (select kijko.projects_where('source')))
  )
  with check (organization_id = (select kijko.current_org()));
create policy project_repositories_delete on public.project_repositories for delete to authenticated
  using (
    organization_id = (select kijko.current_org())
    and ((select kijko.is_manager()) or project_id in (select kijko.projects_where('source')))
  );

drop function kijko.projects_led_as(text[]);
drop function kijko.my_projects();

-- ---- lists ---------------------------------------------------------------------------------------------------------

create index projects_created_idx on public.projects (organization_id, created_at desc, id);
-- All that a search by name looks at and sorts by. It reads an organization's names and no row of the table: the time is
-- the same for one letter as for a word, and what others call their projects costs nothing.
drop index public.projects_name_key;
create unique index projects_name_key on public.projects (organization_id, lower(name))
  include (id, name, privacy, status, type, created_at, updated_at);

create function kijko.find_projects(
    words text, of_status text, of_type text, sorting text, page_size integer, page bigint
  ) returns table (ids uuid[], total bigint)
  language plpgsql stable security definer set search_path = ''
as $$
declare
  organization constant uuid := kijko.current_org();
  managing constant boolean := kijko.is_manager();
  pattern constant text := '%' || regexp_replace(lower(words), '([\\%_])', '\\\1', 'g') || '%';
begin
  return query
    with found as materialized (
      select p.id, lower(p.name) as name, p.created_at, p.updated_at
      from public.projects p
      where p.organization_id = organization
        and lower(p.name) like pattern
        and (of_status is null or p.status = of_status)
        and (of_type is null or p.type = of_type)
        and (managing or p.privacy = 'shared' or p.id in (select kijko.memberships_where('read')))
    )
    select
      array(
        select f.id
        from found f
        order by
          case sorting when 'name' then f.name end,
          case sorting when '-name' then f.name end desc,
          case sorting when 'createdAt' then f.created_at when 'updatedAt' then f.updated_at end,
          case sorting when '-createdAt' then f.created_at when '-updatedAt' then f.updated_at end desc,
          case when sorting like '-%' then f.id end,
          f.id desc
        limit page_size offset (page - 1) * page_size
      ),
      (select count(*) from found);
end
$$;
comment on function kijko.find_projects(text, text, text, text, integer, bigint) is
  'A page of the projects of the active organization that the caller may read and whose name has the text in it, ignoring '
  'case, and how many there are. `like` is not leakproof: in a query of the caller''s own its index would go unused.';
revoke execute on function kijko.find_projects(text, text, text, text, integer, bigint) from public, anon, authenticated;
grant execute on function kijko.find_projects(text, text, text, text, integer, bigint) to authenticated;

create function kijko.project_name_taken(wanted_name text, except_project uuid) returns boolean
  language sql stable security definer set search_path = ''
as $$
  select exists (
    select
    from public.projects p
    where p.organization_id = (select kijko.current_org())
      and lower(p.name) = lower(wanted_name)
      and p.id is distinct from except_project
  )
$$;
comment on function kijko.project_name_taken(text, uuid) is
  'Whether another project of the active organization has that name, ignoring case; also one the caller cannot see.';
revoke execute on function kijko.project_name_taken(text, uuid) from public, anon, authenticated;
grant execute on function kijko.project_name_taken(text, uuid) to authenticated;
