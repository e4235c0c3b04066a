-- Sockets that were opened with an API key: they hear what is of the key's organization, while the key works.

create function kijko.is_room_of(room text, organization uuid) returns boolean
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return case split_part(room, ':', 1)
    -- Its maker's own room tells of all their organizations; the listener is given what is of this one.
    when 'user' then true
    when 'organization' then split_part(room, ':', 2)::uuid = organization
    else exists (
      select from public.projects p where p.organization_id = organization and p.id = split_part(room, ':', 2)::uuid
    )
  end;
end
$$;
comment on function kijko.is_room_of(text, uuid) is 'Whether a room may tell of that organization. The room has been judged by may_listen.';
revoke execute on function kijko.is_room_of(text, uuid) from public, anon, authenticated;

create or replace function kijko.refused_listeners(
  rooms text[], persons uuid[], sessions text[], issued timestamptz[]
) returns table (place integer, session_ended boolean)
  language sql stable security definer set search_path = ''
as $$
  select judged.place, judged.session_ended
  from (
    select
      l.place::integer as place,
      -- As kijko.enter has it.
      case
        when starts_with(l.session, 'kjk:') then k.organization is null
        else
          exists (select from public.ended_sessions e where e.session_id = l.session)
          or exists (
            select from public.session_cutoffs c
            where c.user_id = l.person
              and l.issued < c.issued_before
              and (l.session is null or c.except_session_id is distinct from l.session)
          )
      end as session_ended,
      case
        when not kijko.may_listen(l.person, l.room) then false
        when starts_with(l.session, 'kjk:') then kijko.is_room_of(l.room, k.organization)
        else true
      end as allowed
    from unnest(rooms, persons, sessions, issued) with ordinality l (room, person, session, issued, place)
    cross join lateral (select kijko.key_organization(l.session, l.person) as organization) k
  ) judged
  where judged.session_ended or not judged.allowed
$$;
comment on function kijko.refused_listeners(text[], uuid[], text[], timestamptz[]) is
  'Which of these listeners (their places, from 1) may not listen to their room any more: their session has ended, their '
  'key does not work, or the room is of something that they, or the key, may not see.';

create function kijko.room_page(room text, after bigint, most integer)
  returns table (id bigint, event text, data text, told_at text, organization_id uuid)
  language sql stable security definer set search_path = ''
as $$
  select e.id, e.event, e.data::text, kijko.wire_time(e.created_at), e.organization_id
  from public.room_events e
  where e.room = room_page.room and e.id > after
  order by e.id
  limit most
$$;
comment on function kijko.room_page(text, bigint, integer) is
  'What a room''s log holds after an id, in order, and of which organization each event is. Whether somebody may have it, '
  'kijko.refused_listeners tells.';
revoke execute on function kijko.room_page(text, bigint, integer) from public, anon, authenticated;
grant execute on function kijko.room_page(text, bigint, integer) to kijko_api;
comment on function kijko.read_room(text, bigint, integer) is
  'As kijko.room_page, without the organization: for processes that were started before it was there.';
