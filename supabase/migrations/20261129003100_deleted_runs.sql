-- What a run has used is in the ledger, also where it is deleted (with its skill) before it has ended.

create function kijko.settle_deleted() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into public.usage_ledger (
    organization_id, metric, entry, quantity, subject_id, user_id, skill_id, execution_type, model, prompt_tokens,
    cache_read_tokens, cache_write_tokens, completion_tokens, cost_cents, estimated, outcome
  )
  select
    old.organization_id, 'oracle_queries', 'settle', 0, old.id, old.user_id, old.skill_id, old.execution_type, old.model,
    sum(a.prompt_tokens)::bigint, sum(a.cache_read_tokens)::bigint, sum(a.cache_write_tokens)::bigint,
    sum(a.completion_tokens)::bigint,
    case when bool_or(a.prompt_tokens is not null and a.cost_cents is null) then null else sum(a.cost_cents) end,
    coalesce(bool_or(a.estimated), false), 'cancelled'
  from public.execution_attempts a
  where a.execution_id = old.id
  on conflict on constraint usage_ledger_subject_key do nothing;
  return old;
end
$$;
comment on function kijko.settle_deleted() is
  'Settles a run that is deleted before its account was closed, with what its attempts used. What an attempt uses that is '
  'under way, its worker adds when it finds the row gone.';
revoke execute on function kijko.settle_deleted() from public, anon, authenticated;

create trigger executions_settle_deleted
  before delete on public.executions
  for each row when (old.completed_at is null or old.lease_owner is not null)
  execute function kijko.settle_deleted();
