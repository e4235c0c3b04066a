-- An invitation stands as long as whoever answers for it (invited_by) might still give what it gives. Who was a manager
-- had, without this, a way to let somebody in afterwards: by mails sent before.

create index invitations_inviter_idx on public.invitations (organization_id, invited_by) where accepted_at is null;

create function kijko.may_give(person uuid, organization uuid, project uuid, org_role text, project_role text)
  returns boolean
  language sql stable security definer set search_path = ''
as $$
  select coalesce(
    case
      when project is not null then
        case when project_role = 'admin' then 'name_admin' else 'invite' end
          = any (kijko.actions_of(person, organization, project))
      else (
        select m.role = 'owner' or (m.role = 'admin' and org_role <> 'owner')
        from public.memberships m
        where m.organization_id = organization and m.user_id = person
      )
    end,
    false
  )
$$;
comment on function kijko.may_give(uuid, uuid, uuid, text, text) is
  'Whether a person may invite into an organization with that role, or, where a project is named, into it with that one.';
revoke execute on function kijko.may_give(uuid, uuid, uuid, text, text) from public, anon, authenticated;

create function kijko.void_invitations_of(person uuid, organization uuid, project uuid) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  void_ids uuid[];
begin
  perform kijko.lock_people(organization);
  select array_agg(i.id) into void_ids
  from public.invitations i
  left join public.project_members m on m.organization_id = i.organization_id and m.id = i.member_id
  where i.organization_id = void_invitations_of.organization
    and i.invited_by = person
    and i.accepted_at is null
    and (void_invitations_of.project is null or i.project_id = void_invitations_of.project)
    and not kijko.may_give(person, i.organization_id, i.project_id, i.role, m.role);
  if void_ids is not null then
    delete from public.project_members m
    using public.invitations i
    where i.id = any (void_ids) and m.organization_id = i.organization_id and m.id = i.member_id
      and m.accepted_at is null;
    delete from public.invitations i where i.id = any (void_ids);
  end if;
end
$$;
comment on function kijko.void_invitations_of(uuid, uuid, uuid) is
  'Takes back what a person''s open invitations give and they themselves may not give any more: in one project, or with '
  'null in the whole organization.';
revoke execute on function kijko.void_invitations_of(uuid, uuid, uuid) from public, anon, authenticated;

create function kijko.member_loses() returns trigger
  language plpgsql security definer set search_path = ''
as $$
begin
  perform kijko.void_invitations_of(old.user_id, old.organization_id, null);
  return null;
end
$$;
revoke execute on function kijko.member_loses() from public, anon, authenticated;
create trigger memberships_lost after delete on public.memberships
  for each row execute function kijko.member_loses();
create trigger memberships_lowered after update of role on public.memberships
  for each row when (old.role is distinct from new.role) execute function kijko.member_loses();

create function kijko.project_member_loses() returns trigger
  language plpgsql security definer set search_path = ''
as $$
begin
  perform kijko.void_invitations_of(old.user_id, old.organization_id, old.project_id);
  return null;
end
$$;
revoke execute on function kijko.project_member_loses() from public, anon, authenticated;
create trigger project_members_lost after delete on public.project_members
  for each row when (old.user_id is not null) execute function kijko.project_member_loses();
create trigger project_members_lowered after update of role on public.project_members
  for each row when (old.user_id is not null and old.role is distinct from new.role)
  execute function kijko.project_member_loses();

-- Whoever changes an invited one's role answers for it from then on, as whoever sends it again does.
create function kijko.answer_for_role() returns trigger
  language plpgsql security definer set search_path = ''
as $$
begin
  update public.invitations i set invited_by = auth.uid()
  where i.organization_id = new.organization_id and i.member_id = new.id and i.accepted_at is null;
  return null;
end
$$;
revoke execute on function kijko.answer_for_role() from public, anon, authenticated;
create trigger project_members_answered after update of role on public.project_members
  for each row when (new.accepted_at is null and old.role is distinct from new.role and auth.uid() is not null)
  execute function kijko.answer_for_role();

-- Those of before.
select kijko.void_invitations_of(i.invited_by, i.organization_id, null)
from (
  select distinct i.invited_by, i.organization_id from public.invitations i where i.accepted_at is null
) i
order by i.organization_id, i.invited_by;
