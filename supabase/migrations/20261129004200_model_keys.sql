-- Organizations' own keys at model providers, encrypted: each under a data key of its own, which is wrapped by a master
-- key that the database never sees. People may know that there is one; only the worker reads what is sealed.

create table public.model_keys (
  organization_id uuid not null
    constraint model_keys_organization_fkey references public.organizations (id) on delete cascade,
  provider text not null
    constraint model_keys_provider_check check (provider in ('anthropic', 'google', 'openai')),
  version uuid not null,
  master_id text not null,
  wrapped_key bytea not null,
  sealed_key bytea not null,
  hint text not null constraint model_keys_hint_check check (char_length(hint) <= 4),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint model_keys_pkey primary key (organization_id, provider)
);
comment on table public.model_keys is
  'An organization''s own key at a provider: sealed_key under a data key, that as wrapped_key under the master of '
  'master_id, both bound to organization and provider. A new key is a new version.';
create index model_keys_master_idx on public.model_keys (master_id);

revoke all on public.model_keys from anon, authenticated;
grant select (organization_id, provider, hint, created_at, updated_at) on public.model_keys to authenticated;
grant delete on public.model_keys to authenticated;
grant all on public.model_keys to service_role;

alter table public.model_keys enable row level security;
alter table public.model_keys force row level security;
create policy model_keys_select on public.model_keys for select to authenticated
  using (organization_id = (select kijko.current_org()) and (select kijko.is_manager()));
create policy model_keys_delete on public.model_keys for delete to authenticated
  using (organization_id = (select kijko.current_org()) and (select kijko.is_manager()));

create function kijko.put_model_key(
  provider text, version uuid, master_id text, wrapped bytea, sealed bytea, hint text
) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if not kijko.is_manager() then
    raise exception 'not an owner or admin' using errcode = '42501';
  end if;
  insert into public.model_keys (organization_id, provider, version, master_id, wrapped_key, sealed_key, hint)
  values (
    kijko.current_org(), put_model_key.provider, put_model_key.version, put_model_key.master_id, wrapped, sealed,
    put_model_key.hint
  )
  on conflict on constraint model_keys_pkey do update
  set version = excluded.version, master_id = excluded.master_id, wrapped_key = excluded.wrapped_key,
    sealed_key = excluded.sealed_key, hint = excluded.hint, updated_at = clock_timestamp();
end
$$;
comment on function kijko.put_model_key(text, uuid, text, bytea, bytea, text) is
  'Keeps a sealed key of the active organization for a provider, in the place of an earlier one. For owners and admins.';
revoke execute on function kijko.put_model_key(text, uuid, text, bytea, bytea, text) from public, anon, authenticated;
grant execute on function kijko.put_model_key(text, uuid, text, bytea, bytea, text) to authenticated;

create function kijko.providers_with_key() returns setof text
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select k.provider from public.model_keys k where k.organization_id = kijko.current_org() order by k.provider;
end
$$;
comment on function kijko.providers_with_key() is
  'The providers at which the active organization has a key of its own: for every member, who may use it.';
revoke execute on function kijko.providers_with_key() from public, anon, authenticated;
grant execute on function kijko.providers_with_key() to authenticated;
