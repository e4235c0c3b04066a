-- What a person's own room keeps is theirs to hear as long as it is theirs to see; and one event is no place for megabytes.

create or replace function kijko.wire_execution(e public.executions) returns jsonb
  language sql stable set search_path = ''
as $$
  select jsonb_build_object(
    'id', e.id, 'skillId', e.skill_id, 'userId', e.user_id, 'executionType', e.execution_type,
    'referenceId', e.reference_id,
    -- A log is read by the page: what is longer is read with the execution.
    'input', case when octet_length(e.input::text) <= 50000 then e.input end,
    'output', case when char_length(e.output) <= 20000 then e.output end,
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

create function kijko.forget_told() returns trigger
  language plpgsql security definer set search_path = ''
as $$
begin
  if tg_table_name = 'memberships' then
    delete from public.room_events e where e.room = 'user:' || old.user_id and e.organization_id = old.organization_id;
  elsif old.user_id is not null and not kijko.can_read_project(old.user_id, old.project_id) then
    delete from public.room_events e
    where e.room = 'user:' || old.user_id
      and (e.project_id = old.project_id or e.data ->> 'projectId' = old.project_id::text);
  end if;
  return null;
end
$$;
comment on function kijko.forget_told() is
  'Whoever leaves an organization, or a project that they may not read then, is not told any more what they had not heard.';
revoke execute on function kijko.forget_told() from public, anon, authenticated;
create trigger memberships_forgotten after delete on public.memberships
  for each row execute function kijko.forget_told();
create trigger project_members_forgotten after delete on public.project_members
  for each row execute function kijko.forget_told();
