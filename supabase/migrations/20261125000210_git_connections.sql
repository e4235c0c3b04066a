-- Accounts at git providers that people have connected, so that private repositories can be read. A connection is the
-- person's, in every organization of theirs; its tokens are kept encrypted, by the API and the worker.

create table public.git_connections (
  user_id uuid not null constraint git_connections_user_fkey references public.users (id) on delete cascade,
  provider text not null
    constraint git_connections_provider_check check (provider in ('github', 'gitlab', 'bitbucket', 'azure')),
  username text not null,
  avatar_url text,
  scope text[] not null default '{}',
  tokens bytea not null,
  expires_at timestamptz,
  renewing_until timestamptz,
  connected_at timestamptz not null default now(),
  constraint git_connections_pkey primary key (user_id, provider)
);
comment on column public.git_connections.renewing_until is
  'A refresh token works once: whoever renews holds the row until then, and the others wait for what it brings.';

create table public.git_authorizations (
  state_hash bytea constraint git_authorizations_pkey primary key,
  user_id uuid not null constraint git_authorizations_user_fkey references public.users (id) on delete cascade,
  provider text not null,
  secret bytea not null,
  expires_at timestamptz not null
);
comment on table public.git_authorizations is
  'People who were sent to a provider and have not come back: a state works once, for the person it was made for.';
create index git_authorizations_user_idx on public.git_authorizations (user_id, expires_at);

revoke all on public.git_connections, public.git_authorizations from anon, authenticated;
grant select, insert, delete on public.git_connections, public.git_authorizations to authenticated;
grant update (username, avatar_url, scope, tokens, expires_at, renewing_until, connected_at)
  on public.git_connections to authenticated;
grant all on public.git_connections, public.git_authorizations to service_role;

alter table public.git_connections enable row level security;
alter table public.git_connections force row level security;
create policy git_connections_own on public.git_connections for all to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
alter table public.git_authorizations enable row level security;
alter table public.git_authorizations force row level security;
create policy git_authorizations_own on public.git_authorizations for all to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));

create function kijko.who_may_fetch(repository uuid, starter uuid) returns setof uuid
  language sql stable security definer set search_path = ''
as $$
  select distinct on (c.place) c.id
  from public.project_repositories o
  cross join lateral (values (1, o.user_id), (2, starter)) c (place, id)
  where o.id = repository
    and 'source' = any (kijko.actions_of(c.id, o.organization_id, o.project_id))
  order by c.place
$$;
comment on function kijko.who_may_fetch(uuid, uuid) is
  'Whose connection may read a repository for its project: of the one who added it, then of the one who started the '
  'ingestion, as long as each may change the project''s sources.';
revoke execute on function kijko.who_may_fetch(uuid, uuid) from public, anon, authenticated;
grant execute on function kijko.who_may_fetch(uuid, uuid) to service_role;

-- The repositories that somebody has used: added, or ingested.
create index project_repositories_user_idx on public.project_repositories (organization_id, user_id);
create index ingestions_user_idx on public.ingestions (organization_id, user_id);
