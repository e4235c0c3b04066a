-- Runs are claimed organization by organization, and as many at once as the plan allows.

create index executions_waiting_idx on public.executions (organization_id, available_at, id) where status = 'pending';
create index executions_running_idx on public.executions (organization_id) where status = 'running';
