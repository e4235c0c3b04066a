-- Uploaded files with the storage they take, and the webhooks by which a repository tells of a push.
--
-- Content stands in a store outside Postgres, under `organization/project/content`. Before it is written, its bytes are
-- reserved and its key is noted as one to be deleted in an hour; the upload's row takes that note away. So whatever
-- breaks off is swept, and what is counted is what is kept. A content that nothing names any more is noted as well.

alter table public.uploads add column content_id uuid not null default gen_random_uuid();
comment on column public.uploads.content_id is
  'The present content: the last part of its key, and the subject that its bytes are reserved for. A file that is '
  'uploaded again keeps its row, so that what is indexed of it serves until the next ingestion.';

create table public.storage_deletions (
  content_id uuid constraint storage_deletions_pkey primary key,
  organization_id uuid not null,
  storage_key text not null,
  size_bytes bigint not null constraint storage_deletions_size_check check (size_bytes >= 0),
  attempts integer not null default 0,
  due_at timestamptz not null default now()
);
comment on table public.storage_deletions is
  'Contents that the store is to forget, when they are due; also those that are just being written. It outlives what '
  'it belonged to, so it points at nothing.';
create index storage_deletions_organization_idx on public.storage_deletions (organization_id);
create index storage_deletions_due_idx on public.storage_deletions (due_at);

revoke all on public.storage_deletions from anon, authenticated;
grant all on public.storage_deletions to service_role;
alter table public.storage_deletions enable row level security;
alter table public.storage_deletions force row level security;

create function kijko.storage_key(organization uuid, project uuid, content uuid) returns text
  language sql immutable set search_path = ''
as $$ select concat_ws('/', organization, project, content) $$;
revoke execute on function kijko.storage_key(uuid, uuid, uuid) from public, anon, authenticated;

create function kijko.check_source(project uuid) returns uuid
  language plpgsql stable security definer set search_path = ''
as $$
begin
  if project is null or project not in (select kijko.projects_where('source')) then
    raise exception 'the role in this project does not allow it' using errcode = '42501';
  end if;
  return kijko.current_org();
end
$$;
comment on function kijko.check_source(uuid) is
  'The active organization, where the caller may change that project''s sources; else insufficient_privilege.';
revoke execute on function kijko.check_source(uuid) from public, anon, authenticated;

create function kijko.begin_uploads(project uuid, contents uuid[], sizes bigint[]) returns setof text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  tenant constant uuid := kijko.check_source(project);
  one record;
begin
  for one in
    select * from unnest(contents, sizes) with ordinality as given (content, size, position) order by given.position
  loop
    if one.size > 0 then
      perform kijko.reserve_for(tenant, 'storage', one.size, one.content, auth.uid());
    end if;
    insert into public.storage_deletions (content_id, organization_id, storage_key, size_bytes, due_at)
    values (
      one.content, tenant, kijko.storage_key(tenant, project, one.content), one.size, now() + interval '1 hour'
    );
    return next kijko.storage_key(tenant, project, one.content);
  end loop;
end
$$;
comment on function kijko.begin_uploads(uuid, uuid[], bigint[]) is
  'Reserves storage for contents that are about to be written and answers their keys, in order: all, or KJ429 and none. '
  'What is not finished within the hour is swept.';
revoke execute on function kijko.begin_uploads(uuid, uuid[], bigint[]) from public, anon, authenticated;
grant execute on function kijko.begin_uploads(uuid, uuid[], bigint[]) to authenticated;

create function kijko.finish_uploads(
  project uuid, contents uuid[], names text[], content_types text[], digests text[]
) returns table (content_id uuid, id uuid)
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  tenant constant uuid := kijko.check_source(project);
  one record;
  begun public.storage_deletions;
  old public.uploads;
begin
  -- The project first, and names in their order: who deletes it, or brings the same files, waits and does not deadlock.
  perform from public.projects p where p.id = project for key share;
  if not found then
    return;
  end if;
  for one in
    select * from unnest(contents, names, content_types, digests) as given (content, name, content_type, sha256)
    order by given.name
  loop
    -- One that the sweep has taken, or is about to, is not kept any more.
    delete from public.storage_deletions d
    where d.content_id = one.content
      and d.organization_id = tenant
      and d.storage_key = kijko.storage_key(tenant, project, one.content)
      and d.attempts = 0
      and d.due_at > now()
    returning d.* into begun;
    continue when not found;
    select u.* into old from public.uploads u where u.project_id = project and u.name = one.name for update;
    content_id := one.content;
    insert into public.uploads as u (
      organization_id, project_id, user_id, name, size_bytes, content_type, sha256, storage_key, content_id
    )
    values (
      tenant, project, auth.uid(), one.name, begun.size_bytes, one.content_type, one.sha256, begun.storage_key,
      one.content
    )
    on conflict (project_id, name) do update
      set user_id = excluded.user_id,
        size_bytes = excluded.size_bytes,
        content_type = excluded.content_type,
        sha256 = excluded.sha256,
        storage_key = excluded.storage_key,
        content_id = excluded.content_id,
        created_at = now()
    returning u.id into id;
    if old.content_id is not null then
      perform kijko.forget_content(tenant, old.content_id, old.storage_key, old.size_bytes);
    end if;
    return next;
  end loop;
end
$$;
comment on function kijko.finish_uploads(uuid, uuid[], text[], text[], text[]) is
  'Makes written contents the files of those names, in place of those that had them, and answers their ids; without '
  'those whose hour has passed.';
revoke execute on function kijko.finish_uploads(uuid, uuid[], text[], text[], text[]) from public, anon, authenticated;
grant execute on function kijko.finish_uploads(uuid, uuid[], text[], text[], text[]) to authenticated;

create function kijko.abandon_uploads(contents uuid[]) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  tenant constant uuid := kijko.current_org();
  one uuid;
begin
  for one in
    update public.storage_deletions d set due_at = now()
    where d.content_id = any (contents) and d.organization_id = tenant and d.due_at > now()
    returning d.content_id
  loop
    perform kijko.correct_usage(tenant, 'storage', one, 'release', 0);
  end loop;
end
$$;
comment on function kijko.abandon_uploads(uuid[]) is
  'Gives back what was reserved for contents that will not be finished, and leaves them to the sweep.';
revoke execute on function kijko.abandon_uploads(uuid[]) from public, anon, authenticated;
grant execute on function kijko.abandon_uploads(uuid[]) to authenticated;

create function kijko.forget_content(organization uuid, content uuid, storage_key text, size bigint) returns void
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  perform kijko.correct_usage(organization, 'storage', content, 'release', 0);
  insert into public.storage_deletions (content_id, organization_id, storage_key, size_bytes)
  values (content, organization, forget_content.storage_key, size)
  on conflict (content_id) do nothing;
end
$$;
comment on function kijko.forget_content(uuid, uuid, text, bigint) is
  'Gives a content''s bytes back and leaves its key to the sweep.';
revoke execute on function kijko.forget_content(uuid, uuid, text, bigint) from public, anon, authenticated;

create function kijko.forget_uploads() returns trigger
  language plpgsql security definer set search_path = ''
as $$
begin
  perform kijko.forget_content(g.organization_id, g.content_id, g.storage_key, g.size_bytes)
  from (select * from gone order by organization_id, content_id) g;
  return null;
end
$$;
revoke execute on function kijko.forget_uploads() from public, anon, authenticated;
-- However a file goes: by itself, with its project or with its organization.
create trigger uploads_forgotten after delete on public.uploads
  referencing old table as gone
  for each statement execute function kijko.forget_uploads();

create function kijko.delete_upload(project uuid, upload uuid) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  tenant constant uuid := kijko.check_source(project);
begin
  delete from public.uploads u where u.id = upload and u.project_id = project and u.organization_id = tenant;
  return found;
end
$$;
comment on function kijko.delete_upload(uuid, uuid) is 'Deletes an uploaded file of a project; whether there was one.';
revoke execute on function kijko.delete_upload(uuid, uuid) from public, anon, authenticated;
grant execute on function kijko.delete_upload(uuid, uuid) to authenticated;

-- ---- pushes --------------------------------------------------------------------------------------------------------

create table public.repository_webhooks (
  repository_id uuid constraint repository_webhooks_pkey primary key,
  organization_id uuid not null,
  secret text not null,
  created_at timestamptz not null default now(),
  constraint repository_webhooks_repository_fkey foreign key (organization_id, repository_id)
    references public.project_repositories (organization_id, id) on delete cascade
);
comment on column public.repository_webhooks.secret is 'What signs a push; encrypted.';
create index repository_webhooks_repository_idx on public.repository_webhooks (organization_id, repository_id);

create table public.repository_deliveries (
  repository_id uuid not null,
  delivery text not null,
  organization_id uuid not null,
  event text not null,
  asked boolean not null,
  started boolean not null default false,
  received_at timestamptz not null default now(),
  constraint repository_deliveries_pkey primary key (repository_id, delivery),
  constraint repository_deliveries_repository_fkey foreign key (organization_id, repository_id)
    references public.project_repositories (organization_id, id) on delete cascade
);
comment on table public.repository_deliveries is
  'What a git provider has told already; kept a week against repetition. `asked`: it was a push that asks for an '
  'ingestion; `started`: there is one.';
create index repository_deliveries_repository_idx on public.repository_deliveries (organization_id, repository_id);
create index repository_deliveries_received_idx on public.repository_deliveries (received_at);

revoke all on public.repository_webhooks, public.repository_deliveries from anon, authenticated;
grant all on public.repository_webhooks, public.repository_deliveries to service_role;
alter table public.repository_webhooks enable row level security;
alter table public.repository_webhooks force row level security;
alter table public.repository_deliveries enable row level security;
alter table public.repository_deliveries force row level security;

create function kijko.repository_webhook(project uuid, repository uuid, fresh text, lost text) returns setof text
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  tenant constant uuid := kijko.check_source(project);
begin
  insert into public.repository_webhooks (repository_id, organization_id, secret)
  select r.id, r.organization_id, fresh
  from public.project_repositories r
  where r.id = repository and r.project_id = project and r.organization_id = tenant
  on conflict (repository_id) do update set secret = excluded.secret
    where repository_webhooks.secret = lost;
  return query
    select w.secret
    from public.repository_webhooks w
    join public.project_repositories r on r.id = w.repository_id and r.project_id = project
    where w.repository_id = repository and w.organization_id = tenant;
end
$$;
comment on function kijko.repository_webhook(uuid, uuid, text, text) is
  'A repository''s encrypted secret, which is `fresh` where it had none or has `lost`; none when the '
  'project has no such repository.';
revoke execute on function kijko.repository_webhook(uuid, uuid, text, text) from public, anon, authenticated;
grant execute on function kijko.repository_webhook(uuid, uuid, text, text) to authenticated;

create function kijko.webhook_secret(repository uuid) returns table (secret text, branch text, follows boolean)
  language sql stable security definer set search_path = ''
as $$
  select
    w.secret,
    r.branch,
    coalesce(p.settings #> '{processingOptions,realTimeIncremental}' = 'true'::jsonb, false)
  from public.repository_webhooks w
  join public.project_repositories r on r.id = w.repository_id
  join public.projects p on p.id = r.project_id
  where w.repository_id = repository
$$;
comment on function kijko.webhook_secret(uuid) is
  'What a delivery''s signature is checked with, and whether the project follows pushes to the branch; before anybody '
  'is known: for the API''s own role.';
revoke execute on function kijko.webhook_secret(uuid) from public, anon, authenticated;
grant execute on function kijko.webhook_secret(uuid) to kijko_api;

create function kijko.start_for_push(repository uuid) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  -- Ingestions come with a later migration; until then a push is noted and starts nothing.
  if to_regprocedure('kijko.request_webhook_ingestion(uuid)') is null then
    return false;
  end if;
  return kijko.request_webhook_ingestion(repository) is not null;
end
$$;
comment on function kijko.start_for_push(uuid) is
  'Asks for the ingestion of a repository that was pushed to; whether one starts.';
revoke execute on function kijko.start_for_push(uuid) from public, anon, authenticated;

create function kijko.take_delivery(repository uuid, delivery text, event text, starts boolean) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into public.repository_deliveries (repository_id, delivery, organization_id, event, asked)
  select r.id, take_delivery.delivery, r.organization_id, take_delivery.event, starts
  from public.project_repositories r
  join public.repository_webhooks w on w.repository_id = r.id
  where r.id = repository
  on conflict on constraint repository_deliveries_pkey do nothing;
  if not found or not starts or not kijko.start_for_push(repository) then
    return false;
  end if;
  update public.repository_deliveries d set started = true
  where d.repository_id = repository and d.delivery = take_delivery.delivery;
  return true;
end
$$;
comment on function kijko.take_delivery(uuid, text, text, boolean) is
  'Notes a delivery whose signature was checked, once, and starts an ingestion where it is to; whether it did. For the '
  'API''s own role.';
revoke execute on function kijko.take_delivery(uuid, text, text, boolean) from public, anon, authenticated;
grant execute on function kijko.take_delivery(uuid, text, text, boolean) to kijko_api;
