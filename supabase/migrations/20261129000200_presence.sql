-- Who is there: a person with an open connection to any of the API's processes, and for some seconds after the last one has
-- ended, so that a page that is loaded anew is no coming and going.
--
-- Each process writes whom it has, and shows by a heartbeat that it lives. The scheduler compares who is there with who was,
-- and tells those who are there themselves and share an organization: user:status. So a process that was killed, a doubled
-- message or two schedulers change nothing in what is told.

create table public.presence_processes (
  id uuid constraint presence_processes_pkey primary key,
  seen_at timestamptz not null
);
comment on table public.presence_processes is 'Processes of the API that have, or had, connections, and when they last said so.';

create table public.presences (
  process_id uuid not null
    constraint presences_process_fkey references public.presence_processes (id) on delete cascade,
  user_id uuid not null constraint presences_user_fkey references public.users (id) on delete cascade,
  left_at timestamptz,
  constraint presences_pkey primary key (process_id, user_id)
);
comment on table public.presences is 'Who is connected to which process; `left_at`: not any more, since then.';
create index presences_user_idx on public.presences (user_id);

create table public.people_present (
  user_id uuid constraint people_present_pkey primary key
    constraint people_present_user_fkey references public.users (id) on delete cascade,
  since timestamptz not null default clock_timestamp()
);
comment on table public.people_present is 'Of whom it was told that they are there.';

revoke all on public.presence_processes, public.presences, public.people_present from anon, authenticated;
grant all on public.presence_processes, public.presences, public.people_present to service_role;
alter table public.presence_processes enable row level security;
alter table public.presence_processes force row level security;
alter table public.presences enable row level security;
alter table public.presences force row level security;
alter table public.people_present enable row level security;
alter table public.people_present force row level security;

create function kijko.note_presence(process uuid, here uuid[], gone uuid[]) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- Not beside kijko.tell_presence: whoever looks, after this, who is there finds what it told, or is told by the next one.
  perform pg_advisory_xact_lock_shared(hashtextextended('kijko.presence', 0));
  insert into public.presence_processes as p (id, seen_at) values (process, clock_timestamp())
  on conflict on constraint presence_processes_pkey do update set seen_at = excluded.seen_at;
  insert into public.presences as p (process_id, user_id)
  select process, u.id from public.users u where u.id = any (here) order by u.id
  on conflict on constraint presences_pkey do update set left_at = null where p.left_at is not null;
  update public.presences p set left_at = clock_timestamp()
  where p.process_id = process and p.user_id = any (gone) and p.left_at is null;
end
$$;
comment on function kijko.note_presence(uuid, uuid[], uuid[]) is
  'A process of the API lives; these persons are connected to it now, and those are not any more. For the API''s own role.';
revoke execute on function kijko.note_presence(uuid, uuid[], uuid[]) from public, anon, authenticated;
grant execute on function kijko.note_presence(uuid, uuid[], uuid[]) to kijko_api;

create function kijko.colleagues_present(persons uuid[], most integer) returns table (person uuid, colleague uuid)
  language sql stable security definer set search_path = ''
as $$
  select asked.person, there.user_id
  from unnest(persons) asked (person)
  cross join lateral (
    select distinct n.user_id
    from public.memberships m
    join public.memberships n on n.organization_id = m.organization_id
    join public.people_present c on c.user_id = n.user_id
    where m.user_id = asked.person and n.user_id <> asked.person
    order by n.user_id
    limit most
  ) there
$$;
comment on function kijko.colleagues_present(uuid[], integer) is
  'Who of those that share an organization with these persons is there, at most so many each. For the API''s own role.';
revoke execute on function kijko.colleagues_present(uuid[], integer) from public, anon, authenticated;
grant execute on function kijko.colleagues_present(uuid[], integer) to kijko_api;

create function kijko.tell_presence(grace interval, silence interval, most integer) returns text[]
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  rooms text[];
  organizations uuid[];
  told jsonb[];
begin
  perform pg_advisory_xact_lock(hashtextextended('kijko.presence', 0));
  delete from public.presences p where p.left_at < clock_timestamp() - grace;
  delete from public.presence_processes p where p.seen_at < clock_timestamp() - silence;
  with there as (
    select distinct p.user_id from public.presences p
  ),
  come as (
    insert into public.people_present (user_id)
    select t.user_id from there t
    where not exists (select from public.people_present c where c.user_id = t.user_id)
    order by t.user_id
    returning user_id, 'online' as status, since as at
  ),
  gone as (
    delete from public.people_present c
    where not exists (select from there t where t.user_id = c.user_id)
    returning c.user_id, 'offline' as status, clock_timestamp() as at
  ),
  heard as (
    select c.user_id, c.status, c.at, r.reader, r.organization_id
    from (select * from come union all select * from gone) c
    cross join lateral (
      select n.user_id as reader, min(n.organization_id::text)::uuid as organization_id
      from public.memberships m
      join public.memberships n on n.organization_id = m.organization_id
      join there t on t.user_id = n.user_id
      where m.user_id = c.user_id and n.user_id <> c.user_id
      group by n.user_id
      order by n.user_id
      limit most
    ) r
  )
  select
    array_agg('user:' || h.reader order by h.user_id),
    array_agg(h.organization_id order by h.user_id),
    array_agg(
      jsonb_build_object('userId', h.user_id, 'status', h.status, 'since', kijko.wire_time(h.at)) order by h.user_id
    )
  into rooms, organizations, told
  from heard h;
  if rooms is null then
    return '{}';
  end if;
  return kijko.tell_rooms(rooms, organizations, 'user:status', told);
end
$$;
comment on function kijko.tell_presence(interval, interval, integer) is
  'Tells who has come and who has gone to those who are there and share an organization with them, at most so many each; '
  'the rooms in which something is new. `grace`: after the last connection; `silence`: of a process that is taken for dead.';
revoke execute on function kijko.tell_presence(interval, interval, integer) from public, anon, authenticated;
grant execute on function kijko.tell_presence(interval, interval, integer) to service_role;
