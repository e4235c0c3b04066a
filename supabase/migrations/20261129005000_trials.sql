-- Trials: a prompt is tried on a model, and no execution is recorded.
--
-- A trial counts as an oracle query. Its quota is taken with a row in open_reservations, so that it is given back when
-- nobody is left to end it (an API process that was killed). It ends once: as a settlement with its tokens and cost, or
-- with its quota given back where no model ran.

-- ---- what is given back unless its work ends first -----------------------------------------------------------------

create table public.open_reservations (
  subject_id uuid constraint open_reservations_pkey primary key,
  organization_id uuid not null
    constraint open_reservations_organization_fkey references public.organizations (id) on delete cascade,
  metric text not null,
  due_at timestamptz not null
);
comment on table public.open_reservations is
  'Quantities of a metric that are given back at due_at: nobody is left who would do it then.';
create index open_reservations_due_idx on public.open_reservations (due_at);
create index open_reservations_organization_idx on public.open_reservations (organization_id);
revoke all on public.open_reservations from anon, authenticated, service_role;
alter table public.open_reservations enable row level security;
alter table public.open_reservations force row level security;

create function kijko.close_reservations(most integer) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  due record;
begin
  select array_agg(d.subject_id) as subjects, coalesce(count(*), 0)::integer as many into due
  from (
    select r.subject_id
    from public.open_reservations r
    where r.due_at <= now() and r.metric = 'oracle_queries'
    order by r.due_at
    limit most
    for update skip locked
  ) d;
  if due.many > 0 then
    perform kijko.release_all('oracle_queries', due.subjects);
    delete from public.open_reservations r where r.subject_id = any (due.subjects);
  end if;
  return due.many;
end
$$;
comment on function kijko.close_reservations(integer) is
  'Gives back what is due, at most so many, the longest due first; how many it looked at.';
revoke execute on function kijko.close_reservations(integer) from public, anon, authenticated;
grant execute on function kijko.close_reservations(integer) to service_role;

-- ---- trials --------------------------------------------------------------------------------------------------------

create function kijko.begin_trial(trial uuid, seconds double precision) returns jsonb
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  organization constant uuid := kijko.current_org();
  quota jsonb;
begin
  if organization is null then
    raise exception 'no active organization' using errcode = 'KJ404';
  end if;
  if seconds is null or not (seconds > 0 and seconds <= 3600) then
    raise exception 'A trial takes more than no time, and at most an hour.' using errcode = 'KJ422';
  end if;
  quota := kijko.reserve_for(organization, 'oracle_queries', 1, trial, auth.uid());
  insert into public.open_reservations (subject_id, organization_id, metric, due_at)
  values (trial, organization, 'oracle_queries', clock_timestamp() + make_interval(secs => seconds));
  return quota;
end
$$;
comment on function kijko.begin_trial(uuid, double precision) is
  'Takes one oracle query as the caller, which is given back after so many seconds unless kijko.end_trial comes before. '
  'Answers what reserve_for does.';
revoke execute on function kijko.begin_trial(uuid, double precision) from public, anon, authenticated;
grant execute on function kijko.begin_trial(uuid, double precision) to authenticated;

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

create function kijko.my_context_chunks(
    project uuid, terms text[], weights real[], by_model text, question text, most integer
  ) returns table (
    file_id uuid, ordinal integer, start_byte integer, end_byte integer, repository text, commit text, path text,
    language text, start_line integer, end_line integer, tokens integer, content text
  )
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select c.*
    from kijko.context_chunks(
      auth.uid(), kijko.current_org(), project, terms, weights, by_model, question, most
    ) c;
end
$$;
comment on function kijko.my_context_chunks(uuid, text[], real[], text, text, integer) is
  'kijko.context_chunks for the caller, in the active organization.';
revoke execute on function kijko.my_context_chunks(uuid, text[], real[], text, text, integer)
  from public, anon, authenticated;
grant execute on function kijko.my_context_chunks(uuid, text[], real[], text, text, integer) to authenticated;

create function kijko.model_keys_of_trials(organizations uuid[], providers text[])
  returns table (
    organization_id uuid, provider text, version uuid, master_id text, wrapped_key bytea, sealed_key bytea
  )
  language plpgsql stable security definer set search_path = ''
as $$
begin
  return query
    select k.organization_id, k.provider, k.version, k.master_id, k.wrapped_key, k.sealed_key
    from unnest(organizations, providers) asked (organization_id, provider)
    join public.model_keys k on k.organization_id = asked.organization_id and k.provider = asked.provider
    where exists (
      select
      from public.open_reservations r
      where r.organization_id = asked.organization_id and r.metric = 'oracle_queries' and r.due_at > now()
    );
end
$$;
comment on function kijko.model_keys_of_trials(uuid[], text[]) is
  'The sealed keys of these organizations at these providers, of those alone that have a trial under way. For the API''s own '
  'role.';
revoke execute on function kijko.model_keys_of_trials(uuid[], text[]) from public, anon, authenticated;
grant execute on function kijko.model_keys_of_trials(uuid[], text[]) to kijko_api;
