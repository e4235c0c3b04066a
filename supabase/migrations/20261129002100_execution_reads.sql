-- Reading, retrying and cleaning up executions.

-- ---- lists and counts ----------------------------------------------------------------------------------------------

-- With everything that a list is filtered and the wall decides by, so that a total is counted in the index alone.
drop index public.executions_newest_idx;
create index executions_newest_idx on public.executions (organization_id, executed_at desc, id desc)
  include (skill_id, status, execution_type, cited_project_id);
drop index public.executions_skill_idx;
create index executions_skill_idx on public.executions (organization_id, skill_id, executed_at desc, id desc)
  include (status, execution_type, cited_project_id);
-- That needs pages that were vacuumed, and a row is changed twice before it stays as it is.
alter table public.executions set (
  autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02,
  autovacuum_analyze_scale_factor = 0.02
);

-- ---- again -----------------------------------------------------------------------------------------------------------

-- Of two who retry a run at once, one does.
create unique index executions_retry_key on public.executions (organization_id, retry_of)
  where retry_of is not null and status in ('pending', 'running');

create function kijko.retry_execution(
  execution uuid, original uuid, skill_version integer, input jsonb, model text, request_id text
) returns jsonb
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  old public.executions;
  quota jsonb;
begin
  select e.* into old
  from public.executions e
  where e.id = original
    and e.organization_id = (select kijko.current_org())
    and (
      e.cited_project_id is null
      or (select kijko.is_manager())
      or e.cited_project_id in (select kijko.projects_where('read'))
    );
  if old.id is null or old.status not in ('failed', 'cancelled') then
    raise exception 'There is no failed or cancelled execution with this id that you may retry.' using errcode = 'KJ409';
  end if;
  quota := kijko.request_execution(
    execution, old.skill_id, retry_execution.skill_version, old.execution_type, old.reference_id,
    retry_execution.input, old.context, retry_execution.model, retry_execution.request_id
  );
  update public.executions e set retry_of = original where e.id = execution;
  return quota;
end
$$;
comment on function kijko.retry_execution(uuid, uuid, integer, jsonb, text, text) is
  'kijko.request_execution for a run that failed or was cancelled and that the caller may see: of its kind, with its '
  'context. While one is under way, a second fails at executions_retry_key.';
revoke execute on function kijko.retry_execution(uuid, uuid, integer, jsonb, text, text) from public, anon, authenticated;
grant execute on function kijko.retry_execution(uuid, uuid, integer, jsonb, text, text) to authenticated;

-- A run that was cancelled while a worker held it keeps its lease until that worker has told what was used; until then it is
-- in no sum yet, and statistics count it here.
create index executions_settling_idx on public.executions (organization_id)
  where status = 'cancelled' and lease_owner is not null;

-- ---- cleaning up -----------------------------------------------------------------------------------------------------

create function kijko.clean_executions(before timestamptz, most integer, out deleted bigint, out bytes bigint)
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if not kijko.is_manager() then
    raise exception 'Only owners and admins of the organization may clean up executions.' using errcode = '42501';
  end if;
  with chosen as (
    select e.id
    from public.executions e
    where e.organization_id = (select kijko.current_org())
      and e.executed_at < clean_executions.before
      and e.status in ('completed', 'failed', 'cancelled')
      and e.lease_owner is null -- else its account is open: it was cancelled, and its worker has not told what was used
    order by e.executed_at, e.id
    limit clean_executions.most
    for update skip locked
  ),
  gone as (
    delete from public.executions e
    using chosen c
    where e.id = c.id
    returning
      -- As they lie on the disk, compressed; what a row has besides is about this much.
      300 + coalesce(pg_column_size(e.input), 0) + coalesce(pg_column_size(e.output), 0)
        + coalesce(pg_column_size(e.rendered_prompt), 0) + coalesce(pg_column_size(e.citations), 0)
        + coalesce(pg_column_size(e.error_message), 0) + coalesce(pg_column_size(e.context), 0) as bytes
  )
  select count(*), coalesce(sum(g.bytes), 0) into deleted, clean_executions.bytes from gone g;
end
$$;
comment on function kijko.clean_executions(timestamptz, integer) is
  'Deletes the oldest ended executions of the active organization that were asked for before then, at most so many; for '
  'owners and admins. The ledger and its sums stay.';
revoke execute on function kijko.clean_executions(timestamptz, integer) from public, anon, authenticated;
grant execute on function kijko.clean_executions(timestamptz, integer) to authenticated;
