-- Whoever is added to a project at once, because they are of the organization already, is told so by mail.

alter table public.mails
  add column kind text not null default 'invitation'
    constraint mails_kind_check check (kind in ('invitation', 'added')),
  add column member_id uuid,
  add column told_by uuid,
  add column locale text constraint mails_locale_check check (locale in ('en', 'nl')),
  add column message text,
  add constraint mails_member_fkey foreign key (organization_id, member_id)
    references public.project_members (organization_id, id) on delete set null (member_id),
  add constraint mails_added_check check (kind = 'invitation' or (told_by is not null and locale is not null));
comment on table public.mails is
  'The outbox: mails of invitations, and notices to colleagues who were added to a project. A row is the job; whoever '
  'sends it holds it under a lease. Rows outlive what they tell of, since they are counted: nobody is sent more than a few '
  'an hour. An invitation has its own locale and message; a notice has them here.';
create index mails_member_idx on public.mails (organization_id, member_id);

create or replace function kijko.mail_wait(organization uuid, address text) returns integer
  language sql stable security definer set search_path = ''
as $$
  select ceil(extract(epoch from greatest(
    (
      select m.created_at
      from public.mails m
      where m.email = address and m.kind = 'invitation' and m.created_at > clock_timestamp() - interval '1 hour'
      order by m.created_at desc
      offset 4 limit 1
    ),
    (
      select m.created_at
      from public.mails m
      where m.organization_id = organization
        and m.kind = 'invitation'
        and m.created_at > clock_timestamp() - interval '1 hour'
      order by m.created_at desc
      offset 299 limit 1
    )
  ) + interval '1 hour' - clock_timestamp()))::integer
$$;

create function kijko.tell_added(organization uuid, member uuid, address text, message text, locale text) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if (
    select count(*) >= 5
    from public.mails m
    where m.email = address
      and m.organization_id = organization
      and m.kind = 'added'
      and m.created_at > clock_timestamp() - interval '1 hour'
  ) then
    return;
  end if;
  insert into public.mails (organization_id, email, kind, member_id, told_by, locale, message)
  values (organization, address, 'added', member, auth.uid(), tell_added.locale, tell_added.message);
end
$$;
comment on function kijko.tell_added(uuid, uuid, text, text, text) is
  'Puts a notice that somebody was added to a project into the outbox; none beyond five an hour from one organization, '
  'since being added is no reason to be bothered.';
revoke execute on function kijko.tell_added(uuid, uuid, text, text, text) from public, anon, authenticated;

create or replace function kijko.invite_to_project(
  project uuid, address text, member_role text, notify jsonb, message text, locale text,
  out outcome text, out member_id uuid, out wait integer
)
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  tenant constant uuid := kijko.check_invite(project, array[member_role]);
  colleague constant uuid := kijko.member_by_address(tenant, address);
  level constant text := coalesce(notify ->> 'level', 'real-time');
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
    coalesce((notify ->> 'team')::boolean, true), level,
    case when colleague is not null then now() end
  )
  returning m.id into member_id;
  if colleague is null then
    perform kijko.issue_invitation(tenant, project, member_id, address, 'member', message, locale);
    outcome := 'invited';
    return;
  end if;
  outcome := 'joined';
  -- Whoever adds themselves knows it, and whose notices are off is told nothing.
  if colleague <> auth.uid() and level <> 'disabled' then
    perform kijko.tell_added(tenant, member_id, address, message, locale);
  end if;
end
$$;
comment on function kijko.invite_to_project(uuid, text, text, jsonb, text, text) is
  'Takes an address (in lower case) into a project: joined (a member of the organization, with a notice by mail), invited '
  '(with seat and mail, or KJ429), exists (a member, or openly invited) or limited (too many mails; `wait` seconds).';
