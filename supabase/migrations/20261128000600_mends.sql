-- What was true before the lock `people` was had may be true no more: it is asked again under it.

create or replace function kijko.check_invite(project uuid, roles text[]) returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  wanted constant text := case when 'admin' = any (roles) then 'name_admin' else 'invite' end;
begin
  if not wanted = any (kijko.my_actions(project)) then
    raise exception 'the role in this project does not allow it' using errcode = '42501';
  end if;
  perform kijko.lock_people(kijko.current_org());
  perform from public.projects p where p.id = project for key share;
  -- Meanwhile the caller may have been taken out, the organization closed, or the project deleted.
  if not 'read' = any (kijko.my_actions(project)) then
    raise exception 'the project is gone' using errcode = 'KJ404';
  end if;
  if not wanted = any (kijko.my_actions(project)) then
    raise exception 'the role in this project does not allow it' using errcode = '42501';
  end if;
  return kijko.current_org();
end
$$;
comment on function kijko.check_invite(uuid, text[]) is
  'The active organization, its people locked, where the caller may invite, change and remove members of those roles in '
  'that project; else insufficient_privilege, or KJ404 where it has gone in between.';

-- A project that was made while its maker was taken out of the organization had them as its admin all the same, for when
-- they come back.
create or replace function kijko.admit_maker() returns trigger
  language plpgsql security definer set search_path = ''
as $$
begin
  perform kijko.lock_people(new.organization_id);
  if new.user_id = auth.uid() and not exists (
    select from public.memberships m where m.organization_id = new.organization_id and m.user_id = new.user_id
  ) then
    raise exception 'no member of the organization any more' using errcode = 'KJ404';
  end if;
  insert into public.project_members (organization_id, project_id, user_id, email, role, accepted_at)
  select new.organization_id, new.id, u.id, u.email, 'admin', now()
  from public.users u
  where u.id = new.user_id;
  return null;
end
$$;
