-- Answers kept under an Idempotency-Key for a day, so that a request that is sent again does nothing again.
--
-- The row is written in the transaction of the work it answers for. Where the work spans several (it calls somebody
-- outside), a row without an answer claims the key first, under a lease that ends a crashed attempt's claim.

create table public.idempotency_keys (
  organization_id uuid constraint idempotency_keys_organization_fkey references public.organizations (id) on delete cascade,
  user_id uuid not null constraint idempotency_keys_user_fkey references public.users (id) on delete cascade,
  path text not null,
  key text not null constraint idempotency_keys_key_check check (char_length(key) between 1 and 255),
  fingerprint bytea not null,
  status smallint,
  answer bytea,
  leased_until timestamptz,
  expires_at timestamptz not null,
  constraint idempotency_keys_answer_check check (
    (status is null) = (answer is null) and (status is null) = (leased_until is not null)
  )
);
comment on table public.idempotency_keys is
  'One row for each key a caller used at a path: what was asked (a hash) and what was answered (encrypted).';
-- One key for one caller, organization and path; somebody without an organization has keys too.
create unique index idempotency_keys_key on public.idempotency_keys (user_id, key, path, organization_id)
  nulls not distinct;
create index idempotency_keys_organization_idx on public.idempotency_keys (organization_id);
create index idempotency_keys_expires_idx on public.idempotency_keys (expires_at);

create function kijko.claim_key(
  path text, key text, fingerprint bytea, lease_seconds integer, out outcome text, out status smallint, out answer bytea
)
  language plpgsql volatile set search_path = ''
as $$
declare
  organization uuid := kijko.current_org();
  person uuid := auth.uid();
  known record;
begin
  -- Held until this transaction ends: who comes meanwhile with the same key is told so, and does not wait.
  if not pg_try_advisory_xact_lock(
    hashtextextended(jsonb_build_array('idempotency', person, organization, path, key)::text, 0)
  ) then
    outcome := 'in_progress';
    return;
  end if;
  -- A statement of its own, after the lock: it sees what the lock's last holder committed.
  select k.fingerprint, k.status, k.answer, k.leased_until, k.expires_at into known
  from public.idempotency_keys k
  where k.user_id = person
    and k.key = claim_key.key
    and k.path = claim_key.path
    and k.organization_id is not distinct from organization;
  if found and least(known.expires_at, known.leased_until) <= clock_timestamp() then
    delete from public.idempotency_keys k
    where k.user_id = person
      and k.key = claim_key.key
      and k.path = claim_key.path
      and k.organization_id is not distinct from organization;
    known := null;
  end if;
  if known is null then
    outcome := 'claimed';
    if lease_seconds is not null then
      insert into public.idempotency_keys (organization_id, user_id, path, key, fingerprint, leased_until, expires_at)
      values (
        organization, person, claim_key.path, claim_key.key, claim_key.fingerprint,
        clock_timestamp() + make_interval(secs => lease_seconds), now() + interval '24 hours'
      );
    end if;
  elsif known.fingerprint <> claim_key.fingerprint then
    outcome := 'mismatch';
  elsif known.status is null then
    outcome := 'in_progress';
  else
    outcome := 'kept';
    status := known.status;
    answer := known.answer;
  end if;
end
$$;
comment on function kijko.claim_key(text, text, bytea, integer) is
  'Takes a key for the caller, the active organization and a path until the end of this transaction, or with '
  'lease_seconds by a row until then. outcome: claimed; kept, with the first answer; in_progress; mismatch.';
revoke execute on function kijko.claim_key(text, text, bytea, integer) from public, anon, authenticated;
grant execute on function kijko.claim_key(text, text, bytea, integer) to authenticated;

revoke all on public.idempotency_keys from anon, authenticated;
grant select, insert, update, delete on public.idempotency_keys to authenticated;
grant all on public.idempotency_keys to service_role;

alter table public.idempotency_keys enable row level security;
alter table public.idempotency_keys force row level security;
create policy idempotency_keys_own on public.idempotency_keys for all to authenticated
  using (user_id = (select auth.uid()) and organization_id is not distinct from (select kijko.current_org()))
  with check (user_id = (select auth.uid()) and organization_id is not distinct from (select kijko.current_org()));
