-- Whose key a trial was made with, as a run's end says it.

create function kijko.end_trial(
  trial uuid, skill uuid, ran boolean, outcome text, provider text, model text, prompt_tokens bigint,
  cache_read_tokens bigint, cache_write_tokens bigint, completion_tokens bigint, cost_cents numeric, duration_ms bigint,
  cited_project uuid, estimated boolean, own_key boolean
) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  begun record;
  in_time boolean;
begin
  select l.organization_id, l.user_id into begun
  from public.usage_ledger l
  where l.subject_id = trial and l.metric = 'oracle_queries' and l.entry = 'reserve';
  if not found then
    return false;
  end if;
  delete from public.open_reservations r where r.subject_id = trial;
  in_time := found;
  if not ran then
    perform kijko.release_all('oracle_queries', array[trial]);
    return in_time;
  end if;
  -- Also of one that comes too late: its cost is paid for.
  insert into public.usage_ledger (
    organization_id, metric, entry, quantity, subject_id, user_id, skill_id, provider, model, prompt_tokens,
    cache_read_tokens, cache_write_tokens, completion_tokens, cost_cents, duration_ms, outcome, cited_project_id,
    estimated, own_key
  )
  values (
    begun.organization_id, 'oracle_queries', 'settle', 0, trial, begun.user_id, skill, end_trial.provider,
    end_trial.model, end_trial.prompt_tokens, end_trial.cache_read_tokens, end_trial.cache_write_tokens,
    end_trial.completion_tokens, end_trial.cost_cents, end_trial.duration_ms, end_trial.outcome, cited_project,
    end_trial.estimated, end_trial.own_key
  )
  on conflict on constraint usage_ledger_subject_key do nothing;
  return in_time;
end
$$;
comment on function kijko.end_trial(
  uuid, uuid, boolean, text, text, text, bigint, bigint, bigint, bigint, numeric, bigint, uuid, boolean, boolean
) is
  'Ends a trial: with what it used where a model ran, else its quota is given back. Whether it came before that was done '
  'without it. For the API''s own role: nobody writes costs of their own.';
revoke execute on function kijko.end_trial(
  uuid, uuid, boolean, text, text, text, bigint, bigint, bigint, bigint, numeric, bigint, uuid, boolean, boolean
) from public, anon, authenticated;
grant execute on function kijko.end_trial(
  uuid, uuid, boolean, text, text, text, bigint, bigint, bigint, bigint, numeric, bigint, uuid, boolean, boolean
) to kijko_api;

-- As it was called before this, for a server of that version that still runs.
create or replace function kijko.end_trial(
  trial uuid, skill uuid, ran boolean, outcome text, provider text, model text, prompt_tokens bigint,
  cache_read_tokens bigint, cache_write_tokens bigint, completion_tokens bigint, cost_cents numeric, duration_ms bigint,
  cited_project uuid, estimated boolean
) returns boolean
  language sql volatile security definer set search_path = ''
as $$
  select kijko.end_trial(
    trial, skill, ran, outcome, provider, model, prompt_tokens, cache_read_tokens, cache_write_tokens,
    completion_tokens, cost_cents, duration_ms, cited_project, estimated, null::boolean
  )
$$;
