-- A run that was cancelled while a worker held it keeps its lease until that worker has told what was used; until then it is
-- in no sum yet, and statistics count it here.
create index executions_settling_idx on public.executions (organization_id)
  where status = 'cancelled' and lease_owner is not null;

-- Such a run's account is open: it is not cleaned up before it is closed.
create or replace function kijko.clean_executions(before timestamptz, most integer, out deleted bigint, out bytes bigint)
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
      and e.lease_owner is null
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
