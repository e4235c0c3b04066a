-- Sign-in: what makes it whole after a crash, answers that are given again, codes that work once.
--
-- The sign-in server keeps passwords, sessions and identities. Here is what must be exact across processes: rows that
-- say what was begun there and is not yet finished, so that a sweep can finish or undo it. No role of a request may
-- touch these tables; it calls the functions below, each granted by name.

create table public.pending_signups (
  id uuid constraint pending_signups_pkey primary key,
  email text not null,
  user_id uuid,
  condemned boolean not null default false,
  started_at timestamptz not null default now(),
  lease_until timestamptz not null
);
comment on table public.pending_signups is
  'Sign-ups that were begun and not finished. Past lease_until its process is dead: what it made is taken back. '
  'Condemned: the account of user_id is being deleted, and may not be registered any more.';
create index pending_signups_email_idx on public.pending_signups (email);
create index pending_signups_user_idx on public.pending_signups (user_id);

create table public.pending_logouts (
  session_id text constraint pending_logouts_pkey primary key,
  user_id uuid not null,
  asked_at timestamptz not null default now()
);
comment on table public.pending_logouts is
  'Sessions that ended here and whose end the sign-in server has not confirmed yet.';

create table public.pending_mails (
  id uuid constraint pending_mails_pkey primary key default gen_random_uuid(),
  kind text not null constraint pending_mails_kind_check check (kind in ('verify', 'reset')),
  email text not null,
  due_at timestamptz not null,
  attempts integer not null default 0,
  expires_at timestamptz not null,
  constraint pending_mails_once unique (kind, email)
);
comment on table public.pending_mails is 'Mails that somebody asked for and that the sign-in server has not sent yet.';
create index pending_mails_due_idx on public.pending_mails (due_at);

create table public.pending_resets (
  user_id uuid constraint pending_resets_pkey primary key,
  password_since timestamptz,
  asked_at timestamptz not null default now(),
  look_at timestamptz not null default now(),
  expires_at timestamptz not null
);
comment on table public.pending_resets is
  'People who were mailed a link to a new password, since when they have their present one (null: none), and when to '
  'look next whether they have another.';
create index pending_resets_look_idx on public.pending_resets (look_at);

create table public.refresh_answers (
  token_hash bytea constraint refresh_answers_pkey primary key,
  session_id text,
  claimed_until timestamptz not null,
  answer text,
  answered_at timestamptz,
  expires_at timestamptz not null
);
comment on table public.refresh_answers is
  'For a short while, what a refresh token was exchanged for (encrypted), so that a second tab gets the same.';
create index refresh_answers_expires_idx on public.refresh_answers (expires_at);

create table public.sign_in_codes (
  code_hash bytea constraint sign_in_codes_pkey primary key,
  session_id text not null,
  answer text not null,
  expires_at timestamptz not null
);
comment on table public.sign_in_codes is
  'One-time codes that end a Google or GitHub sign-in, with the tokens (encrypted) that each buys.';
create index sign_in_codes_expires_idx on public.sign_in_codes (expires_at);

create table public.session_devices (
  session_id text constraint session_devices_pkey primary key,
  user_id uuid not null constraint session_devices_user_fkey references public.users (id) on delete cascade,
  ip_address text not null,
  user_agent text,
  started_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now()
);
comment on table public.session_devices is
  'Where a session was begun. The sign-in server only sees this API''s address. Gone 60 days after its last refresh.';
create index session_devices_user_idx on public.session_devices (user_id);
create index session_devices_seen_idx on public.session_devices (last_seen_at);

revoke all on public.pending_signups, public.pending_logouts, public.pending_mails, public.pending_resets,
  public.refresh_answers, public.sign_in_codes, public.session_devices from anon, authenticated;
grant all on public.pending_signups, public.pending_logouts, public.pending_mails, public.pending_resets,
  public.refresh_answers, public.sign_in_codes, public.session_devices to service_role;
alter table public.pending_signups enable row level security;
alter table public.pending_signups force row level security;
alter table public.pending_logouts enable row level security;
alter table public.pending_logouts force row level security;
alter table public.pending_mails enable row level security;
alter table public.pending_mails force row level security;
alter table public.pending_resets enable row level security;
alter table public.pending_resets force row level security;
alter table public.refresh_answers enable row level security;
alter table public.refresh_answers force row level security;
alter table public.sign_in_codes enable row level security;
alter table public.sign_in_codes force row level security;
alter table public.session_devices enable row level security;
alter table public.session_devices force row level security;

-- ---- a person gets an organization ---------------------------------------------------------------------------------

create function kijko.default_organization(subject uuid) returns uuid
  language sql stable security definer set search_path = ''
as $$
  select m.organization_id
  from public.memberships m
  join public.users u on u.id = m.user_id
  where m.user_id = subject
  order by m.organization_id = u.default_organization_id desc nulls last, m.joined_at, m.organization_id
  limit 1
$$;
comment on function kijko.default_organization(uuid) is 'Where that person works unless they choose, or null.';
revoke execute on function kijko.default_organization(uuid) from public, anon, authenticated;

create function kijko.register(
  subject uuid, email text, first_name text, last_name text, email_verified boolean, organization_name text,
  new_organization uuid default gen_random_uuid()
) returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  organization uuid;
begin
  -- Two first requests of one person at once must make one organization.
  perform pg_advisory_xact_lock(hashtextextended('register:' || subject::text, 0));
  if exists (select from public.pending_signups p where p.user_id = subject and p.condemned) then
    raise exception 'the account is being deleted' using errcode = 'KJ401';
  end if;
  insert into public.users as u (id, email, first_name, last_name, email_verified)
  values (subject, register.email, register.first_name, register.last_name, register.email_verified)
  on conflict (id) do update
    set email = excluded.email, email_verified = excluded.email_verified, updated_at = now()
    where (u.email, u.email_verified) is distinct from (excluded.email, excluded.email_verified);
  organization := kijko.default_organization(subject);
  if organization is not null then
    return organization;
  end if;
  insert into public.organizations (id, name) values (new_organization, organization_name) returning id into organization;
  insert into public.memberships (organization_id, user_id, role) values (organization, subject, 'owner');
  update public.users u set default_organization_id = organization where u.id = subject;
  return organization;
end
$$;
comment on function kijko.register(uuid, text, text, text, boolean, text, uuid) is
  'Makes the person and, unless there is one, an organization of their own; answers the default organization. '
  'Safe to call again. KJ401 when the account is being deleted.';
revoke execute on function kijko.register(uuid, text, text, text, boolean, text, uuid) from public, anon, authenticated;
grant execute on function kijko.register(uuid, text, text, text, boolean, text, uuid) to kijko_api, service_role;

create function kijko.note_session(session text, subject uuid, address text, agent text) returns void
  language sql volatile security definer set search_path = ''
as $$
  insert into public.session_devices as d (session_id, user_id, ip_address, user_agent)
  values (session, subject, address, agent)
  on conflict (session_id) do update
    set ip_address = excluded.ip_address, user_agent = excluded.user_agent, last_seen_at = now()
    where d.user_id = excluded.user_id
$$;
comment on function kijko.note_session(text, uuid, text, text) is 'Remembers from where a session was last begun or renewed.';
revoke execute on function kijko.note_session(text, uuid, text, text) from public, anon, authenticated;
grant execute on function kijko.note_session(text, uuid, text, text) to kijko_api, service_role;

-- ---- signing up ----------------------------------------------------------------------------------------------------

create function kijko.begin_signup(attempt uuid, email text, seconds integer) returns void
  language sql volatile security definer set search_path = ''
as $$
  insert into public.pending_signups (id, email, lease_until)
  values (attempt, email, clock_timestamp() + make_interval(secs => seconds))
$$;
comment on function kijko.begin_signup(uuid, text, integer) is 'Says that an account is about to be made for this address.';
revoke execute on function kijko.begin_signup(uuid, text, integer) from public, anon, authenticated;
grant execute on function kijko.begin_signup(uuid, text, integer) to kijko_api;

create function kijko.finish_signup(attempt uuid) returns void
  language sql volatile security definer set search_path = ''
as $$ delete from public.pending_signups p where p.id = attempt $$;
comment on function kijko.finish_signup(uuid) is 'Nothing of this attempt is left to be finished or taken back.';
revoke execute on function kijko.finish_signup(uuid) from public, anon, authenticated;
grant execute on function kijko.finish_signup(uuid) to kijko_api, service_role;

create function kijko.stale_signups(address text) returns table (id uuid, email text, user_id uuid)
  language sql stable security definer set search_path = ''
as $$
  select p.id, p.email, p.user_id
  from public.pending_signups p
  where (p.condemned or p.lease_until < clock_timestamp()) and (address is null or p.email = address)
  order by p.started_at
  limit 100
$$;
comment on function kijko.stale_signups(text) is 'Sign-ups to be taken back, condemned or of a dead process: of one address, or (null) of all.';
revoke execute on function kijko.stale_signups(text) from public, anon, authenticated;
grant execute on function kijko.stale_signups(text) to kijko_api, service_role;

create function kijko.condemn_signup(attempt uuid, subject uuid, besides uuid) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- The same lock as kijko.register: an account is registered or condemned, never both.
  perform pg_advisory_xact_lock(hashtextextended('register:' || subject::text, 0));
  if exists (select from public.users u where u.id = subject) then
    return 'registered';
  end if;
  if exists (
    select from public.pending_signups mine
    join public.pending_signups other on other.email = mine.email
    where mine.id = attempt
      and other.id not in (attempt, coalesce(besides, attempt))
      and other.lease_until >= clock_timestamp()
      and not other.condemned
  ) then
    return 'busy';
  end if;
  update public.pending_signups p set condemned = true, user_id = subject where p.id = attempt;
  return case when found then 'condemned' else 'gone' end;
end
$$;
comment on function kijko.condemn_signup(uuid, uuid, uuid) is
  'Whether the account that a broken sign-up left may be deleted: condemned (it may, and cannot be registered any more), '
  'registered (it is somebody''s), busy (another sign-up of that address is under way, besides the one named) or gone '
  '(no such attempt).';
revoke execute on function kijko.condemn_signup(uuid, uuid, uuid) from public, anon, authenticated;
grant execute on function kijko.condemn_signup(uuid, uuid, uuid) to kijko_api, service_role;

-- ---- refreshing ----------------------------------------------------------------------------------------------------

create function kijko.claim_refresh(token bytea, session text, lease_s integer, reuse_s integer)
  returns table (state text, answer text)
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  known public.refresh_answers;
  instant constant timestamptz := clock_timestamp();
  lease constant timestamptz := instant + make_interval(secs => lease_s);
begin
  insert into public.refresh_answers (token_hash, session_id, claimed_until, expires_at)
  values (token, session, instant, lease + make_interval(secs => reuse_s))
  on conflict do nothing;
  select r.* into strict known from public.refresh_answers r where r.token_hash = token for update;
  if exists (select from public.ended_sessions e where e.session_id in (session, known.session_id)) then
    return query select 'ended', null::text;
  elsif known.answer is not null and known.answered_at + make_interval(secs => reuse_s) > instant then
    return query select 'answered', known.answer;
  elsif known.answer is null and known.claimed_until > instant then
    return query select 'taken', null::text;
  else
    update public.refresh_answers r
    set claimed_until = lease, answer = null, answered_at = null, expires_at = lease + make_interval(secs => reuse_s)
    where r.token_hash = token;
    return query select 'mine', null::text;
  end if;
end
$$;
comment on function kijko.claim_refresh(bytea, text, integer, integer) is
  'Who exchanges a refresh token: mine (the caller does, within lease_s), taken (somebody is at it: ask again), answered '
  '(it was, not reuse_s ago: here is the answer) or ended (its session has).';
revoke execute on function kijko.claim_refresh(bytea, text, integer, integer) from public, anon, authenticated;
grant execute on function kijko.claim_refresh(bytea, text, integer, integer) to kijko_api;

create function kijko.keep_refresh(token bytea, session text, kept text, reuse_s integer) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  update public.refresh_answers r
  set session_id = session, answer = kept, answered_at = clock_timestamp(),
    expires_at = clock_timestamp() + make_interval(secs => reuse_s)
  where r.token_hash = token;
  return not exists (select from public.ended_sessions e where e.session_id = session);
end
$$;
comment on function kijko.keep_refresh(bytea, text, text, integer) is
  'Keeps the answer to a refresh token for reuse_s; false when the session ended meanwhile.';
revoke execute on function kijko.keep_refresh(bytea, text, text, integer) from public, anon, authenticated;
grant execute on function kijko.keep_refresh(bytea, text, text, integer) to kijko_api;

create function kijko.drop_refresh(token bytea) returns void
  language sql volatile security definer set search_path = ''
as $$ delete from public.refresh_answers r where r.token_hash = token and r.answer is null $$;
comment on function kijko.drop_refresh(bytea) is 'Gives a claim back: the exchange did not take place.';
revoke execute on function kijko.drop_refresh(bytea) from public, anon, authenticated;
grant execute on function kijko.drop_refresh(bytea) to kijko_api;

-- ---- one-time codes ------------------------------------------------------------------------------------------------

create function kijko.keep_code(code bytea, session text, kept text, seconds integer) returns void
  language sql volatile security definer set search_path = ''
as $$
  insert into public.sign_in_codes (code_hash, session_id, answer, expires_at)
  values (code, session, kept, clock_timestamp() + make_interval(secs => seconds))
$$;
comment on function kijko.keep_code(bytea, text, text, integer) is 'Keeps what a one-time code buys for so many seconds.';
revoke execute on function kijko.keep_code(bytea, text, text, integer) from public, anon, authenticated;
grant execute on function kijko.keep_code(bytea, text, text, integer) to kijko_api;

create function kijko.take_code(code bytea) returns text
  language sql volatile security definer set search_path = ''
as $$
  with taken as (
    delete from public.sign_in_codes c where c.code_hash = code returning c.session_id, c.answer, c.expires_at
  )
  select t.answer
  from taken t
  where t.expires_at > clock_timestamp()
    and not exists (select from public.ended_sessions e where e.session_id = t.session_id)
$$;
comment on function kijko.take_code(bytea) is 'What a one-time code buys, once; null for an unknown, used or late one.';
revoke execute on function kijko.take_code(bytea) from public, anon, authenticated;
grant execute on function kijko.take_code(bytea) to kijko_api;

-- ---- the ends of sessions ------------------------------------------------------------------------------------------

create function kijko.sign_out(session text, subject uuid, seconds integer) returns void
  language sql volatile security definer set search_path = ''
as $$
  select kijko.end_session(session, subject, seconds);
  insert into public.pending_logouts (session_id, user_id) values (session, subject) on conflict do nothing;
$$;
comment on function kijko.sign_out(text, uuid, integer) is
  'Refuses a session from now on, and notes that the sign-in server must still end it.';
revoke execute on function kijko.sign_out(text, uuid, integer) from public, anon, authenticated;
grant execute on function kijko.sign_out(text, uuid, integer) to kijko_api, service_role;

create function kijko.signed_out(session text) returns void
  language sql volatile security definer set search_path = ''
as $$ delete from public.pending_logouts l where l.session_id = session $$;
comment on function kijko.signed_out(text) is 'The sign-in server has ended that session.';
revoke execute on function kijko.signed_out(text) from public, anon, authenticated;
grant execute on function kijko.signed_out(text) to kijko_api, service_role;

create function kijko.my_sessions()
  returns table (session_id text, ip_address text, user_agent text, ended boolean)
  language sql stable security definer set search_path = ''
as $$
  select coalesce(d.session_id, e.session_id), d.ip_address, d.user_agent, e.session_id is not null
  from (select * from public.session_devices x where x.user_id = (select auth.uid())) d
  full join (select * from public.ended_sessions y where y.user_id = (select auth.uid())) e
    on e.session_id = d.session_id
$$;
comment on function kijko.my_sessions() is 'What is known here of the caller''s own sessions.';
revoke execute on function kijko.my_sessions() from public, anon, authenticated;
grant execute on function kijko.my_sessions() to authenticated;

-- ---- mails and resets ----------------------------------------------------------------------------------------------

create function kijko.queue_mail(mail_kind text, address text, seconds integer) returns uuid
  language sql volatile security definer set search_path = ''
as $$
  insert into public.pending_mails as m (kind, email, due_at, expires_at)
  values (
    mail_kind, address, clock_timestamp() + make_interval(secs => 60), clock_timestamp() + make_interval(secs => seconds)
  )
  on conflict on constraint pending_mails_once do update set expires_at = excluded.expires_at
  returning m.id
$$;
comment on function kijko.queue_mail(text, text, integer) is
  'Notes a mail that the caller is about to have sent; unless it says so within a minute, the sweep takes it up.';
revoke execute on function kijko.queue_mail(text, text, integer) from public, anon, authenticated;
grant execute on function kijko.queue_mail(text, text, integer) to kijko_api;

create function kijko.mail_sent(mail uuid) returns void
  language sql volatile security definer set search_path = ''
as $$ delete from public.pending_mails m where m.id = mail $$;
comment on function kijko.mail_sent(uuid) is 'The mail was sent, or nobody is to get it.';
revoke execute on function kijko.mail_sent(uuid) from public, anon, authenticated;
grant execute on function kijko.mail_sent(uuid) to kijko_api, service_role;

create function kijko.watch_reset(subject uuid, since timestamptz, seconds integer) returns void
  language sql volatile security definer set search_path = ''
as $$
  insert into public.pending_resets as r (user_id, password_since, expires_at)
  values (subject, since, clock_timestamp() + make_interval(secs => seconds))
  on conflict (user_id) do update set asked_at = now(), look_at = now(), expires_at = excluded.expires_at
$$;
comment on function kijko.watch_reset(uuid, timestamptz, integer) is
  'A link to a new password went out: the sweep ends older sessions when the password has changed.';
revoke execute on function kijko.watch_reset(uuid, timestamptz, integer) from public, anon, authenticated;
grant execute on function kijko.watch_reset(uuid, timestamptz, integer) to kijko_api, service_role;

-- ---- the sweep (it runs as service_role, which reads and writes the tables themselves) -----------------------------

create function kijko.forget_old_sign_ins() returns void
  language sql volatile security definer set search_path = ''
as $$
  delete from public.refresh_answers r where r.expires_at < now();
  delete from public.sign_in_codes c where c.expires_at < now();
  delete from public.pending_mails m where m.expires_at < now();
  delete from public.pending_resets r where r.expires_at < now();
  delete from public.session_devices d where d.last_seen_at < now() - interval '60 days';
  delete from public.ended_sessions e
  where e.expires_at < now()
    and not exists (select from public.pending_logouts l where l.session_id = e.session_id);
$$;
comment on function kijko.forget_old_sign_ins() is 'Deletes what has had its time.';
revoke execute on function kijko.forget_old_sign_ins() from public, anon, authenticated;
grant execute on function kijko.forget_old_sign_ins() to service_role;
