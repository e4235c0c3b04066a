-- Who is who: people, organizations, memberships, ended sessions, and the wall between organizations.
--
-- Every request runs as `authenticated` with two settings of its transaction: request.jwt.claims (so that auth.uid()
-- answers) and app.current_org_id. Anyone who speaks SQL may set a setting, so no policy believes it: the organization
-- counts only where auth.uid() is a member of it. Roles anon, authenticated and service_role are the platform's
-- (Supabase, or the local bootstrap); the two logins made here own nothing and bypass nothing.

do $$
begin
  if not exists (select from pg_roles where rolname = 'kijko_api') then
    create role kijko_api nologin noinherit;
  end if;
  if not exists (select from pg_roles where rolname = 'kijko_worker') then
    create role kijko_worker nologin noinherit;
  end if;
end
$$;
grant authenticated to kijko_api;
-- The worker and the scheduler serve every organization; they become service_role for one transaction at a time.
grant service_role to kijko_worker;

create schema kijko;
revoke all on schema kijko from public;
grant usage on schema kijko to authenticated, service_role, kijko_api, kijko_worker;
-- Supabase grants execute on new functions to its API roles; here each function names its callers itself.
alter default privileges in schema kijko revoke execute on functions from public, anon, authenticated, service_role;
alter default privileges revoke execute on functions from public;
-- The same for what is in public: a table, and the sequence behind an identity column, begins closed to the API's roles.
alter default privileges in schema public revoke all on tables from anon, authenticated;
alter default privileges in schema public revoke all on sequences from anon, authenticated;
alter default privileges in schema public revoke execute on functions from anon, authenticated, service_role;
-- Types are looked up in the temporary schema before any other, an empty search_path or not. Whoever may make a type
-- there named `uuid`, with a check of their own, has that check run by a SECURITY DEFINER function as its owner.
do $$
begin
  execute format('revoke temporary on database %I from public', current_database());
end
$$;

create table public.users (
  id uuid constraint users_pkey primary key,
  email text not null,
  first_name text not null default '',
  last_name text not null default '',
  email_verified boolean not null default false,
  default_organization_id uuid,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.users is 'A person, by the sign-in server''s subject. The password and the sessions live there.';
create index users_email_idx on public.users (lower(email));

create table public.organizations (
  id uuid constraint organizations_pkey primary key default gen_random_uuid(),
  name text not null constraint organizations_name_check check (char_length(name) between 1 and 100),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
comment on table public.organizations is 'The tenant: all that is paid for and all that is kept belongs to one.';

create table public.memberships (
  organization_id uuid not null
    constraint memberships_organization_fkey references public.organizations (id) on delete cascade,
  user_id uuid not null constraint memberships_user_fkey references public.users (id) on delete cascade,
  role text not null constraint memberships_role_check check (role in ('owner', 'admin', 'member')),
  joined_at timestamptz not null default now(),
  constraint memberships_pkey primary key (user_id, organization_id)
);
create index memberships_organization_idx on public.memberships (organization_id, user_id);

alter table public.users
  add constraint users_default_organization_fkey
  foreign key (default_organization_id) references public.organizations (id) on delete set null;
create index users_default_organization_idx on public.users (default_organization_id);

create table public.ended_sessions (
  session_id text constraint ended_sessions_pkey primary key,
  user_id uuid,
  ended_at timestamptz not null default now(),
  expires_at timestamptz not null
);
comment on table public.ended_sessions is
  'Sessions whose access tokens are refused though they have not expired. A row may go once expires_at has passed.';
create index ended_sessions_expires_idx on public.ended_sessions (expires_at);

-- Access tokens issued before this instant are refused: a password change or a removal ends all at once.
create table public.session_cutoffs (
  user_id uuid constraint session_cutoffs_pkey primary key,
  issued_before timestamptz not null,
  except_session_id text
);

-- ---- the context of a request ------------------------------------------------------------------------------------

create function kijko.current_org() returns uuid
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return (
    select m.organization_id
    from public.memberships m
    where m.user_id = auth.uid()
      and m.organization_id = nullif(current_setting('app.current_org_id', true), '')::uuid
  );
end
$$;
comment on function kijko.current_org() is
  'The active organization, or null unless auth.uid() is a member of it. Policies compare with this and nothing else.';
revoke execute on function kijko.current_org() from public, anon, authenticated;
grant execute on function kijko.current_org() to authenticated;

create function kijko.current_role() returns text
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return (
    select m.role
    from public.memberships m
    where m.user_id = auth.uid()
      and m.organization_id = nullif(current_setting('app.current_org_id', true), '')::uuid
  );
end
$$;
comment on function kijko.current_role() is 'The caller''s role in the active organization: owner, admin, member or null.';
revoke execute on function kijko.current_role() from public, anon, authenticated;
grant execute on function kijko.current_role() to authenticated;

create function kijko.is_manager() returns boolean
  language sql stable set search_path = ''
as $$ select coalesce(kijko.current_role() in ('owner', 'admin'), false) $$;
comment on function kijko.is_manager() is 'Whether the caller is an owner or admin of the active organization.';
revoke execute on function kijko.is_manager() from public, anon, authenticated;
grant execute on function kijko.is_manager() to authenticated;

create function kijko.colleagues() returns setof uuid
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query select m.user_id from public.memberships m where m.organization_id = (select kijko.current_org());
end
$$;
comment on function kijko.colleagues() is 'The members of the caller''s active organization.';
revoke execute on function kijko.colleagues() from public, anon, authenticated;
grant execute on function kijko.colleagues() to authenticated;

create function kijko.enter(subject uuid, session text, issued timestamptz, wanted uuid, chosen boolean) returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  organization uuid;
begin
  if exists (select from public.ended_sessions e where e.session_id = session)
    or exists (
      select from public.session_cutoffs c
      where c.user_id = subject
        and issued < c.issued_before
        and (session is null or c.except_session_id is distinct from session)
    )
  then
    raise exception 'the session has ended' using errcode = 'KJ401';
  end if;
  select m.organization_id into organization
  from public.memberships m
  where m.user_id = subject and m.organization_id = wanted;
  if organization is null then
    if chosen then
      raise exception 'no such organization' using errcode = 'KJ404';
    end if;
    select m.organization_id into organization
    from public.memberships m
    join public.users u on u.id = m.user_id
    where m.user_id = subject
    order by m.organization_id = u.default_organization_id desc nulls last, m.joined_at, m.organization_id
    limit 1;
  end if;
  perform set_config('app.current_org_id', coalesce(organization::text, ''), true);
  return organization;
end
$$;
comment on function kijko.enter(uuid, text, timestamptz, uuid, boolean) is
  'Begins a request: refuses an ended session (KJ401) and a chosen organization that is not the subject''s (KJ404), '
  'else sets app.current_org_id for this transaction: the wanted one, the default one, or the first joined.';
revoke execute on function kijko.enter(uuid, text, timestamptz, uuid, boolean) from public, anon, authenticated;
grant execute on function kijko.enter(uuid, text, timestamptz, uuid, boolean) to kijko_api;

-- ---- the wall ----------------------------------------------------------------------------------------------------

revoke all on public.users, public.organizations, public.memberships, public.ended_sessions, public.session_cutoffs
  from anon, authenticated;
grant select on public.users, public.organizations, public.memberships to authenticated;
grant update (name, updated_at) on public.organizations to authenticated;
grant update (first_name, last_name, updated_at) on public.users to authenticated;
grant all on public.users, public.organizations, public.memberships, public.ended_sessions, public.session_cutoffs
  to service_role;

alter table public.users enable row level security;
alter table public.users force row level security;
create policy users_select on public.users for select to authenticated
  using (id = (select auth.uid()) or id in (select kijko.colleagues()));
create policy users_update on public.users for update to authenticated
  using (id = (select auth.uid())) with check (id = (select auth.uid()));

alter table public.organizations enable row level security;
alter table public.organizations force row level security;
create policy organizations_select on public.organizations for select to authenticated
  using (id = (select kijko.current_org()));
create policy organizations_update on public.organizations for update to authenticated
  using (id = (select kijko.current_org()) and (select kijko.is_manager()))
  with check (id = (select kijko.current_org()));

alter table public.memberships enable row level security;
alter table public.memberships force row level security;
create policy memberships_select on public.memberships for select to authenticated
  using (organization_id = (select kijko.current_org()) or user_id = (select auth.uid()));

-- No policy: only the functions below and the system roles touch these.
alter table public.ended_sessions enable row level security;
alter table public.ended_sessions force row level security;
alter table public.session_cutoffs enable row level security;
alter table public.session_cutoffs force row level security;

-- ---- before a tenant is known: sign-in ---------------------------------------------------------------------------

create function kijko.end_session(session text, subject uuid, seconds integer) returns void
  language sql volatile security definer set search_path = ''
as $$
  insert into public.ended_sessions (session_id, user_id, expires_at)
  values (session, subject, now() + make_interval(secs => seconds))
  on conflict (session_id) do update set expires_at = greatest(ended_sessions.expires_at, excluded.expires_at)
$$;
comment on function kijko.end_session(text, uuid, integer) is 'Refuses that session''s access tokens for so many seconds.';
revoke execute on function kijko.end_session(text, uuid, integer) from public, anon, authenticated;
grant execute on function kijko.end_session(text, uuid, integer) to kijko_api, service_role;

create function kijko.end_sessions_before(subject uuid, instant timestamptz, except_session text) returns void
  language sql volatile security definer set search_path = ''
as $$
  insert into public.session_cutoffs as c (user_id, issued_before, except_session_id)
  values (subject, instant, except_session)
  on conflict (user_id) do update
    set issued_before = excluded.issued_before, except_session_id = excluded.except_session_id
    where c.issued_before <= excluded.issued_before
$$;
comment on function kijko.end_sessions_before(uuid, timestamptz, text) is
  'Refuses every access token of that person issued before the instant, but for one session''s. Tokens carry whole '
  'seconds. An earlier instant than the one that stands changes nothing.';
revoke execute on function kijko.end_sessions_before(uuid, timestamptz, text) from public, anon, authenticated;
grant execute on function kijko.end_sessions_before(uuid, timestamptz, text) to kijko_api, service_role;
