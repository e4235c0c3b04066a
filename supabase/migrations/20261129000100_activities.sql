-- Who did what, for the people around: activity:new in the room of everybody whom it concerns.
--
-- What happens is noted by triggers, with the change itself, in a queue that locks nothing of anybody else's. The scheduler
-- tells it a moment later: a change does not wait for the rooms of everybody in its organization.

create table public.activities (
  id uuid constraint activities_pkey primary key default gen_random_uuid(),
  organization_id uuid not null
    constraint activities_organization_fkey references public.organizations (id) on delete cascade,
  project_id uuid,
  readers uuid[],
  type text not null,
  user_id uuid,
  description text not null,
  noted_at timestamptz not null default clock_timestamp()
);
comment on table public.activities is
  'What happened and is not told yet. `readers`: whom it concerned when it happened, where nobody could tell later; else '
  'whoever may read the project, or everybody in the organization.';
create index activities_noted_idx on public.activities (noted_at, id);
create index activities_organization_idx on public.activities (organization_id);
create index activities_project_idx on public.activities (project_id) where project_id is not null;

revoke all on public.activities from anon, authenticated;
grant all on public.activities to service_role;
alter table public.activities enable row level security;
alter table public.activities force row level security;

create function kijko.readers_of(organization uuid, project uuid) returns setof uuid
  language sql stable security definer set search_path = ''
as $$
  select m.user_id
  from public.memberships m
  where m.organization_id = organization and (project is null or kijko.can_read_project(m.user_id, project))
$$;
comment on function kijko.readers_of(uuid, uuid) is 'Who may read a project now; without one, everybody in the organization.';
revoke execute on function kijko.readers_of(uuid, uuid) from public, anon, authenticated;

create function kijko.note_deed(
  organization uuid, project uuid, kind text, person uuid, description text, readers uuid[] default null
) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- An organization that is being deleted has nobody left to tell.
  if exists (select from public.memberships m where m.organization_id = organization) then
    insert into public.activities (organization_id, project_id, readers, type, user_id, description)
    values (organization, project, note_deed.readers, kind, coalesce(person, auth.uid()), note_deed.description);
  end if;
end
$$;
comment on function kijko.note_deed(uuid, uuid, text, uuid, text, uuid[]) is
  'Notes what a person did, by default the caller, in words that follow their name.';
revoke execute on function kijko.note_deed(uuid, uuid, text, uuid, text, uuid[]) from public, anon, authenticated;

create function kijko.note_project() returns trigger
  language plpgsql security definer set search_path = ''
as $$
declare
  concerned uuid[];
begin
  if tg_op = 'INSERT' then
    perform kijko.note_deed(
      new.organization_id, new.id, 'project_created', new.user_id, format('created the project "%s"', new.name)
    );
    return new;
  end if;
  -- Before it is gone, since then nobody could read it.
  if exists (select from public.memberships m where m.organization_id = old.organization_id) then
    concerned := array(select kijko.readers_of(old.organization_id, old.id));
    update public.activities a set readers = concerned where a.project_id = old.id and a.readers is null;
    perform kijko.note_deed(
      old.organization_id, null, 'project_deleted', null, format('deleted the project "%s"', old.name), concerned
    );
  end if;
  return old;
end
$$;
create trigger projects_noted after insert on public.projects
  for each row execute function kijko.note_project();
create trigger projects_gone before delete on public.projects
  for each row execute function kijko.note_project();

create function kijko.note_repository() returns trigger
  language plpgsql security definer set search_path = ''
as $$
declare
  given record := coalesce(new, old);
  project text := (select p.name from public.projects p where p.id = given.project_id);
begin
  if project is not null then -- else it goes with its project, which is told
    perform kijko.note_deed(
      given.organization_id, given.project_id,
      case tg_op when 'INSERT' then 'repository_added' else 'repository_removed' end, null,
      case tg_op
        when 'INSERT' then format('added the repository %s to the project "%s"', given.repository_name, project)
        else format('removed the repository %s from the project "%s"', given.repository_name, project)
      end
    );
  end if;
  return null;
end
$$;
create trigger project_repositories_noted after insert or delete on public.project_repositories
  for each row execute function kijko.note_repository();

create function kijko.note_ingestion() returns trigger
  language plpgsql security definer set search_path = ''
as $$
declare
  project text := (select p.name from public.projects p where p.id = new.project_id);
begin
  perform kijko.note_deed(
    new.organization_id, new.project_id, 'ingestion_' || new.status, new.user_id,
    format(
      case new.status
        when 'completed' then 'ingested the project "%s"'
        when 'failed' then 'could not ingest the project "%s"'
        else 'stopped the ingestion of the project "%s"'
      end,
      project
    )
  );
  return null;
end
$$;
create trigger ingestions_noted after update on public.ingestions
  for each row when (old.completed_at is null and new.completed_at is not null)
  execute function kijko.note_ingestion();

create function kijko.note_member() returns trigger
  language plpgsql security definer set search_path = ''
as $$
begin
  if tg_op = 'DELETE' then
    perform kijko.note_deed(old.organization_id, null, 'member_left', old.user_id, 'left the organization');
  elsif exists ( -- whoever founds it joins nobody
    select from public.memberships m where m.organization_id = new.organization_id and m.user_id <> new.user_id
  ) then
    perform kijko.note_deed(new.organization_id, null, 'member_joined', new.user_id, 'joined the organization');
  end if;
  return null;
end
$$;
create trigger memberships_noted after insert or delete on public.memberships
  for each row execute function kijko.note_member();

create function kijko.note_project_member() returns trigger
  language plpgsql security definer set search_path = ''
as $$
declare
  project record;
begin
  select p.name, p.user_id into project from public.projects p where p.id = new.project_id;
  if new.user_id is distinct from project.user_id then -- whose it is has just created it
    perform kijko.note_deed(
      new.organization_id, new.project_id, 'project_member_joined', new.user_id,
      format('joined the project "%s"', project.name)
    );
  end if;
  return null;
end
$$;
create trigger project_members_noted after insert on public.project_members
  for each row when (new.accepted_at is not null and new.user_id is not null)
  execute function kijko.note_project_member();
create trigger project_members_accepted after update on public.project_members
  for each row when (old.accepted_at is null and new.accepted_at is not null and new.user_id is not null)
  execute function kijko.note_project_member();

create function kijko.note_skill() returns trigger
  language plpgsql security definer set search_path = ''
as $$
declare
  given record := coalesce(new, old);
begin
  perform kijko.note_deed(
    given.organization_id, null,
    case tg_op when 'INSERT' then 'skill_created' when 'UPDATE' then 'skill_updated' else 'skill_deleted' end,
    case tg_op when 'INSERT' then given.user_id end,
    format(
      case tg_op when 'INSERT' then 'created' when 'UPDATE' then 'changed' else 'deleted' end || ' the skill "%s"', given.name
    )
  );
  return null;
end
$$;
create trigger skills_noted after insert or delete on public.skills
  for each row execute function kijko.note_skill();
create trigger skills_changed after update on public.skills
  for each row when (old.version is distinct from new.version) execute function kijko.note_skill();

revoke execute on function kijko.note_project(), kijko.note_repository(), kijko.note_ingestion(), kijko.note_member(),
  kijko.note_project_member(), kijko.note_skill() from public, anon, authenticated;

-- ---- telling -------------------------------------------------------------------------------------------------------

create function kijko.tell_rooms(
  rooms text[], organizations uuid[], event text, told jsonb[]
) returns text[]
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  named text[];
begin
  -- Heads in the order of their names, so that whoever else tells several rooms waits, and no more.
  with given as (
    select g.room, g.organization, g.told, row_number() over (partition by g.room order by g.turn) as place
    from unnest(rooms, organizations, told) with ordinality g (room, organization, told, turn)
  ),
  counted as (
    select g.room, count(*) as many from given g group by g.room order by g.room
  ),
  heads as (
    insert into public.room_heads as h (room, last_id)
    select c.room, c.many from counted c order by c.room
    on conflict on constraint room_heads_pkey do update set last_id = h.last_id + excluded.last_id
    returning h.room, h.last_id
  ),
  written as (
    insert into public.room_events (room, id, organization_id, event, data)
    select g.room, h.last_id - c.many + g.place, g.organization, tell_rooms.event, g.told
    from given g
    join counted c on c.room = g.room
    join heads h on h.room = g.room
  )
  select array_agg(c.room) into named from counted c;
  return named;
end
$$;
comment on function kijko.tell_rooms(text[], uuid[], text, jsonb[]) is
  'Appends events of one kind to several rooms'' logs, in this order in each; the rooms.';
revoke execute on function kijko.tell_rooms(text[], uuid[], text, jsonb[]) from public, anon, authenticated;

create function kijko.tell_activities(most integer) returns text[]
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  rooms text[];
  organizations uuid[];
  told jsonb[];
begin
  with due as (
    select a.id
    from public.activities a
    order by a.noted_at, a.id
    limit most
    for update skip locked
  ),
  taken as (
    delete from public.activities a using due where a.id = due.id returning a.*
  ),
  heard as (
    select t.*, r.reader
    from taken t
    cross join lateral (
      select kijko.readers_of(t.organization_id, t.project_id) as reader where t.readers is null
      union
      select k from unnest(t.readers) k
    ) r
  )
  select
    array_agg('user:' || h.reader order by h.noted_at, h.id),
    array_agg(h.organization_id order by h.noted_at, h.id),
    array_agg(
      jsonb_build_object(
        'id', h.id, 'type', h.type,
        'user', coalesce(nullif(trim(u.first_name || ' ' || u.last_name), ''), u.email, 'Kijko'),
        'userId', u.id, 'projectId', h.project_id, 'description', h.description,
        'timestamp', kijko.wire_time(h.noted_at)
      )
      order by h.noted_at, h.id
    )
  into rooms, organizations, told
  from heard h
  left join public.users u on u.id = h.user_id;
  if rooms is null then
    return '{}';
  end if;
  return kijko.tell_rooms(rooms, organizations, 'activity:new', told);
end
$$;
comment on function kijko.tell_activities(integer) is
  'Tells what was noted, the oldest first, at most so many; the rooms in which something is new.';
revoke execute on function kijko.tell_activities(integer) from public, anon, authenticated;
grant execute on function kijko.tell_activities(integer) to service_role;
