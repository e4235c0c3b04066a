-- A person's own room hears how their executions go: execution_update {execution}, written with the row itself, whoever
-- changes it: the worker that ends it or puts it back, the sweeper that takes it from a dead one, the person who cancels it.
-- That one runs now is not told: a claim does not wait for the disk, and what a log has told must not be forgotten.

create function kijko.wire_execution(e public.executions) returns jsonb
  language sql stable set search_path = ''
as $$
  select jsonb_build_object(
    'id', e.id, 'skillId', e.skill_id, 'userId', e.user_id, 'executionType', e.execution_type,
    'referenceId', e.reference_id, 'input', e.input, 'output', e.output,
    'tokensUsed', e.prompt_tokens + e.completion_tokens, 'promptTokens', e.prompt_tokens,
    'completionTokens', e.completion_tokens, 'durationMs', e.duration_ms, 'costCents', e.cost_cents, 'status', e.status,
    'errorMessage', e.error_message, 'errorCode', e.error_code, 'model', e.model, 'skillVersion', e.skill_version,
    'attempts', e.attempts, 'retryOf', e.retry_of
  ) || jsonb_build_object(
    'executedAt', kijko.wire_time(e.executed_at), 'completedAt', kijko.wire_time(e.completed_at),
    -- A log is read later, by whoever the person is then: a project's code stays where its readers are asked for it.
    'citations', null, 'renderedPrompt', null
  )
$$;
comment on function kijko.wire_execution(public.executions) is
  'The SkillExecution of the wire, without what its prompt held of a project.';
revoke execute on function kijko.wire_execution(public.executions) from public, anon, authenticated;

create function kijko.tell_executions() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- Heads in the order of their names, so that two workers' batches wait for each other and no more.
  with changed as materialized (
    select
      'user:' || n.user_id as room, n.id, n.organization_id,
      -- Of a run over a project its output stays where its readers are asked for it, as above.
      kijko.wire_execution(n)
        || case when n.cited_project_id is null then '{}'::jsonb else jsonb_build_object('output', null) end as told,
      row_number() over (partition by n.user_id order by n.id) as place
    from new_rows n
    join old_rows o on o.id = n.id
    where o.status is distinct from n.status and n.status <> 'running'
  ),
  counted as (
    select c.room, count(*) as many from changed c group by c.room order by c.room
  ),
  heads as (
    insert into public.room_heads as h (room, last_id)
    select c.room, c.many from counted c order by c.room
    on conflict on constraint room_heads_pkey do update set last_id = h.last_id + excluded.last_id
    returning h.room, h.last_id
  )
  insert into public.room_events (room, id, organization_id, event, data)
  select
    c.room, h.last_id - n.many + c.place, c.organization_id, 'execution_update', jsonb_build_object('execution', c.told)
  from changed c
  join counted n on n.room = c.room
  join heads h on h.room = c.room;
  return null;
end
$$;
revoke execute on function kijko.tell_executions() from public, anon, authenticated;

create trigger executions_tell
  after update on public.executions
  referencing old table as old_rows new table as new_rows
  for each statement execute function kijko.tell_executions();
