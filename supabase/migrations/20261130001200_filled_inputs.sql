-- A run that is done again is given what its caller gave, and the skill's defaults of now: so it is kept which of its
-- inputs were defaults.

alter table public.executions add column filled text[];
comment on column public.executions.filled is
  'Names of the inputs that nobody gave: the skill''s defaults of then. Null where there are none, and of runs of before '
  'it was kept.';

create function kijko.request_execution(
  execution uuid, skill uuid, skill_version integer, execution_type text, reference uuid, input jsonb, context jsonb,
  model text, request_id text, filled text[]
) returns jsonb
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  organization uuid := kijko.current_org();
  person uuid := auth.uid();
  quota jsonb;
begin
  if organization is null then
    raise exception 'no active organization' using errcode = 'KJ404';
  end if;
  quota := kijko.reserve_for(organization, 'oracle_queries', 1, execution, person);
  insert into public.executions (
    id, organization_id, skill_id, skill_version, user_id, execution_type, reference_id, input, context, model,
    request_id, filled
  )
  values (
    execution, organization, skill, request_execution.skill_version, person, request_execution.execution_type,
    reference, request_execution.input, request_execution.context, request_execution.model,
    request_execution.request_id, request_execution.filled
  );
  return quota;
end
$$;
comment on function kijko.request_execution(uuid, uuid, integer, text, uuid, jsonb, jsonb, text, text, text[]) is
  'Takes one oracle query and makes a pending run of a skill, as the caller, in the active organization. The only way '
  'in for a person: no run without its quota, of which it answers what reserve_for does. Another organization''s skill '
  'fails at executions_skill_fkey. `filled` names the inputs that are defaults.';
revoke execute on function kijko.request_execution(uuid, uuid, integer, text, uuid, jsonb, jsonb, text, text, text[])
  from public, anon, authenticated;
grant execute on function kijko.request_execution(uuid, uuid, integer, text, uuid, jsonb, jsonb, text, text, text[])
  to authenticated;

-- For API processes of before, until they are replaced.
create or replace function kijko.request_execution(
  execution uuid, skill uuid, skill_version integer, execution_type text, reference uuid, input jsonb, context jsonb,
  model text, request_id text
) returns jsonb
  language sql volatile security definer set search_path = ''
as $$
  select kijko.request_execution(
    execution, skill, skill_version, execution_type, reference, input, context, model, request_id, null::text[]
  )
$$;

create function kijko.retry_execution(
  execution uuid, original uuid, skill_version integer, input jsonb, model text, request_id text, filled text[]
) returns jsonb
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  quota jsonb;
begin
  quota := kijko.retry_execution(
    execution, original, retry_execution.skill_version, retry_execution.input, retry_execution.model,
    retry_execution.request_id
  );
  if retry_execution.filled is not null then
    update public.executions e set filled = retry_execution.filled where e.id = execution;
  end if;
  return quota;
end
$$;
comment on function kijko.retry_execution(uuid, uuid, integer, jsonb, text, text, text[]) is
  'kijko.request_execution for a run that failed or was cancelled and that the caller may see: of its kind, with its '
  'context. While one is under way, a second fails at executions_retry_key. `filled` names the inputs that are defaults.';
revoke execute on function kijko.retry_execution(uuid, uuid, integer, jsonb, text, text, text[])
  from public, anon, authenticated;
grant execute on function kijko.retry_execution(uuid, uuid, integer, jsonb, text, text, text[]) to authenticated;
