-- People: seats, invitations and their mails, an organization's members, and an organization's end.
--
-- Who holds a seat: every member, and every address with an open invitation, once however many there are. A member's seat
-- is memberships.seat_id, an invited address's the row in invited_seats; each is the subject of a reservation in the usage
-- ledger, and accepting hands the one over to the other. Whatever changes who is in an organization does it under its lock
-- `people`, taken before any lock of quotas and before any row that hangs on it.

alter table public.memberships add column seat_id uuid not null default gen_random_uuid();
comment on column public.memberships.seat_id is 'The subject in the usage ledger that this member''s seat is reserved for.';

create table public.invited_seats (
  organization_id uuid not null
    constraint invited_seats_organization_fkey references public.organizations (id) on delete cascade,
  email text not null,
  seat_id uuid not null default gen_random_uuid(),
  expires_at timestamptz not null,
  constraint invited_seats_pkey primary key (organization_id, email)
);
comment on table public.invited_seats is
  'Addresses whose open invitations hold a seat: one for each, until the last of its invitations expires.';
create index invited_seats_expires_idx on public.invited_seats (expires_at);

alter table public.project_members add constraint project_members_tenant_key unique (organization_id, id);

create table public.invitations (
  id uuid constraint invitations_pkey primary key default gen_random_uuid(),
  organization_id uuid not null
    constraint invitations_organization_fkey references public.organizations (id) on delete cascade,
  project_id uuid,
  member_id uuid,
  email text not null,
  role text not null constraint invitations_role_check check (role in ('owner', 'admin', 'member')),
  invited_by uuid not null,
  message text,
  locale text not null constraint invitations_locale_check check (locale in ('en', 'nl')),
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  accepted_at timestamptz,
  accepted_by uuid,
  constraint invitations_tenant_key unique (organization_id, id),
  constraint invitations_member_fkey foreign key (organization_id, member_id)
    references public.project_members (organization_id, id) on delete cascade,
  constraint invitations_project_check check ((project_id is null) = (member_id is null)),
  constraint invitations_accepted_check check ((accepted_at is null) = (accepted_by is null))
);
comment on table public.invitations is
  'Who was asked to join: an organization, or a project and with it the organization. An accepted one is kept a while, so '
  'that its link, opened again, leads where it led. `role` is the one in the organization.';
create unique index invitations_member_key on public.invitations (organization_id, member_id);
create unique index invitations_open_key on public.invitations (organization_id, email)
  where project_id is null and accepted_at is null;
create index invitations_email_idx on public.invitations (organization_id, email);
create index invitations_accepted_idx on public.invitations (accepted_at) where accepted_at is not null;

create table public.invitation_links (
  token_digest bytea constraint invitation_links_pkey primary key,
  organization_id uuid not null,
  invitation_id uuid not null,
  constraint invitation_links_invitation_fkey foreign key (organization_id, invitation_id)
    references public.invitations (organization_id, id) on delete cascade
);
comment on table public.invitation_links is
  'SHA-256 of the tokens that were mailed, and nothing else of them. Sending again begins with none; a mail whose sending '
  'was tried twice has two.';
create index invitation_links_invitation_idx on public.invitation_links (organization_id, invitation_id);

create table public.mails (
  id uuid constraint mails_pkey primary key default gen_random_uuid(),
  organization_id uuid not null constraint mails_organization_fkey references public.organizations (id) on delete cascade,
  invitation_id uuid,
  email text not null,
  status text not null default 'pending'
    constraint mails_status_check check (status in ('pending', 'sent', 'failed', 'dropped')),
  error text,
  attempts integer not null default 0,
  created_at timestamptz not null default now(),
  due_at timestamptz not null default now(),
  lease_owner uuid,
  lease_until timestamptz,
  sent_at timestamptz,
  constraint mails_invitation_fkey foreign key (organization_id, invitation_id)
    references public.invitations (organization_id, id) on delete set null (invitation_id)
);
comment on table public.mails is
  'The outbox: mails of invitations. A row is the job; whoever sends it holds it under a lease. Rows outlive what they tell '
  'of, since they are counted: nobody is sent more than a few an hour.';
create index mails_due_idx on public.mails (due_at) where status = 'pending';
create index mails_email_idx on public.mails (email, created_at);
create index mails_organization_idx on public.mails (organization_id, created_at);
create index mails_invitation_idx on public.mails (organization_id, invitation_id);
create index mails_created_idx on public.mails (created_at);

create table public.deletions (
  id uuid constraint deletions_pkey primary key,
  kind text not null constraint deletions_kind_check check (kind in ('organization', 'account')),
  target_id uuid not null,
  status_digest bytea not null,
  status text not null default 'pending'
    constraint deletions_status_check check (status in ('pending', 'running', 'done')),
  steps jsonb not null,
  erased bigint not null default 0,
  asked_at timestamptz not null default now(),
  due_at timestamptz not null default now(),
  completed_at timestamptz
);
comment on table public.deletions is
  'What is being deleted, or was: a job, and afterwards the receipt. It outlives what it deletes, so it points at nothing. '
  '`status_digest` is SHA-256 of the token that shows it to whoever asked.';
create index deletions_due_idx on public.deletions (due_at) where status <> 'done';

revoke all on public.invited_seats, public.invitations, public.invitation_links, public.mails, public.deletions
  from anon, authenticated;
grant select on public.invitations, public.mails to authenticated;
grant all on public.invited_seats, public.invitations, public.invitation_links, public.mails, public.deletions
  to service_role;

alter table public.invited_seats enable row level security;
alter table public.invited_seats force row level security;
alter table public.invitations enable row level security;
alter table public.invitations force row level security;
create policy invitations_select on public.invitations for select to authenticated
  using (
    organization_id = (select kijko.current_org())
    and ((select kijko.is_manager()) or project_id in (select kijko.projects_where('invite')))
  );
alter table public.invitation_links enable row level security;
alter table public.invitation_links force row level security;
alter table public.mails enable row level security;
alter table public.mails force row level security;
create policy mails_select on public.mails for select to authenticated
  using (organization_id = (select kijko.current_org()) and (select kijko.is_manager()));
alter table public.deletions enable row level security;
alter table public.deletions force row level security;

-- ---- seats ---------------------------------------------------------------------------------------------------------

create function kijko.lock_people(organization uuid) returns void
  language sql volatile set search_path = ''
as $$ select pg_advisory_xact_lock(hashtextextended('people:' || organization::text, 0)) $$;
revoke execute on function kijko.lock_people(uuid) from public, anon, authenticated;

create function kijko.count_seat(organization uuid, seat uuid, person uuid) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  allowed constant numeric := kijko.lock_quota(organization, 'seats');
begin
  insert into public.usage_ledger (organization_id, metric, entry, quantity, subject_id, user_id)
  values (organization, 'seats', 'reserve', 1, seat, person)
  on conflict on constraint usage_ledger_subject_key do nothing;
  if found and allowed is not null then
    update public.usage_counters c set used = c.used + 1 where c.organization_id = organization and c.metric = 'seats';
  end if;
end
$$;
comment on function kijko.count_seat(uuid, uuid, uuid) is
  'Counts a seat that is held already, whatever the plan allows; one that is reserved is counted.';
revoke execute on function kijko.count_seat(uuid, uuid, uuid) from public, anon, authenticated;

create function kijko.seat_member() returns trigger
  language plpgsql security definer set search_path = ''
as $$
begin
  perform kijko.lock_people(new.organization_id);
  perform kijko.count_seat(new.organization_id, new.seat_id, new.user_id);
  return null;
end
$$;
revoke execute on function kijko.seat_member() from public, anon, authenticated;
create trigger memberships_seated after insert on public.memberships
  for each row execute function kijko.seat_member();

create function kijko.unseat_member() returns trigger
  language plpgsql security definer set search_path = ''
as $$
begin
  perform kijko.lock_people(old.organization_id);
  delete from public.project_members m where m.organization_id = old.organization_id and m.user_id = old.user_id;
  perform kijko.correct_usage(old.organization_id, 'seats', old.seat_id, 'release', 0);
  return null;
end
$$;
comment on function kijko.unseat_member() is 'However somebody goes: their seat is free, and they are in no project any more.';
revoke execute on function kijko.unseat_member() from public, anon, authenticated;
create trigger memberships_unseated after delete on public.memberships
  for each row execute function kijko.unseat_member();

insert into public.usage_ledger (organization_id, metric, entry, quantity, subject_id, user_id)
select m.organization_id, 'seats', 'reserve', 1, m.seat_id, m.user_id
from public.memberships m;
delete from public.usage_counters where metric = 'seats';

create function kijko.free_late_seats(organization uuid) returns bigint
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  late uuid;
  freed bigint := 0;
begin
  for late in
    delete from public.invited_seats s
    where s.organization_id = organization and s.expires_at <= clock_timestamp()
    returning s.seat_id
  loop
    perform kijko.correct_usage(organization, 'seats', late, 'release', 0);
    freed := freed + 1;
  end loop;
  return freed;
end
$$;
comment on function kijko.free_late_seats(uuid) is
  'Gives the seats of invitations that have expired back; how many. Under the lock `people`.';
revoke execute on function kijko.free_late_seats(uuid) from public, anon, authenticated;

create function kijko.sweep_seats() returns bigint
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  late uuid;
  freed bigint := 0;
begin
  for late in
    select s.organization_id
    from public.invited_seats s
    where s.expires_at <= clock_timestamp()
    group by s.organization_id
    order by s.organization_id
    limit 100
  loop
    perform kijko.lock_people(late);
    freed := freed + kijko.free_late_seats(late);
  end loop;
  return freed;
end
$$;
comment on function kijko.sweep_seats() is 'kijko.free_late_seats of every organization, at most 100 at once.';
revoke execute on function kijko.sweep_seats() from public, anon, authenticated;
grant execute on function kijko.sweep_seats() to service_role;

create function kijko.take_invited_seat(organization uuid, address text, until timestamptz) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  seat constant uuid := gen_random_uuid();
begin
  perform kijko.free_late_seats(organization);
  update public.invited_seats s set expires_at = greatest(s.expires_at, until)
  where s.organization_id = organization and s.email = address;
  if not found then
    perform kijko.reserve_for(organization, 'seats', 1, seat, auth.uid());
    insert into public.invited_seats (organization_id, email, seat_id, expires_at)
    values (organization, address, seat, until);
  end if;
end
$$;
comment on function kijko.take_invited_seat(uuid, text, timestamptz) is
  'Holds a seat for an address until then, or raises KJ429; one that it has is held longer. Under the lock `people`.';
revoke execute on function kijko.take_invited_seat(uuid, text, timestamptz) from public, anon, authenticated;

create function kijko.settle_invited_seat() returns trigger
  language plpgsql security definer set search_path = ''
as $$
declare
  until timestamptz;
  seat uuid;
begin
  perform kijko.lock_people(old.organization_id);
  select max(i.expires_at) into until
  from public.invitations i
  where i.organization_id = old.organization_id and i.email = old.email and i.accepted_at is null;
  update public.invited_seats s set expires_at = until
  where s.organization_id = old.organization_id and s.email = old.email and until is not null;
  if until is null then
    delete from public.invited_seats s
    where s.organization_id = old.organization_id and s.email = old.email
    returning s.seat_id into seat;
    if seat is not null then
      perform kijko.correct_usage(old.organization_id, 'seats', seat, 'release', 0);
    end if;
  end if;
  return null;
end
$$;
comment on function kijko.settle_invited_seat() is
  'However an invitation goes, by itself or with its project: an address without another one holds no seat.';
revoke execute on function kijko.settle_invited_seat() from public, anon, authenticated;
create trigger invitations_seat after delete on public.invitations
  for each row execute function kijko.settle_invited_seat();

create function kijko.member_by_address(organization uuid, address text) returns uuid
  language sql stable security definer set search_path = ''
as $$
  select m.user_id
  from public.memberships m
  join public.users u on u.id = m.user_id
  where m.organization_id = organization and lower(u.email) = address
  order by m.joined_at
  limit 1
$$;
revoke execute on function kijko.member_by_address(uuid, text) from public, anon, authenticated;

-- ---- inviting ------------------------------------------------------------------------------------------------------

create function kijko.mail_wait(organization uuid, address text) returns integer
  language sql stable security definer set search_path = ''
as $$
  select ceil(extract(epoch from greatest(
    (
      select m.created_at
      from public.mails m
      where m.email = address and m.created_at > clock_timestamp() - interval '1 hour'
      order by m.created_at desc
      offset 4 limit 1
    ),
    (
      select m.created_at
      from public.mails m
      where m.organization_id = organization and m.created_at > clock_timestamp() - interval '1 hour'
      order by m.created_at desc
      offset 299 limit 1
    )
  ) + interval '1 hour' - clock_timestamp()))::integer
$$;
comment on function kijko.mail_wait(uuid, text) is
  'Seconds until another invitation may be mailed, or null for now: an address gets 5 an hour at the most, whoever invites '
  'it, and an organization sends 300.';
revoke execute on function kijko.mail_wait(uuid, text) from public, anon, authenticated;

create function kijko.issue_invitation(
  organization uuid, project uuid, member uuid, address text, org_role text, message text, locale text
) returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  until constant timestamptz := clock_timestamp() + interval '7 days';
  invitation uuid;
begin
  if kijko.member_by_address(organization, address) is null then
    perform kijko.take_invited_seat(organization, address, until);
  end if;
  update public.invitations i
  set expires_at = until, invited_by = auth.uid(), role = org_role, locale = issue_invitation.locale,
    message = coalesce(issue_invitation.message, i.message)
  where i.organization_id = organization
    and i.accepted_at is null
    and case when member is null then i.project_id is null and i.email = address else i.member_id = member end
  returning i.id into invitation;
  if invitation is null then
    insert into public.invitations as i (
      organization_id, project_id, member_id, email, role, invited_by, message, locale, expires_at
    )
    values (
      organization, project, member, address, org_role, auth.uid(), issue_invitation.message, issue_invitation.locale,
      until
    )
    returning i.id into invitation;
  else
    -- The mails of before are void, sent or not: their links lead nowhere any more.
    delete from public.invitation_links l where l.organization_id = organization and l.invitation_id = invitation;
    update public.mails m set status = 'dropped'
    where m.organization_id = organization and m.invitation_id = invitation and m.status = 'pending';
  end if;
  insert into public.mails (organization_id, invitation_id, email) values (organization, invitation, address);
  return invitation;
end
$$;
comment on function kijko.issue_invitation(uuid, uuid, uuid, text, text, text, text) is
  'Makes an invitation, or makes one valid anew, with its seat and its mail; answers its id, or raises KJ429. Under the '
  'lock `people`.';
revoke execute on function kijko.issue_invitation(uuid, uuid, uuid, text, text, text, text)
  from public, anon, authenticated;

create function kijko.check_invite(project uuid, roles text[]) returns uuid
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
revoke execute on function kijko.check_invite(uuid, text[]) from public, anon, authenticated;

create function kijko.invite_to_project(
  project uuid, address text, member_role text, notify jsonb, message text, locale text,
  out outcome text, out member_id uuid, out wait integer
)
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  tenant constant uuid := kijko.check_invite(project, array[member_role]);
  colleague constant uuid := kijko.member_by_address(tenant, address);
  known public.project_members;
begin
  select m.* into known
  from public.project_members m
  where m.organization_id = tenant
    and m.project_id = project
    and (lower(m.email) = address or m.user_id = colleague)
  order by m.accepted_at is null
  limit 1;
  if known.role = 'admin' and member_role <> 'admin' then
    perform kijko.check_invite(project, '{admin}');
  end if;
  if known.accepted_at is not null or (
    colleague is null
    and exists (
      select from public.invitations i
      where i.organization_id = tenant and i.member_id = known.id and i.expires_at > clock_timestamp()
    )
  ) then
    outcome := 'exists';
    return;
  end if;
  wait := case when colleague is null then kijko.mail_wait(tenant, address) end;
  if wait is not null then
    outcome := 'limited';
    return;
  end if;
  if known.id is not null then
    delete from public.project_members m where m.organization_id = tenant and m.id = known.id;
  end if;
  insert into public.project_members as m (
    organization_id, project_id, user_id, email, role, notify_on_ingestion, notify_on_error, notify_on_team_changes,
    notification_level, accepted_at
  )
  values (
    tenant, project, colleague, address, member_role,
    coalesce((notify ->> 'ingestion')::boolean, true), coalesce((notify ->> 'error')::boolean, true),
    coalesce((notify ->> 'team')::boolean, true), coalesce(notify ->> 'level', 'real-time'),
    case when colleague is not null then now() end
  )
  returning m.id into member_id;
  if colleague is null then
    perform kijko.issue_invitation(tenant, project, member_id, address, 'member', message, locale);
    outcome := 'invited';
  else
    outcome := 'joined';
  end if;
end
$$;
comment on function kijko.invite_to_project(uuid, text, text, jsonb, text, text) is
  'Takes an address (in lower case) into a project: joined (a member of the organization), invited (with seat and mail, or '
  'KJ429), exists (a member, or openly invited) or limited (too many mails; `wait` seconds).';
revoke execute on function kijko.invite_to_project(uuid, text, text, jsonb, text, text) from public, anon, authenticated;
grant execute on function kijko.invite_to_project(uuid, text, text, jsonb, text, text) to authenticated;

create function kijko.resend_invitation(project uuid, member uuid, locale text, out outcome text, out wait integer)
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  tenant uuid := kijko.current_org();
  known public.project_members;
begin
  select m.* into known
  from public.project_members m
  where m.organization_id = tenant and m.project_id = project and m.id = member;
  perform kijko.check_invite(project, array[coalesce(known.role, 'viewer')]);
  select m.* into known
  from public.project_members m
  where m.organization_id = tenant and m.project_id = project and m.id = member;
  if known.id is null or known.accepted_at is not null then
    outcome := case when known.id is null then 'missing' else 'accepted' end;
    return;
  end if;
  wait := kijko.mail_wait(tenant, lower(known.email));
  if wait is not null then
    outcome := 'limited';
    return;
  end if;
  perform kijko.issue_invitation(tenant, project, known.id, lower(known.email), 'member', null, locale);
  outcome := 'invited';
end
$$;
comment on function kijko.resend_invitation(uuid, uuid, text) is
  'Makes a project''s invitation valid anew: a new link, seven days, a seat (or KJ429) and a mail. Else missing, accepted '
  'or limited (`wait` seconds).';
revoke execute on function kijko.resend_invitation(uuid, uuid, text) from public, anon, authenticated;
grant execute on function kijko.resend_invitation(uuid, uuid, text) to authenticated;

create function kijko.check_manager(touched text[]) returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  tenant constant uuid := kijko.current_org();
begin
  if tenant is null then
    raise exception 'no active organization' using errcode = 'KJ404';
  end if;
  perform kijko.lock_people(tenant);
  if not coalesce(kijko.current_role() = 'owner' or (kijko.current_role() = 'admin' and not 'owner' = any (touched)), false)
  then
    raise exception 'the role in the organization does not allow it' using errcode = '42501';
  end if;
  return tenant;
end
$$;
comment on function kijko.check_manager(text[]) is
  'The active organization, its people locked, where the caller manages members of those roles: an owner all, an admin all '
  'but owners. Else insufficient_privilege.';
revoke execute on function kijko.check_manager(text[]) from public, anon, authenticated;

create function kijko.invite_to_organization(
  address text, new_role text, locale text, out outcome text, out invitation_id uuid, out wait integer
)
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  tenant constant uuid := kijko.check_manager(array[new_role]);
begin
  if kijko.member_by_address(tenant, address) is not null or exists (
    select from public.invitations i
    where i.organization_id = tenant
      and i.email = address
      and i.project_id is null
      and i.accepted_at is null
      and i.expires_at > clock_timestamp()
  ) then
    outcome := 'exists';
    return;
  end if;
  wait := kijko.mail_wait(tenant, address);
  if wait is not null then
    outcome := 'limited';
    return;
  end if;
  invitation_id := kijko.issue_invitation(tenant, null, null, address, new_role, null, locale);
  outcome := 'invited';
end
$$;
comment on function kijko.invite_to_organization(text, text, text) is
  'Invites an address (in lower case) into the active organization: invited (with seat and mail, or KJ429), exists (a '
  'member, or openly invited) or limited (too many mails; `wait` seconds).';
revoke execute on function kijko.invite_to_organization(text, text, text) from public, anon, authenticated;
grant execute on function kijko.invite_to_organization(text, text, text) to authenticated;

create function kijko.withdraw_invitation(invitation uuid) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  tenant constant uuid := kijko.check_manager('{}');
  known public.invitations;
begin
  select i.* into known
  from public.invitations i
  where i.organization_id = tenant and i.id = invitation and i.accepted_at is null;
  if known.role = 'owner' then
    perform kijko.check_manager('{owner}');
  end if;
  delete from public.project_members m
  where m.organization_id = tenant and m.id = known.member_id and m.accepted_at is null;
  delete from public.invitations i where i.organization_id = tenant and i.id = known.id;
  return known.id is not null;
end
$$;
comment on function kijko.withdraw_invitation(uuid) is
  'Takes an open invitation of the active organization back, one into a project too; whether there was one.';
revoke execute on function kijko.withdraw_invitation(uuid) from public, anon, authenticated;
grant execute on function kijko.withdraw_invitation(uuid) to authenticated;

-- ---- accepting -----------------------------------------------------------------------------------------------------

create function kijko.check_seats(organization uuid) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  allowed constant numeric := kijko.lock_quota(organization, 'seats');
  taken numeric;
begin
  taken := kijko.usage_taken(organization, 'seats', '-infinity', null);
  if taken > allowed then
    raise exception 'quota exceeded' using errcode = 'KJ429', detail = jsonb_build_object(
      'metric', 'seats', 'limit', allowed, 'used', taken, 'resetsAt', null
    )::text;
  end if;
end
$$;
comment on function kijko.check_seats(uuid) is 'Raises KJ429 where more seats are held than the plan has by now.';
revoke execute on function kijko.check_seats(uuid) from public, anon, authenticated;

create function kijko.look_at_invitation(digest bytea, address text, out outcome text, out tenant uuid)
  language plpgsql stable security definer set search_path = ''
as $$
declare
  known public.invitations;
begin
  select i.* into known
  from public.invitation_links l
  join public.invitations i on i.id = l.invitation_id and i.organization_id = l.organization_id
  where l.token_digest = digest;
  outcome := case
    when known.id is null then 'missing'
    when known.email <> address then 'wrong_recipient'
    when known.accepted_at is not null then 'missing'
    when known.expires_at <= clock_timestamp() then 'expired'
    else 'open'
  end;
  tenant := case when outcome = 'open' then known.organization_id end;
end
$$;
comment on function kijko.look_at_invitation(bytea, text) is
  'What the link with that digest is to the holder of an address: open, expired, wrong_recipient or missing. Before '
  'anybody is known: for the API''s own role.';
revoke execute on function kijko.look_at_invitation(bytea, text) from public, anon, authenticated;
grant execute on function kijko.look_at_invitation(bytea, text) to kijko_api;

create function kijko.accept_as(
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
  elsif known.project_id is null and known.role = 'admin' then
    -- They came by an invitation into a project first. Nobody is lowered.
    update public.memberships m set role = 'admin'
    where m.organization_id = tenant and m.user_id = person and m.role = 'member';
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
comment on function kijko.accept_as(bytea, uuid) is
  'Takes a person where the link with that digest leads, once: joined, or missing, expired, wrong_recipient; KJ429 where '
  'the plan has become too small. Again it is joined too, for the same person, as long as they are a member.';
revoke execute on function kijko.accept_as(bytea, uuid) from public, anon, authenticated;

create function kijko.accept_invitation(
  digest bytea, out outcome text, out tenant uuid, out project uuid, out member uuid
)
  language sql volatile security definer set search_path = ''
as $$ select * from kijko.accept_as(digest, auth.uid()) $$;
comment on function kijko.accept_invitation(bytea) is 'kijko.accept_as the caller.';
revoke execute on function kijko.accept_invitation(bytea) from public, anon, authenticated;
grant execute on function kijko.accept_invitation(bytea) to authenticated;

create function kijko.join_by_invitation(subject uuid, address text, first_name text, last_name text, digest bytea)
  returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  joined record;
begin
  perform pg_advisory_xact_lock(hashtextextended('register:' || subject::text, 0));
  if exists (select from public.pending_signups p where p.user_id = subject and p.condemned) then
    raise exception 'the account is being deleted' using errcode = 'KJ401';
  end if;
  insert into public.users (id, email, first_name, last_name, email_verified)
  values (subject, address, join_by_invitation.first_name, join_by_invitation.last_name, true)
  on conflict (id) do nothing;
  select * into joined from kijko.accept_as(digest, subject);
  update public.users u set default_organization_id = joined.tenant where u.id = subject and joined.tenant is not null;
  return joined.outcome;
end
$$;
comment on function kijko.join_by_invitation(uuid, text, text, text, bytea) is
  'Makes a person who signs up at an invitation''s link, and takes them where it leads: kijko.accept_as. What came by mail '
  'has proven the address.';
revoke execute on function kijko.join_by_invitation(uuid, text, text, text, bytea) from public, anon, authenticated;
grant execute on function kijko.join_by_invitation(uuid, text, text, text, bytea) to kijko_api;

-- ---- members of a project ------------------------------------------------------------------------------------------

create function kijko.only_admin(project uuid, member uuid) returns boolean
  language sql stable security definer set search_path = ''
as $$
  select exists (
    select from public.project_members m
    where m.id = member and m.project_id = project and m.role = 'admin' and m.accepted_at is not null
  ) and not exists (
    select from public.project_members m
    where m.id <> member and m.project_id = project and m.role = 'admin' and m.accepted_at is not null
  )
$$;
revoke execute on function kijko.only_admin(uuid, uuid) from public, anon, authenticated;

create function kijko.project_member(project uuid, member uuid) returns public.project_members
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
comment on function kijko.project_member(uuid, uuid) is
  'A member of a project that the caller may read, with the organization''s people locked; else null.';
revoke execute on function kijko.project_member(uuid, uuid) from public, anon, authenticated;

create function kijko.change_project_member(project uuid, member uuid, changes jsonb) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  known constant public.project_members := kijko.project_member(project, member);
  new_role constant text := coalesce(changes ->> 'role', known.role);
begin
  if known.id is null then
    return 'missing';
  end if;
  -- Their own notices are everybody's own.
  if new_role <> known.role or known.user_id is distinct from auth.uid() then
    perform kijko.check_invite(project, array[known.role, new_role]);
  end if;
  if new_role <> 'admin' and kijko.only_admin(project, member) then
    return 'last_admin';
  end if;
  update public.project_members m
  set role = new_role,
    notify_on_ingestion = coalesce((changes ->> 'notify_on_ingestion')::boolean, m.notify_on_ingestion),
    notify_on_error = coalesce((changes ->> 'notify_on_error')::boolean, m.notify_on_error),
    notify_on_team_changes = coalesce((changes ->> 'notify_on_team_changes')::boolean, m.notify_on_team_changes),
    notification_level = coalesce(changes ->> 'notification_level', m.notification_level)
  where m.id = member;
  return 'done';
end
$$;
comment on function kijko.change_project_member(uuid, uuid, jsonb) is
  'Changes a member, or an invited one, of a project: done, missing or last_admin; 42501 where the role does not allow it.';
revoke execute on function kijko.change_project_member(uuid, uuid, jsonb) from public, anon, authenticated;
grant execute on function kijko.change_project_member(uuid, uuid, jsonb) to authenticated;

create function kijko.remove_project_member(project uuid, member uuid, only_open boolean) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  known constant public.project_members := kijko.project_member(project, member);
begin
  if known.id is null then
    return 'missing';
  end if;
  -- Everybody may leave.
  if known.user_id is distinct from auth.uid() then
    perform kijko.check_invite(project, array[known.role]);
  end if;
  if only_open and known.accepted_at is not null then
    return 'accepted';
  end if;
  if kijko.only_admin(project, member) then
    return 'last_admin';
  end if;
  delete from public.project_members m where m.id = member;
  return 'done';
end
$$;
comment on function kijko.remove_project_member(uuid, uuid, boolean) is
  'Takes a member, or an invited one, out of a project: done, missing, last_admin, or accepted where only an open '
  'invitation was to go; 42501 where the role does not allow it.';
revoke execute on function kijko.remove_project_member(uuid, uuid, boolean) from public, anon, authenticated;
grant execute on function kijko.remove_project_member(uuid, uuid, boolean) to authenticated;

-- ---- members of an organization ------------------------------------------------------------------------------------

create function kijko.house(person uuid) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  made uuid;
  owner_name text;
begin
  perform pg_advisory_xact_lock(hashtextextended('register:' || person::text, 0));
  if exists (select from public.memberships m where m.user_id = person) then
    return;
  end if;
  select coalesce(nullif(u.first_name, ''), nullif(split_part(u.email, '@', 1), ''), 'My') into owner_name
  from public.users u
  where u.id = person;
  if owner_name is null then
    return;
  end if;
  insert into public.organizations (name) values (left(owner_name, 85) || '''s organization') returning id into made;
  insert into public.memberships (organization_id, user_id, role) values (made, person, 'owner');
  update public.users u set default_organization_id = made where u.id = person;
end
$$;
comment on function kijko.house(uuid) is 'Gives a person who is in no organization any more one of their own.';
revoke execute on function kijko.house(uuid) from public, anon, authenticated;

create function kijko.only_owner(organization uuid, person uuid) returns boolean
  language sql stable security definer set search_path = ''
as $$
  select exists (
    select from public.memberships m where m.organization_id = organization and m.user_id = person and m.role = 'owner'
  ) and not exists (
    select from public.memberships m where m.organization_id = organization and m.user_id <> person and m.role = 'owner'
  )
$$;
revoke execute on function kijko.only_owner(uuid, uuid) from public, anon, authenticated;

create function kijko.unmember(organization uuid, person uuid) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  address constant text := (select lower(u.email) from public.users u where u.id = person);
begin
  -- What is open for the address goes as well: whoever was removed does not come back by an older mail.
  delete from public.project_members m
  where m.organization_id = organization and lower(m.email) = address and m.accepted_at is null;
  delete from public.invitations i where i.organization_id = organization and i.email = address and i.accepted_at is null;
  delete from public.memberships m where m.organization_id = organization and m.user_id = person;
  perform kijko.house(person);
end
$$;
revoke execute on function kijko.unmember(uuid, uuid) from public, anon, authenticated;

create function kijko.change_member(member uuid, new_role text) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  tenant constant uuid := kijko.check_manager(array[new_role]);
  old_role constant text := (
    select m.role from public.memberships m where m.organization_id = tenant and m.user_id = member
  );
begin
  if old_role is null then
    return 'missing';
  end if;
  perform kijko.check_manager(array[old_role]);
  if new_role <> 'owner' and kijko.only_owner(tenant, member) then
    return 'last_owner';
  end if;
  update public.memberships m set role = new_role where m.organization_id = tenant and m.user_id = member;
  -- An older mail does not give back what was taken.
  delete from public.invitations i
  where i.organization_id = tenant
    and i.project_id is null
    and i.accepted_at is null
    and i.email = (select lower(u.email) from public.users u where u.id = member);
  return 'done';
end
$$;
comment on function kijko.change_member(uuid, text) is
  'Gives a member of the active organization another role: done, missing or last_owner; 42501 where the caller may not.';
revoke execute on function kijko.change_member(uuid, text) from public, anon, authenticated;
grant execute on function kijko.change_member(uuid, text) to authenticated;

create function kijko.remove_member(member uuid) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  tenant uuid := kijko.current_org();
  old_role text;
begin
  if member is distinct from auth.uid() then
    tenant := kijko.check_manager('{}');
  elsif tenant is not null then
    perform kijko.lock_people(tenant);
  end if;
  select m.role into old_role from public.memberships m where m.organization_id = tenant and m.user_id = member;
  if old_role is null then
    return 'missing';
  end if;
  if member is distinct from auth.uid() then
    perform kijko.check_manager(array[old_role]);
  end if;
  if kijko.only_owner(tenant, member) then
    return 'last_owner';
  end if;
  perform kijko.unmember(tenant, member);
  return 'done';
end
$$;
comment on function kijko.remove_member(uuid) is
  'Takes a member out of the active organization and its projects: done, missing or last_owner; 42501 where the caller may '
  'not. Everybody may take themselves out. Whoever is in no organization then gets one of their own.';
revoke execute on function kijko.remove_member(uuid) from public, anon, authenticated;
grant execute on function kijko.remove_member(uuid) to authenticated;

create function kijko.found_organization(name text) returns uuid
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
revoke execute on function kijko.found_organization(text) from public, anon, authenticated;
grant execute on function kijko.found_organization(text) to authenticated;

create function kijko.my_organizations()
  returns table (id uuid, name text, role text, plan text, members bigint, created_at timestamptz, updated_at timestamptz)
  language sql stable security definer set search_path = ''
as $$
  select o.id, o.name, m.role, kijko.plan_of(o.id),
    (select count(*) from public.memberships c where c.organization_id = o.id), o.created_at, o.updated_at
  from public.memberships m
  join public.organizations o on o.id = m.organization_id
  where m.user_id = auth.uid()
  order by m.joined_at, o.id
$$;
comment on function kijko.my_organizations() is 'The organizations that the caller is a member of, first joined first.';
revoke execute on function kijko.my_organizations() from public, anon, authenticated;
grant execute on function kijko.my_organizations() to authenticated;

-- ---- the end of an organization ------------------------------------------------------------------------------------

create function kijko.is_paid(organization uuid) returns boolean
  language sql stable security definer set search_path = ''
as $$ select false $$;
comment on function kijko.is_paid(uuid) is
  'Whether somebody pays for this organization: a subscription is active (an operator''s grant is none). Nothing can be '
  'paid yet; billing''s migration replaces this function.';
revoke execute on function kijko.is_paid(uuid) from public, anon, authenticated;

create function kijko.delete_organization(confirm text, deletion uuid, digest bytea) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  tenant constant uuid := kijko.check_manager('{owner}');
  someone uuid;
begin
  if confirm is distinct from (select o.name from public.organizations o where o.id = tenant) then
    return 'unconfirmed';
  end if;
  if kijko.is_paid(tenant) then
    return 'paid';
  end if;
  -- From this commit on nobody gets in any more; the rest is the job's.
  delete from public.invitations i where i.organization_id = tenant;
  for someone in
    delete from public.memberships m where m.organization_id = tenant returning m.user_id
  loop
    perform kijko.house(someone);
  end loop;
  insert into public.deletions (id, kind, target_id, status_digest, steps)
  values (
    deletion, 'organization', tenant, digest,
    '[{"name": "access", "status": "done"}, {"name": "rows", "status": "pending"}, {"name": "files", "status": "pending"}]'
  );
  return 'done';
end
$$;
comment on function kijko.delete_organization(text, uuid, bytea) is
  'Ends the active organization: its members are out at once, and a job deletes what it has. done, unconfirmed (that is '
  'not its name) or paid; 42501 for whoever is no owner.';
revoke execute on function kijko.delete_organization(text, uuid, bytea) from public, anon, authenticated;
grant execute on function kijko.delete_organization(text, uuid, bytea) to authenticated;

create function kijko.deletion_status(deletion uuid, digest bytea) returns jsonb
  language sql stable security definer set search_path = ''
as $$
  select jsonb_strip_nulls(jsonb_build_object(
    'status', d.status,
    'steps', d.steps,
    'receipt', case when d.status = 'done' then jsonb_build_object(
      'deletionId', d.id, 'kind', d.kind, 'id', d.target_id, 'rows', d.erased,
      'requestedAt', to_char(d.asked_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
      'completedAt', to_char(d.completed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    ) end
  ))
  from public.deletions d
  where d.id = deletion and d.status_digest = digest
$$;
comment on function kijko.deletion_status(uuid, bytea) is
  'How far a deletion is, for whoever has its token. For the API''s own role.';
revoke execute on function kijko.deletion_status(uuid, bytea) from public, anon, authenticated;
grant execute on function kijko.deletion_status(uuid, bytea) to kijko_api;

-- The ledger goes with its organization and no sooner.
drop trigger usage_ledger_append_only on public.usage_ledger;
create trigger usage_ledger_append_only before update or truncate on public.usage_ledger
  for each statement execute function kijko.refuse_change();
create function kijko.refuse_forgetting() returns trigger
  language plpgsql security definer set search_path = ''
as $$
begin
  if exists (select from gone g join public.organizations o on o.id = g.organization_id) then
    raise exception 'the usage ledger is append-only' using errcode = 'KJ409';
  end if;
  return null;
end
$$;
revoke execute on function kijko.refuse_forgetting() from public, anon, authenticated;
create trigger usage_ledger_kept after delete on public.usage_ledger
  referencing old table as gone
  for each statement execute function kijko.refuse_forgetting();

create function kijko.erase_organization(organization uuid, most integer) returns bigint
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  place record;
  gone bigint;
begin
  -- Whatever has an organization_id, the deepest first, so that no deletion has a long tail of its own; tables of later
  -- migrations are among them. What the file store still holds is noted in storage_deletions, which the sweep empties.
  for place in
    with recursive tables as (
      select c.oid, c.relname::text as name
      from pg_catalog.pg_class c
      join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = 'organization_id' and not a.attisdropped
      where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relname <> 'storage_deletions'
    ),
    below as (
      select 'public.organizations'::regclass::oid as oid, 0 as depth
      union
      select k.conrelid, b.depth + 1
      from below b
      join pg_catalog.pg_constraint k on k.confrelid = b.oid and k.contype = 'f' and k.conrelid <> k.confrelid
      where b.depth < 12
    )
    select t.name, coalesce(max(b.depth), -1) as depth
    from tables t
    left join below b on b.oid = t.oid
    group by t.name
    order by 2 desc, 1
  loop
    if place.depth < 0 then
      delete from public.organizations o where o.id = organization;
    end if;
    execute format(
      'delete from public.%1$I where organization_id = $1 '
      'and ctid = any (array(select ctid from public.%1$I where organization_id = $1 limit $2))',
      place.name
    ) using organization, most;
    get diagnostics gone = row_count;
    if gone > 0 then
      return gone;
    end if;
  end loop;
  delete from public.organizations o where o.id = organization;
  return 0;
end
$$;
comment on function kijko.erase_organization(uuid, integer) is
  'Deletes some of the rows of an organization, at most so many, and itself when there are no others but the ledger''s; how '
  'many. Call it until it answers 0.';
revoke execute on function kijko.erase_organization(uuid, integer) from public, anon, authenticated;
grant execute on function kijko.erase_organization(uuid, integer) to service_role;

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
