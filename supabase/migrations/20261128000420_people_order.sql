-- The lock `people` comes before every row that hangs on it. With the project's row first, the end of a project and the
-- removal of a member could wait for each other: the one held the project's members and wanted the lock, the other held
-- the lock and wanted the members. So a project is deleted under that lock as well.

create function kijko.lock_people_here() returns trigger
  language plpgsql security definer set search_path = ''
as $$
declare
  tenant constant uuid := kijko.current_org();
begin
  -- A job deletes for an organization that has no people any more.
  if tenant is not null then
    perform kijko.lock_people(tenant);
  end if;
  return null;
end
$$;
revoke execute on function kijko.lock_people_here() from public, anon, authenticated;
create trigger projects_people before delete on public.projects
  for each statement execute function kijko.lock_people_here();

create or replace function kijko.check_invite(project uuid, roles text[]) returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  actions constant text[] := kijko.my_actions(project);
begin
  if not (case when 'admin' = any (roles) then 'name_admin' else 'invite' end) = any (actions) then
    raise exception 'the role in this project does not allow it' using errcode = '42501';
  end if;
  perform kijko.lock_people(kijko.current_org());
  perform from public.projects p where p.id = project for key share;
  if not found then
    raise exception 'the project is gone' using errcode = '42501';
  end if;
  return kijko.current_org();
end
$$;

create or replace function kijko.project_member(project uuid, member uuid) returns public.project_members
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  known public.project_members;
begin
  if not 'read' = any (kijko.my_actions(project)) then
    return null;
  end if;
  perform kijko.lock_people(kijko.current_org());
  select m.* into known
  from public.project_members m
  where m.organization_id = kijko.current_org() and m.project_id = project and m.id = member;
  return known;
end
$$;

create or replace function kijko.accept_as(
  digest bytea, person uuid, out outcome text, out tenant uuid, out project uuid, out member uuid
)
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  known public.invitations;
  before public.project_members;
  seat uuid;
begin
  select i.* into known
  from public.invitation_links l
  join public.invitations i on i.id = l.invitation_id and i.organization_id = l.organization_id
  where l.token_digest = digest;
  outcome := case
    when known.id is null then 'missing'
    when not exists (select from public.users u where u.id = person and lower(u.email) = known.email)
      then 'wrong_recipient'
  end;
  if outcome is not null then
    return;
  end if;
  perform kijko.lock_people(known.organization_id);
  select i.* into known
  from public.invitation_links l
  join public.invitations i on i.id = l.invitation_id and i.organization_id = l.organization_id
  where l.token_digest = digest;
  outcome := case
    when known.id is null then 'missing'
    when known.accepted_at is null and known.expires_at <= clock_timestamp() then 'expired'
    when known.accepted_by <> person then 'missing'
    when known.accepted_by = person and not exists (
      select from public.memberships m where m.organization_id = known.organization_id and m.user_id = person
    ) then 'missing'
    else 'joined'
  end;
  if outcome <> 'joined' then
    return;
  end if;
  tenant := known.organization_id;
  project := known.project_id;
  member := known.member_id;
  if known.accepted_at is not null then
    return;
  end if;
  if not exists (select from public.memberships m where m.organization_id = tenant and m.user_id = person) then
    delete from public.invited_seats s where s.organization_id = tenant and s.email = known.email
    returning s.seat_id into seat;
    if seat is null then
      seat := gen_random_uuid();
      perform kijko.reserve_for(tenant, 'seats', 1, seat, person);
    else
      perform kijko.check_seats(tenant);
    end if;
    insert into public.memberships (organization_id, user_id, role, seat_id) values (tenant, person, known.role, seat);
  end if;
  -- In the project under an earlier address already: that membership goes on in this row.
  delete from public.project_members m
  where m.organization_id = tenant and m.project_id = known.project_id and m.user_id = person and m.id <> known.member_id
  returning m.* into before;
  update public.project_members m
  set user_id = person, accepted_at = now(), role = coalesce(before.role, m.role)
  where m.organization_id = tenant and m.id = known.member_id;
  update public.invitations i set accepted_at = now(), accepted_by = person where i.id = known.id;
end
$$;
