-- Each organization on the free plan has model runs of its own every day, so a person owns ten of them at the most.

create or replace function kijko.found_organization(name text) returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  most constant integer := 10;
  person constant uuid := auth.uid();
  made uuid;
begin
  if not exists (select from public.users u where u.id = person) then
    raise exception 'nobody is signed in' using errcode = '42501';
  end if;
  perform pg_advisory_xact_lock(hashtextextended('found:' || person::text, 0));
  if most <= (
    select count(*)
    from public.memberships m
    where m.user_id = person and m.role = 'owner' and kijko.plan_of(m.organization_id) = 'free'
  ) then
    raise exception 'You own % organizations on the free plan, and more are not made. Upgrade or delete one first.', most
      using errcode = 'KJ409';
  end if;
  insert into public.organizations (name) values (found_organization.name) returning id into made;
  insert into public.memberships (organization_id, user_id, role) values (made, person, 'owner');
  return made;
end
$$;
comment on function kijko.found_organization(text) is
  'Makes an organization, the caller its owner; answers its id, or raises KJ409 for who owns ten on the free plan.';
