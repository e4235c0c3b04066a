-- API keys: bearer tokens of programs. A key acts as its maker in the organization where it was made, within its scopes.
--
-- The secret is kept nowhere; what is kept is its SHA-256. A key hangs on its maker's membership, so that it is gone in
-- the moment in which they are out of the organization, or in which either of the two is deleted.

create table public.api_keys (
  id uuid constraint api_keys_pkey primary key,
  organization_id uuid not null
    constraint api_keys_organization_fkey references public.organizations (id) on delete cascade,
  user_id uuid not null,
  name text not null constraint api_keys_name_check check (char_length(name) between 1 and 100),
  prefix text not null,
  key_hash bytea not null constraint api_keys_hash_key unique,
  scopes text[] not null constraint api_keys_scopes_check check (cardinality(scopes) > 0),
  created_at timestamptz not null default now(),
  last_used_at timestamptz,
  expires_at timestamptz,
  rotated_at timestamptz,
  maker_asked_at timestamptz,
  constraint api_keys_maker_fkey foreign key (user_id, organization_id)
    references public.memberships (user_id, organization_id) on delete cascade
);
comment on table public.api_keys is
  'Keys by which programs act as people. A revoked key has no row; one that has expired keeps it for a while, to be seen. '
  'maker_asked_at: when the sign-in server last said that the maker''s account is not disabled.';
create index api_keys_organization_idx on public.api_keys (organization_id, created_at desc);
create index api_keys_maker_idx on public.api_keys (user_id, organization_id);
create index api_keys_expires_idx on public.api_keys (expires_at);
create index api_keys_used_idx on public.api_keys (last_used_at);

revoke all on public.api_keys from anon, authenticated;
-- Not the hash: nobody needs to read it, and the functions below compare it.
grant select (id, organization_id, user_id, name, prefix, scopes, created_at, last_used_at, expires_at, rotated_at)
  on public.api_keys to authenticated;
grant delete on public.api_keys to authenticated;
grant all on public.api_keys to service_role;

alter table public.api_keys enable row level security;
alter table public.api_keys force row level security;
create policy api_keys_select on public.api_keys for select to authenticated
  using (
    organization_id = (select kijko.current_org())
    and (user_id = (select auth.uid()) or (select kijko.is_manager()))
  );
create policy api_keys_delete on public.api_keys for delete to authenticated
  using (
    organization_id = (select kijko.current_org())
    and (user_id = (select auth.uid()) or (select kijko.is_manager()))
  );

-- ---- making them ---------------------------------------------------------------------------------------------------

create function kijko.make_api_key(
  key uuid, name text, prefix text, hash bytea, scopes text[], expires timestamptz, most integer
) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  organization constant uuid := kijko.current_org();
begin
  if organization is null then
    raise exception 'no active organization' using errcode = 'KJ404';
  end if;
  -- One after another, so that each sees what the last one made.
  perform pg_advisory_xact_lock(hashtextextended('api_keys:' || organization::text, 0));
  if (
    select count(*)
    from public.api_keys k
    where k.organization_id = organization
      and (k.expires_at is null or k.expires_at > clock_timestamp())
      and k.rotated_at is null
  ) >= most then
    return false;
  end if;
  insert into public.api_keys (id, organization_id, user_id, name, prefix, key_hash, scopes, expires_at)
  values (key, organization, auth.uid(), make_api_key.name, make_api_key.prefix, hash, make_api_key.scopes, expires);
  return true;
end
$$;
comment on function kijko.make_api_key(uuid, text, text, bytea, text[], timestamptz, integer) is
  'Makes a key of the caller''s in the active organization; false where it has as many living ones as it may. A key that '
  'was rotated and works out its grace is none of them.';
revoke execute on function kijko.make_api_key(uuid, text, text, bytea, text[], timestamptz, integer)
  from public, anon, authenticated;
grant execute on function kijko.make_api_key(uuid, text, text, bytea, text[], timestamptz, integer) to authenticated;

create function kijko.rotate_api_key(
  old uuid, fresh uuid, prefix text, hash bytea, grace_seconds integer, most integer
) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  known public.api_keys;
begin
  select k.* into known
  from public.api_keys k
  where k.id = old
    and k.organization_id = kijko.current_org()
    and (k.user_id = auth.uid() or kijko.is_manager())
  for update;
  if not found then
    return 'unknown';
  elsif known.user_id <> auth.uid() then
    -- Its successor acts as them, too: whoever got it could do what they may.
    return 'not_yours';
  elsif known.rotated_at is not null then
    return 'rotated';
  elsif known.expires_at <= clock_timestamp() then
    return 'expired';
  end if;
  if grace_seconds > 0 then
    perform pg_advisory_xact_lock(hashtextextended('api_keys:' || known.organization_id::text, 0));
    if (
      select count(*)
      from public.api_keys k
      where k.organization_id = known.organization_id and k.rotated_at is not null and k.expires_at > clock_timestamp()
    ) >= most then
      return 'limit';
    end if;
  end if;
  insert into public.api_keys (id, organization_id, user_id, name, prefix, key_hash, scopes, expires_at)
  values (
    fresh, known.organization_id, known.user_id, known.name, rotate_api_key.prefix, hash, known.scopes, known.expires_at
  );
  if grace_seconds = 0 then
    delete from public.api_keys k where k.id = old;
  else
    update public.api_keys k
    set rotated_at = clock_timestamp(),
      expires_at = least(k.expires_at, clock_timestamp() + make_interval(secs => grace_seconds))
    where k.id = old;
  end if;
  return 'done';
end
$$;
comment on function kijko.rotate_api_key(uuid, uuid, text, bytea, integer, integer) is
  'Puts a new key with the same name, scopes and end in the place of one of the caller''s, which works until the grace '
  'ends: done, unknown, not_yours (an owner or admin sees it), rotated (before), expired, or limit (as many as may do so '
  'work out their grace already).';
revoke execute on function kijko.rotate_api_key(uuid, uuid, text, bytea, integer, integer) from public, anon, authenticated;
grant execute on function kijko.rotate_api_key(uuid, uuid, text, bytea, integer, integer) to authenticated;

-- ---- entering with one ---------------------------------------------------------------------------------------------
--
-- At work a key is a session by the name `kjk:` and its id. So all that asks whether a session has ended asks the same
-- of a key: each request, and each second every open socket.

create function kijko.key_organization(session text, person uuid) returns uuid
  language plpgsql stable security definer set search_path = ''
as $$
begin
  if not starts_with(session, 'kjk:') then
    return null;
  end if;
  return (
    select k.organization_id
    from public.api_keys k
    where k.id = substr(session, 5)::uuid
      and k.user_id = person
      and (k.expires_at is null or k.expires_at > now())
  );
end
$$;
comment on function kijko.key_organization(text, uuid) is
  'Where the key of such a session acts as that person; null once it was revoked or has expired, and for a session that '
  'is no key''s.';
revoke execute on function kijko.key_organization(text, uuid) from public, anon, authenticated;

create function kijko.refuse_key() returns void
  language plpgsql stable set search_path = ''
as $$
begin
  raise exception 'the API key does not work' using errcode = 'KJ401', hint = 'api_key';
end
$$;
revoke execute on function kijko.refuse_key() from public, anon, authenticated;

create function kijko.admit_key(
  hash bytea, wanted uuid, scope text, many integer, call uuid, repeated boolean
)
  returns table (
    id uuid, user_id uuid, organization_id uuid, prefix text, scopes text[], expires_at timestamptz, email text,
    name text, allowed boolean, taken integer, quota jsonb
  )
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  known record;
  counted integer := 0;
  told jsonb;
  refusal text;
begin
  select
    k.id, k.user_id, k.organization_id, k.prefix, k.scopes, k.expires_at, u.email,
    btrim(u.first_name || ' ' || u.last_name) as name, coalesce(admit_key.scope = any (k.scopes), false) as allowed
  into known
  from public.api_keys k
  join public.users u on u.id = k.user_id
  where k.key_hash = hash and (k.expires_at is null or k.expires_at > now());
  if known.id is null then
    perform kijko.refuse_key();
  elsif wanted <> known.organization_id then
    raise exception 'no such organization' using errcode = 'KJ404';
  end if;
  if known.allowed and repeated then
    select l.quantity::integer into counted
    from public.usage_ledger l
    where l.subject_id = call
      and l.metric = 'api_calls'
      and l.entry = 'reserve'
      and l.organization_id = known.organization_id;
    counted := coalesce(counted, 0);
  end if;
  if known.allowed and counted = 0 then
    -- Nothing else is in this transaction, and it waits for no disk: what a crash of Postgres forgets of the last
    -- moment is in the customer's favour, and each request would cost several milliseconds.
    perform set_config('synchronous_commit', 'off', true);
    counted := many;
    while counted > 1 and told is null loop
      begin
        told := kijko.reserve_for(known.organization_id, 'api_calls', counted, call, known.user_id);
        exit;
      exception when sqlstate 'KJ429' then
        get stacked diagnostics refusal = pg_exception_detail;
        counted := least(counted - 1, (refusal::jsonb ->> 'limit')::numeric - (refusal::jsonb ->> 'used')::numeric);
      end;
    end loop;
    if counted <= 1 then  -- the last one, or none: then asking for one says so
      counted := 1;
      told := kijko.reserve_for(known.organization_id, 'api_calls', 1, call, known.user_id);
    end if;
  end if;
  return query select
    known.id, known.user_id, known.organization_id, known.prefix, known.scopes, known.expires_at, known.email,
    known.name, known.allowed, counted, told;
end
$$;
comment on function kijko.admit_key(bytea, uuid, text, integer, uuid, boolean) is
  'Whose key has this hash, when it works and has the scope: then so many API calls are taken, or those that are left, '
  'and what is used after the last of them is told. KJ401 for one that does not work, KJ404 where another organization '
  'than its own is wanted, KJ429 when no call is left; without the scope it is not allowed, and none is taken. What is '
  'repeated, since its first answer was lost, is taken once.';
revoke execute on function kijko.admit_key(bytea, uuid, text, integer, uuid, boolean) from public, anon, authenticated;
grant execute on function kijko.admit_key(bytea, uuid, text, integer, uuid, boolean) to kijko_api;

create or replace function kijko.enter(subject uuid, session text, issued timestamptz, wanted uuid, chosen boolean)
  returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  organization uuid;
begin
  if starts_with(session, 'kjk:') then
    organization := kijko.key_organization(session, subject);
    if organization is null then
      perform kijko.refuse_key();
    elsif chosen and wanted is distinct from organization then
      raise exception 'no such organization' using errcode = 'KJ404';
    end if;
    perform set_config('app.current_org_id', organization::text, true);
    return organization;
  end if;
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
  'Begins a request: refuses an ended session or a key that does not work (KJ401) and a chosen organization that is not '
  'the subject''s, or not the key''s (KJ404), else sets app.current_org_id for this transaction: the key''s, the wanted '
  'one, the default one, or the first joined.';

create function kijko.key_at_work() returns uuid
  language sql stable set search_path = ''
as $$
  select case
    when starts_with(auth.jwt() ->> 'session_id', 'kjk:') then substr(auth.jwt() ->> 'session_id', 5)::uuid
  end
$$;
comment on function kijko.key_at_work() is 'The API key by which this transaction was begun; null where it was none.';
revoke execute on function kijko.key_at_work() from public, anon, authenticated;
grant execute on function kijko.key_at_work() to authenticated, service_role;

-- What a key starts was started by the API, whatever the request says and whichever way it came.
create function kijko.started_by_key() returns trigger
  language plpgsql set search_path = ''
as $$
begin
  if kijko.key_at_work() is not null then
    new.execution_type := 'api';
  end if;
  return new;
end
$$;
revoke execute on function kijko.started_by_key() from public, anon, authenticated;
create trigger executions_started_by_key before insert on public.executions
  for each row execute function kijko.started_by_key();

-- ---- when they were used, and which are over -----------------------------------------------------------------------

create function kijko.note_keys_used(keys uuid[]) returns void
  language sql volatile security definer set search_path = ''
as $$
  with due as (
    select k.id
    from public.api_keys k
    where k.id = any (keys) and (k.last_used_at is null or k.last_used_at < now() - interval '1 minute')
    order by k.id
    for update skip locked
  )
  update public.api_keys k set last_used_at = now() from due where k.id = due.id
$$;
comment on function kijko.note_keys_used(uuid[]) is 'These keys were used just now. Written once a minute for each.';
revoke execute on function kijko.note_keys_used(uuid[]) from public, anon, authenticated;
grant execute on function kijko.note_keys_used(uuid[]) to kijko_api;
