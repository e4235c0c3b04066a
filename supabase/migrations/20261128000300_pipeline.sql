-- Ingestions as jobs: how they are asked for, what they stage, how they end; and the logs of rooms, where each step is told.
--
-- Locks, always in this order: repositories, the project, its ingestion, what it stages, a room's head. Whoever writes for an
-- ingestion shows worker and attempt; a row that is another's by now takes nothing.

-- ---- rooms ---------------------------------------------------------------------------------------------------------

create table public.room_heads (
  room text constraint room_heads_pkey primary key,
  last_id bigint not null,
  trimmed_id bigint not null default 0
);
comment on table public.room_heads is
  'A room''s newest event, and the newest one that was trimmed. Writers hold its row until they commit, so that events '
  'become visible in the order of their ids, without gaps.';

create table public.room_events (
  room text not null,
  id bigint not null,
  organization_id uuid not null
    constraint room_events_organization_fkey references public.organizations (id) on delete cascade,
  project_id uuid,
  event text not null,
  data jsonb not null,
  created_at timestamptz not null default clock_timestamp(),
  constraint room_events_pkey primary key (room, id),
  constraint room_events_project_fkey foreign key (organization_id, project_id)
    references public.projects (organization_id, id) on delete cascade
);
comment on table public.room_events is
  'What happened, room by room: project:{id}, user:{id} or organization:{id}. Append-only; the scheduler trims it.';
create index room_events_project_idx on public.room_events (organization_id, project_id);
create index room_events_created_idx on public.room_events (created_at);

revoke all on public.room_heads, public.room_events from anon, authenticated;
grant select on public.room_events to authenticated;
grant all on public.room_heads, public.room_events to service_role;
alter table public.room_heads enable row level security;
alter table public.room_heads force row level security;
alter table public.room_events enable row level security;
alter table public.room_events force row level security;
create policy room_events_select on public.room_events for select to authenticated
  using (
    room = 'user:' || (select auth.uid())::text
    or (
      organization_id = (select kijko.current_org())
      and (
        (project_id is null and room = 'organization:' || (select kijko.current_org())::text)
        or (room = 'project:' || project_id::text and project_id in (select p.id from public.projects p))
      )
    )
  );

create function kijko.write_event(room text, organization uuid, project uuid, event text, data jsonb) returns bigint
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  taken bigint;
begin
  insert into public.room_heads as h (room, last_id) values (write_event.room, 1)
  on conflict on constraint room_heads_pkey do update set last_id = h.last_id + 1
  returning h.last_id into taken;
  insert into public.room_events (room, id, organization_id, project_id, event, data)
  values (write_event.room, taken, organization, project, write_event.event, write_event.data);
  return taken;
end
$$;
comment on function kijko.write_event(text, uuid, uuid, text, jsonb) is 'Appends an event to a room''s log; its id there.';
revoke execute on function kijko.write_event(text, uuid, uuid, text, jsonb) from public, anon, authenticated;
grant execute on function kijko.write_event(text, uuid, uuid, text, jsonb) to service_role;

create function kijko.trim_events(keep interval, most integer) returns integer
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  trimmed integer;
begin
  with old as (
    select e.room, e.id
    from public.room_events e
    where e.created_at < now() - keep
    order by e.created_at
    limit most
    for update skip locked
  ),
  gone as (
    delete from public.room_events e using old where e.room = old.room and e.id = old.id returning e.room, e.id
  ),
  told as (
    update public.room_heads h set trimmed_id = greatest(h.trimmed_id, g.newest)
    from (select room, max(id) as newest from gone group by room order by room) g
    where h.room = g.room
  )
  select count(*) into trimmed from gone;
  return trimmed;
end
$$;
comment on function kijko.trim_events(interval, integer) is 'Deletes events that are older, at most so many; how many.';
revoke execute on function kijko.trim_events(interval, integer) from public, anon, authenticated;
grant execute on function kijko.trim_events(interval, integer) to service_role;

create function kijko.wire_time(instant timestamptz) returns text
  language sql stable set search_path = ''
as $$ select to_char(instant at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') $$;
revoke execute on function kijko.wire_time(timestamptz) from public, anon, authenticated;
grant execute on function kijko.wire_time(timestamptz) to authenticated, service_role;

-- ---- what an ingestion works on ------------------------------------------------------------------------------------

alter table public.ingestions
  add column push_waits boolean not null default false,
  add column skipped_total integer not null default 0,
  add column errors_total integer not null default 0,
  add column secrets_total integer not null default 0,
  add column swept boolean not null default false;
comment on column public.ingestions.push_waits is 'A push came while it ran: another one follows when it has ended.';
comment on column public.ingestions.skipped is 'The first of them; `skipped_total` counts all. So errors and secrets.';
comment on column public.ingestions.swept is 'It has ended, and what it staged for nothing is gone.';
create index ingestions_unswept_idx on public.ingestions (completed_at) where completed_at is not null and not swept;
create index ingestions_organization_running_idx on public.ingestions (organization_id) where status = 'processing';

create table public.project_indexes (
  project_id uuid constraint project_indexes_pkey primary key,
  organization_id uuid not null,
  ingestion_id uuid,
  numbers integer not null default 0,
  constraint project_indexes_project_fkey foreign key (organization_id, project_id)
    references public.projects (organization_id, id) on delete cascade
);
comment on table public.project_indexes is
  'What of a project serves: the list of files of that ingestion. `numbers`: how many chunk numbers were given out.';
create index project_indexes_project_idx on public.project_indexes (organization_id, project_id);

create table public.ingestion_files (
  organization_id uuid not null,
  ingestion_id uuid not null,
  place integer not null,
  source_id uuid not null,
  upload_id uuid,
  path text not null,
  content_key text not null,
  options_key text not null,
  size_bytes bigint not null,
  state text not null default 'unread'
    constraint ingestion_files_state_check check (state in ('unread', 'kept', 'read', 'skipped', 'failed')),
  reason text,
  secrets jsonb,
  history jsonb,
  constraint ingestion_files_pkey primary key (organization_id, ingestion_id, place),
  constraint ingestion_files_ingestion_fkey foreign key (organization_id, ingestion_id)
    references public.ingestions (organization_id, id) on delete cascade
);
comment on table public.ingestion_files is
  'The files that an ingestion takes, and what became of each. The list of the ingestion that serves stays: the next one '
  'keeps what has the same content and options. `source_id` is the repository, or the project for uploads.';
create unique index ingestion_files_path_key on public.ingestion_files (ingestion_id, source_id, path);

alter table public.source_files add column history jsonb;
comment on column public.source_files.history is 'Who changed it last, where the project wants that.';
create index source_files_retired_idx on public.source_files (project_id) where not live and ingestion_id is null;

create table public.organization_salts (
  organization_id uuid constraint organization_salts_pkey primary key
    constraint organization_salts_organization_fkey references public.organizations (id) on delete cascade,
  salt bytea not null
);
comment on table public.organization_salts is 'What makes an organization''s placeholders for secrets its own.';

revoke all on public.project_indexes, public.ingestion_files, public.organization_salts from anon, authenticated;
grant all on public.project_indexes, public.ingestion_files, public.organization_salts to service_role;
alter table public.project_indexes enable row level security;
alter table public.project_indexes force row level security;
alter table public.ingestion_files enable row level security;
alter table public.ingestion_files force row level security;
alter table public.organization_salts enable row level security;
alter table public.organization_salts force row level security;

create function kijko.organization_salt(organization uuid) returns bytea
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into public.organization_salts (organization_id, salt)
  values (organization, uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
  on conflict on constraint organization_salts_pkey do nothing;
  return (select s.salt from public.organization_salts s where s.organization_id = organization);
end
$$;
revoke execute on function kijko.organization_salt(uuid) from public, anon, authenticated;
grant execute on function kijko.organization_salt(uuid) to service_role;

-- A repository or an upload takes its files along; the project's sums follow.
create function kijko.forget_files() returns trigger
  language plpgsql security definer set search_path = ''
as $$
begin
  update public.projects p
  set total_files = greatest(p.total_files - g.files, 0),
    original_tokens = greatest(p.original_tokens - g.original_tokens, 0),
    optimized_tokens = greatest(p.optimized_tokens - g.tokens, 0)
  from (
    select o.project_id, count(*) as files, sum(o.original_tokens) as original_tokens, sum(o.tokens) as tokens
    from gone o
    where o.live
    group by o.project_id
  ) g
  where p.id = g.project_id;
  return null;
end
$$;
revoke execute on function kijko.forget_files() from public, anon, authenticated;
create trigger source_files_forgotten after delete on public.source_files
  referencing old table as gone
  for each statement execute function kijko.forget_files();

-- ---- starting ------------------------------------------------------------------------------------------------------

create function kijko.start_ingestion(
  project uuid, organization uuid, ingestion uuid, person uuid, trigger text, force boolean, request_id text
) returns table (outcome text, quota jsonb, estimate_s numeric)
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  found_project public.projects;
begin
  -- Starts of one project come one after another: the second sees the first one's row.
  select p.* into found_project
  from public.projects p
  where p.id = project and p.organization_id = organization
  for no key update;
  if not found then
    outcome := 'PROJECT_NOT_FOUND';
  elsif exists (
    select from public.ingestions i where i.project_id = project and i.status in ('pending', 'processing')
  ) then
    outcome := 'ALREADY_PROCESSING';
  elsif trigger = 'manual' and not force and found_project.status not in ('draft', 'error') then
    outcome := 'INVALID_STATUS';
  elsif not exists (select from public.project_repositories r where r.project_id = project)
    and not exists (select from public.uploads u where u.project_id = project) then
    outcome := 'NO_SOURCES';
  else
    quota := kijko.reserve_for(organization, 'ingestions', 1, ingestion, person);
    insert into public.ingestions (id, organization_id, project_id, user_id, trigger, force, message, request_id)
    values (
      ingestion, organization, project, person, start_ingestion.trigger, start_ingestion.force,
      'Waiting for a worker', start_ingestion.request_id
    );
    update public.projects p set status = 'processing', updated_at = now() where p.id = project;
    outcome := 'STARTED';
    estimate_s := coalesce(found_project.ingestion_time_seconds, 15 + 15 * found_project.total_repos);
  end if;
  return next;
end
$$;
comment on function kijko.start_ingestion(uuid, uuid, uuid, uuid, text, boolean, text) is
  'Takes one ingestion of the plan and makes the pending job, or says in `outcome` what is against it; KJ429 where the '
  'plan has none left.';
revoke execute on function kijko.start_ingestion(uuid, uuid, uuid, uuid, text, boolean, text)
  from public, anon, authenticated;

create function kijko.request_ingestion(project uuid, ingestion uuid, force boolean, request_id text)
  returns table (outcome text, quota jsonb, estimate_s numeric)
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  return query
    select s.outcome, s.quota, s.estimate_s
    from kijko.start_ingestion(
      project, kijko.check_source(project), ingestion, auth.uid(), 'manual', request_ingestion.force,
      request_ingestion.request_id
    ) s;
end
$$;
comment on function kijko.request_ingestion(uuid, uuid, boolean, text) is
  'kijko.start_ingestion as the caller, who may change the project''s sources; else insufficient_privilege.';
revoke execute on function kijko.request_ingestion(uuid, uuid, boolean, text) from public, anon, authenticated;
grant execute on function kijko.request_ingestion(uuid, uuid, boolean, text) to authenticated;

create function kijko.follow_push(project uuid, organization uuid) returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  ingestion uuid := gen_random_uuid();
  active public.ingestions;
  begun text;
begin
  perform from public.projects p where p.id = project for no key update;
  select i.* into active
  from public.ingestions i
  where i.project_id = project and i.status in ('pending', 'processing')
  for no key update;
  if found then
    -- One that has not begun will fetch what was pushed; behind one that runs another follows.
    update public.ingestions i set push_waits = true where i.id = active.id and i.status = 'processing';
    return active.id;
  end if;
  select s.outcome into begun
  from kijko.start_ingestion(project, organization, ingestion, null, 'webhook', false, null) s;
  return case when begun = 'STARTED' then ingestion end;
exception
  when sqlstate 'KJ429' then
    return null;
end
$$;
revoke execute on function kijko.follow_push(uuid, uuid) from public, anon, authenticated;

create function kijko.request_webhook_ingestion(repository uuid) returns uuid
  language sql volatile security definer set search_path = ''
as $$
  select kijko.follow_push(r.project_id, r.organization_id) from public.project_repositories r where r.id = repository
$$;
comment on function kijko.request_webhook_ingestion(uuid) is
  'The ingestion that takes what was pushed to a repository; null where the plan has none left.';
revoke execute on function kijko.request_webhook_ingestion(uuid) from public, anon, authenticated;

-- ---- progress ------------------------------------------------------------------------------------------------------

create function kijko.wire_metrics(metrics jsonb) returns jsonb
  language sql immutable set search_path = ''
as $$
  select jsonb_build_object(
    'filesProcessed', coalesce(metrics -> 'filesProcessed', '0'),
    'totalFiles', coalesce(metrics -> 'totalFiles', '0'),
    'tokensProcessed', coalesce(metrics -> 'tokensProcessed', '0'),
    'bytesProcessed', coalesce(metrics -> 'bytesProcessed', '0'),
    'chunksCreated', coalesce(metrics -> 'chunksCreated', '0'),
    'errorsEncountered', coalesce(metrics -> 'errorsEncountered', '0')
  )
$$;
revoke execute on function kijko.wire_metrics(jsonb) from public, anon, authenticated;
grant execute on function kijko.wire_metrics(jsonb) to authenticated, service_role;

create function kijko.move_ingestion(
  ingestion uuid, worker uuid, attempt integer, phase text, progress numeric, message text, metrics jsonb,
  left_s double precision
) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  phases constant text[] := '{repository_fetch,parsing,chunking,optimization,indexing}';
  moved public.ingestions;
begin
  update public.ingestions i
  set phase = move_ingestion.phase,
    progress = greatest(i.progress, move_ingestion.progress),
    message = move_ingestion.message,
    metrics = move_ingestion.metrics,
    estimated_completion_at = clock_timestamp() + make_interval(secs => left_s)
  where i.id = ingestion and i.status = 'processing' and i.lease_owner = worker and i.attempts = attempt
  returning i.* into moved;
  if not found then
    return false;
  end if;
  -- One row a phase in `state` says that it was told already; a phase that begins anew is told anew.
  if moved.state ->> 'told' is distinct from moved.phase || ':' || attempt then
    update public.ingestions i
    set state = jsonb_set(i.state, '{told}', to_jsonb(moved.phase || ':' || attempt))
    where i.id = ingestion;
    perform kijko.write_event(
      'project:' || moved.project_id, moved.organization_id, moved.project_id, 'phase_started', jsonb_build_object(
        'projectId', moved.project_id, 'phase', moved.phase, 'message', moved.message,
        'startTime', kijko.wire_time(clock_timestamp()), 'totalPhases', cardinality(phases),
        'currentPhaseIndex', array_position(phases, moved.phase) - 1
      )
    );
  end if;
  perform kijko.write_event(
    'project:' || moved.project_id, moved.organization_id, moved.project_id, 'progress_update', jsonb_build_object(
      'projectId', moved.project_id, 'phase', moved.phase, 'progressPercent', moved.progress,
      'message', moved.message, 'metrics', kijko.wire_metrics(moved.metrics)
    )
  );
  return true;
end
$$;
comment on function kijko.move_ingestion(uuid, uuid, integer, text, numeric, text, jsonb, double precision) is
  'Says where an ingestion stands, in its row and in the project''s room; false where it is that worker''s no more. '
  'Progress never goes back.';
revoke execute on function kijko.move_ingestion(uuid, uuid, integer, text, numeric, text, jsonb, double precision)
  from public, anon, authenticated;
grant execute on function kijko.move_ingestion(uuid, uuid, integer, text, numeric, text, jsonb, double precision)
  to service_role;

-- ---- ending --------------------------------------------------------------------------------------------------------

create function kijko.tell_end(ended public.ingestions) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  room constant text := 'project:' || ended.project_id;
  told jsonb;
begin
  if ended.status = 'failed' then
    perform kijko.write_event(room, ended.organization_id, ended.project_id, 'error', jsonb_build_object(
      'projectId', ended.project_id, 'phase', ended.phase, 'errorCode', ended.error_code,
      'errorMessage', ended.error_message, 'recoverable', true, 'retryCount', greatest(ended.attempts - 1, 0)
    ));
  end if;
  select jsonb_build_object(
    'projectId', p.id, 'success', ended.status = 'completed',
    'totalDurationSeconds', round(extract(epoch from ended.completed_at - ended.started_at), 3),
    'finalMetrics', kijko.wire_metrics(ended.metrics),
    'project', jsonb_build_object(
      'id', p.id, 'name', p.name, 'status', p.status, 'totalRepos', p.total_repos, 'totalFiles', p.total_files,
      'originalTokens', p.original_tokens, 'optimizedTokens', p.optimized_tokens,
      'ingestionTimeSeconds', p.ingestion_time_seconds, 'updatedAt', kijko.wire_time(p.updated_at)
    )
  ) into told
  from public.projects p
  where p.id = ended.project_id;
  perform kijko.write_event(room, ended.organization_id, ended.project_id, 'ingestion_complete', told);
  if ended.user_id is not null then
    perform kijko.write_event(
      'user:' || ended.user_id, ended.organization_id, ended.project_id, 'ingestion:complete', told
    );
  end if;
end
$$;
revoke execute on function kijko.tell_end(public.ingestions) from public, anon, authenticated;

create function kijko.hold_project(project uuid) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- In the order in which who deletes a repository comes by them.
  perform from public.project_repositories r where r.project_id = project order by r.id for no key update;
  perform from public.projects p where p.id = project for no key update;
end
$$;
revoke execute on function kijko.hold_project(uuid) from public, anon, authenticated;

create function kijko.end_ingestion(
  ingestion uuid, worker uuid, attempt integer, outcome text, code text, message text, repository uuid
) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  ended public.ingestions;
begin
  perform kijko.hold_project((select i.project_id from public.ingestions i where i.id = ingestion));
  update public.ingestions i
  set status = outcome,
    error_code = code,
    error_message = end_ingestion.message,
    message = coalesce(end_ingestion.message, i.message),
    cancel_requested = i.cancel_requested or outcome = 'cancelled',
    lease_owner = null,
    lease_expires_at = null,
    estimated_completion_at = null,
    completed_at = clock_timestamp()
  where i.id = ingestion
    and i.status in ('pending', 'processing')
    and (worker is null or (i.lease_owner = worker and i.attempts = attempt))
  returning i.* into ended;
  if not found then
    return false;
  end if;
  update public.projects p
  set updated_at = now(),
    status = case
      when outcome = 'failed' then 'error'
      when exists (select from public.project_indexes x where x.project_id = p.id and x.ingestion_id is not null)
        then 'active'
      else 'draft'
    end
  where p.id = ended.project_id;
  update public.project_repositories r
  set updated_at = now(),
    status = case when r.id = repository then 'error' when r.last_sync_at is null then 'pending' else 'connected' end
  where r.project_id = ended.project_id and (r.status = 'syncing' or r.id = repository);
  -- Nothing was read yet: the plan gets it back.
  if ended.phase = 'repository_fetch' then
    perform kijko.correct_usage(ended.organization_id, 'ingestions', ended.id, 'release', 0);
  end if;
  perform kijko.tell_end(ended);
  if outcome = 'failed' and ended.push_waits then
    perform kijko.follow_push(ended.project_id, ended.organization_id);
  end if;
  return true;
end
$$;
comment on function kijko.end_ingestion(uuid, uuid, integer, text, text, text, uuid) is
  'Ends an ingestion as failed or cancelled: what served before serves on. `worker` null: whoever has it. `repository`: '
  'the one that could not be read. False where it had ended, or is another worker''s.';
revoke execute on function kijko.end_ingestion(uuid, uuid, integer, text, text, text, uuid)
  from public, anon, authenticated;
grant execute on function kijko.end_ingestion(uuid, uuid, integer, text, text, text, uuid) to service_role;

create function kijko.cancel_ingestion(project uuid) returns uuid
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  tenant constant uuid := kijko.check_source(project);
  active uuid;
begin
  select i.id into active
  from public.ingestions i
  where i.project_id = project and i.organization_id = tenant and i.status in ('pending', 'processing');
  if active is null
    or not kijko.end_ingestion(active, null, null, 'cancelled', 'CANCELLED', 'The ingestion was cancelled.', null) then
    return null;
  end if;
  return active;
end
$$;
comment on function kijko.cancel_ingestion(uuid) is
  'Ends a project''s active ingestion, at once: its worker has lost it, and writes nothing more. Null where none is active.';
revoke execute on function kijko.cancel_ingestion(uuid) from public, anon, authenticated;
grant execute on function kijko.cancel_ingestion(uuid) to authenticated;

-- The last transaction, in three steps, with the search index's own between the second and the third.
create function kijko.hold_ingestion(ingestion uuid, worker uuid, attempt integer) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform kijko.hold_project((select i.project_id from public.ingestions i where i.id = ingestion));
  perform from public.ingestions i
  where i.id = ingestion and i.status = 'processing' and i.lease_owner = worker and i.attempts = attempt
  for no key update;
  return found;
end
$$;
revoke execute on function kijko.hold_ingestion(uuid, uuid, integer) from public, anon, authenticated;
grant execute on function kijko.hold_ingestion(uuid, uuid, integer) to service_role;

create function kijko.complete_ingestion(ingestion uuid, message text, most integer) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  done public.ingestions;
begin
  update public.ingestions i
  set status = 'completed',
    progress = 100,
    message = complete_ingestion.message,
    errors = coalesce((
      select jsonb_agg(jsonb_build_object('path', f.path, 'message', f.reason) order by f.place)
      from (
        select * from public.ingestion_files f
        where f.organization_id = i.organization_id and f.ingestion_id = i.id and f.state = 'failed'
        order by f.place limit most
      ) f
    ), '[]'::jsonb),
    errors_total = (
      select count(*) from public.ingestion_files f
      where f.organization_id = i.organization_id and f.ingestion_id = i.id and f.state = 'failed'
    ),
    skipped = i.skipped || coalesce((
      select jsonb_agg(jsonb_build_object('path', f.path, 'reason', f.reason) order by f.place)
      from (
        select * from public.ingestion_files f
        where f.organization_id = i.organization_id and f.ingestion_id = i.id and f.state = 'skipped'
        order by f.place limit greatest(most - jsonb_array_length(i.skipped), 0)
      ) f
    ), '[]'::jsonb),
    skipped_total = i.skipped_total + (
      select count(*) from public.ingestion_files f
      where f.organization_id = i.organization_id and f.ingestion_id = i.id and f.state = 'skipped'
    ),
    secrets = coalesce((
      select jsonb_agg(jsonb_build_object('path', s.path) || s.secret order by s.place, s.nth)
      from (
        select f.place, f.path, e.secret, e.nth
        from public.ingestion_files f
        cross join lateral jsonb_array_elements(f.secrets) with ordinality e (secret, nth)
        where f.organization_id = i.organization_id and f.ingestion_id = i.id and f.secrets is not null
        order by f.place, e.nth limit most
      ) s
    ), '[]'::jsonb),
    secrets_total = (
      select coalesce(sum(jsonb_array_length(f.secrets)), 0) from public.ingestion_files f
      where f.organization_id = i.organization_id and f.ingestion_id = i.id and f.secrets is not null
    ),
    error_code = null,
    error_message = null,
    lease_owner = null,
    lease_expires_at = null,
    estimated_completion_at = null,
    completed_at = clock_timestamp()
  where i.id = ingestion
  returning i.* into done;
  insert into public.project_indexes as x (project_id, organization_id, ingestion_id)
  values (done.project_id, done.organization_id, done.id)
  on conflict on constraint project_indexes_pkey do update set ingestion_id = excluded.ingestion_id;
  update public.projects p
  set status = 'active',
    total_files = s.files,
    original_tokens = s.original_tokens,
    optimized_tokens = s.tokens,
    ingestion_time_seconds = round(extract(epoch from done.completed_at - done.started_at), 3),
    updated_at = now()
  from (
    select
      count(*) as files, coalesce(sum(f.original_tokens), 0) as original_tokens, coalesce(sum(f.tokens), 0) as tokens
    from public.source_files f
    where f.organization_id = done.organization_id and f.project_id = done.project_id and f.live
  ) s
  where p.id = done.project_id;
  update public.project_repositories r
  set status = 'connected',
    last_sync_at = done.completed_at,
    last_commit_hash = c.commit,
    file_count = (
      select count(*) from public.source_files f
      where f.organization_id = r.organization_id and f.repository_id = r.id and f.live
    ),
    updated_at = now()
  from jsonb_to_recordset(done.commits) c ("repositoryId" uuid, commit text)
  where r.id = c."repositoryId" and r.project_id = done.project_id;
  perform kijko.tell_end(done);
  if done.push_waits then
    perform kijko.follow_push(done.project_id, done.organization_id);
  end if;
end
$$;
comment on function kijko.complete_ingestion(uuid, text, integer) is
  'The end of an ingestion whose files are live: lists of at most so many, sums, repositories, events.';
revoke execute on function kijko.complete_ingestion(uuid, text, integer) from public, anon, authenticated;
grant execute on function kijko.complete_ingestion(uuid, text, integer) to service_role;
