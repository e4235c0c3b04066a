-- Sign-in: whose a session is, and one change of a password at a time.

create function kijko.session_person(session text) returns uuid
  language sql stable security definer set search_path = ''
as $$ select d.user_id from public.session_devices d where d.session_id = session $$;
comment on function kijko.session_person(text) is 'Who began that session here, or null.';
revoke execute on function kijko.session_person(text) from public, anon, authenticated;
grant execute on function kijko.session_person(text) to kijko_api;

create table public.password_claims (
  user_id uuid constraint password_claims_pkey primary key,
  id uuid not null,
  claimed_until timestamptz not null
);
comment on table public.password_claims is
  'Whose password is being changed at the moment. Past claimed_until the process that does it is taken for dead.';
revoke all on public.password_claims from anon, authenticated;
grant all on public.password_claims to service_role;
alter table public.password_claims enable row level security;
alter table public.password_claims force row level security;

create function kijko.claim_password(subject uuid, claim uuid, seconds integer) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into public.password_claims as c (user_id, id, claimed_until)
  values (subject, claim, clock_timestamp() + make_interval(secs => seconds))
  on conflict (user_id) do update
    set id = excluded.id, claimed_until = excluded.claimed_until
    where c.claimed_until <= clock_timestamp();
  return found;
end
$$;
comment on function kijko.claim_password(uuid, uuid, integer) is
  'Whether the caller may change that person''s password now; nobody else may for so many seconds, or until it is dropped.';
revoke execute on function kijko.claim_password(uuid, uuid, integer) from public, anon, authenticated;
grant execute on function kijko.claim_password(uuid, uuid, integer) to kijko_api;

create function kijko.drop_password_claim(subject uuid, claim uuid) returns void
  language sql volatile security definer set search_path = ''
as $$ delete from public.password_claims c where c.user_id = subject and c.id = claim $$;
comment on function kijko.drop_password_claim(uuid, uuid) is 'Gives the claim back, unless somebody else has it by now.';
revoke execute on function kijko.drop_password_claim(uuid, uuid) from public, anon, authenticated;
grant execute on function kijko.drop_password_claim(uuid, uuid) to kijko_api;

create or replace function kijko.forget_old_sign_ins() returns void
  language sql volatile security definer set search_path = ''
as $$
  delete from public.refresh_answers r where r.expires_at < now();
  delete from public.sign_in_codes c where c.expires_at < now();
  delete from public.pending_mails m where m.expires_at < now();
  delete from public.pending_resets r where r.expires_at < now();
  delete from public.password_claims p where p.claimed_until < now();
  delete from public.session_devices d where d.last_seen_at < now() - interval '60 days';
  delete from public.ended_sessions e
  where e.expires_at < now()
    and not exists (select from public.pending_logouts l where l.session_id = e.session_id);
$$;
