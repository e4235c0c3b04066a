-- Who may listen to a room, and what its log holds after an id. For the API's own login, before any tenant is known: one
-- connection listens to rooms of several organizations, so what is asked is the person and no active organization.

create function kijko.may_listen(person uuid, room text) returns boolean
  language plpgsql stable security definer set search_path = ''
as $$
declare
  target uuid;
begin
  if room !~ '^(project|user|organization):[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then
    return false;
  end if;
  target := split_part(room, ':', 2)::uuid;
  return case split_part(room, ':', 1)
    when 'user' then target = person
    when 'organization' then exists (
      select from public.memberships m where m.organization_id = target and m.user_id = person
    )
    else kijko.can_read_project(person, target)
  end;
end
$$;
comment on function kijko.may_listen(uuid, text) is
  'Whether a room is of what a person may see now: a project, their own, or an organization of theirs.';
revoke execute on function kijko.may_listen(uuid, text) from public, anon, authenticated;

create function kijko.refused_listeners(rooms text[], persons uuid[], sessions text[], issued timestamptz[])
  returns table (place integer, session_ended boolean)
  language sql stable security definer set search_path = ''
as $$
  select judged.place, judged.session_ended
  from (
    select
      l.place::integer as place,
      -- As kijko.enter has it.
      exists (select from public.ended_sessions e where e.session_id = l.session)
        or exists (
          select from public.session_cutoffs c
          where c.user_id = l.person
            and l.issued < c.issued_before
            and (l.session is null or c.except_session_id is distinct from l.session)
        ) as session_ended,
      kijko.may_listen(l.person, l.room) as allowed
    from unnest(rooms, persons, sessions, issued) with ordinality l (room, person, session, issued, place)
  ) judged
  where judged.session_ended or not judged.allowed
$$;
comment on function kijko.refused_listeners(text[], uuid[], text[], timestamptz[]) is
  'Which of these listeners (their places, from 1) may not listen to their room any more: their session has ended, or the '
  'room is of something that they may not see.';
revoke execute on function kijko.refused_listeners(text[], uuid[], text[], timestamptz[]) from public, anon, authenticated;
grant execute on function kijko.refused_listeners(text[], uuid[], text[], timestamptz[]) to kijko_api;

create function kijko.room_heads_of(rooms text[]) returns table (room text, last_id bigint, trimmed_id bigint)
  language sql stable security definer set search_path = ''
as $$
  select asked.room, coalesce(h.last_id, 0), coalesce(h.trimmed_id, 0)
  from unnest(rooms) asked (room)
  left join public.room_heads h on h.room = asked.room
$$;
comment on function kijko.room_heads_of(text[]) is
  'The newest id of each room''s log, 0 for one in which nothing happened yet, and the newest that was trimmed.';
revoke execute on function kijko.room_heads_of(text[]) from public, anon, authenticated;
grant execute on function kijko.room_heads_of(text[]) to kijko_api;

create function kijko.read_room(room text, after bigint, most integer)
  returns table (id bigint, event text, data text, told_at text)
  language sql stable security definer set search_path = ''
as $$
  select e.id, e.event, e.data::text, kijko.wire_time(e.created_at)
  from public.room_events e
  where e.room = read_room.room and e.id > after
  order by e.id
  limit most
$$;
comment on function kijko.read_room(text, bigint, integer) is
  'What a room''s log holds after an id, in order. Whether somebody may have it, kijko.refused_listeners tells.';
revoke execute on function kijko.read_room(text, bigint, integer) from public, anon, authenticated;
grant execute on function kijko.read_room(text, bigint, integer) to kijko_api;
