-- What whoever is new to the API asks for: an ingestion of what has changed, a project's settings, where a result is
-- from, what became of a push, and a branch that nobody has claimed before it was seen.

-- ---- what an index was made of -------------------------------------------------------------------------------------

alter table public.ingestions add column sources_mark text;
comment on column public.ingestions.sources_mark is
  'What it was asked to read, as kijko.sources_mark has it; null before that was kept.';

create function kijko.sources_mark(project uuid) returns text
  language sql stable security definer set search_path = ''
as $$
  select md5(jsonb_build_array(
    p.chunking_strategy, p.include_metadata, p.anonymize_secrets, p.settings - 'processingOptions',
    (
      select jsonb_agg(
        jsonb_build_array(r.id, r.branch, r.include_paths, r.exclude_paths) order by r.id
      )
      from public.project_repositories r
      where r.organization_id = p.organization_id and r.project_id = p.id
    ),
    (
      select md5(string_agg(u.name || ':' || u.sha256, ',' order by u.name))
      from public.uploads u
      where u.organization_id = p.organization_id and u.project_id = p.id
    )
  )::text)
  from public.projects p
  where p.id = project
$$;
comment on function kijko.sources_mark(uuid) is
  'A digest of what a project reads and how: repositories, uploads, settings. Not of commits: only their server knows them.';
revoke execute on function kijko.sources_mark(uuid) from public, anon, authenticated;

create or replace function kijko.start_ingestion(
  project uuid, organization uuid, ingestion uuid, person uuid, trigger text, force boolean, request_id text
) returns table (outcome text, quota jsonb, estimate_s numeric)
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  found_project public.projects;
  mark text;
begin
  -- Starts of one project come one after another: the second sees the first one's row.
  select p.* into found_project
  from public.projects p
  where p.id = project and p.organization_id = organization
  for no key update;
  mark := kijko.sources_mark(project);
  if found_project.id is null then
    outcome := 'PROJECT_NOT_FOUND';
  elsif exists (
    select from public.ingestions i where i.project_id = project and i.status in ('pending', 'processing')
  ) then
    outcome := 'ALREADY_PROCESSING';
  elsif trigger = 'manual' and not force and found_project.status not in ('draft', 'error') and exists (
    select
    from public.project_indexes x
    join public.ingestions i on i.organization_id = x.organization_id and i.id = x.ingestion_id
    where x.project_id = project and i.sources_mark = mark
  ) then
    outcome := 'INVALID_STATUS';
  elsif not exists (select from public.project_repositories r where r.project_id = project)
    and not exists (select from public.uploads u where u.project_id = project) then
    outcome := 'NO_SOURCES';
  else
    quota := kijko.reserve_for(organization, 'ingestions', 1, ingestion, person);
    insert into public.ingestions (
      id, organization_id, project_id, user_id, trigger, force, message, request_id, sources_mark
    )
    values (
      ingestion, organization, project, person, start_ingestion.trigger, start_ingestion.force,
      'Waiting for a worker', start_ingestion.request_id, mark
    );
    update public.projects p set status = 'processing', updated_at = now() where p.id = project;
    outcome := 'STARTED';
    estimate_s := coalesce(found_project.ingestion_time_seconds, 15 + 15 * found_project.total_repos);
  end if;
  return next;
end
$$;
comment on function kijko.start_ingestion(uuid, uuid, uuid, uuid, text, boolean, text) is
  'Takes one ingestion of the plan and makes the pending job, or says in `outcome` what is against it: INVALID_STATUS '
  'where what serves was made of the same sources and settings. KJ429 where the plan has none left.';

-- ---- the default branch --------------------------------------------------------------------------------------------

create function kijko.name_branch(ingestion uuid, repository uuid, branch text) returns boolean
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  named boolean;
begin
  update public.project_repositories r set branch = name_branch.branch, updated_at = now()
  where r.id = repository and r.branch = 'HEAD';
  named := found;
  -- The name is no change of what is read.
  update public.ingestions i set sources_mark = kijko.sources_mark(i.project_id) where named and i.id = ingestion;
  return named;
end
$$;
comment on function kijko.name_branch(uuid, uuid, text) is
  'Keeps the name of a repository''s default branch, seen by that ingestion; false where another was chosen meanwhile.';
revoke execute on function kijko.name_branch(uuid, uuid, text) from public, anon, authenticated;
grant execute on function kijko.name_branch(uuid, uuid, text) to service_role;

-- ---- settings ------------------------------------------------------------------------------------------------------

create function kijko.wire_settings(settings jsonb, anonymize boolean) returns jsonb
  language sql immutable set search_path = ''
as $$
  select jsonb_build_object(
    'webhookUrl', settings -> 'webhookUrl',
    'metadataOptions', '{
      "functionSignatures": true, "importDependencies": true, "gitHistory": false, "fileStructure": true,
      "customAnnotations": false
    }'::jsonb || coalesce(settings -> 'metadataOptions', '{}'),
    'outputFormat', coalesce(settings -> 'outputFormat', '"json"'),
    'embeddingModel', settings -> 'embeddingModel',
    'patternFilters',
      '{"languagePatterns": [], "excludePatterns": []}'::jsonb || coalesce(settings -> 'patternFilters', '{}'),
    'processingOptions',
      '{"parallelProcessing": true, "realTimeIncremental": false}'::jsonb
      || coalesce(settings -> 'processingOptions', '{}')
      || jsonb_build_object('anonymizeSecrets', anonymize)
  )
$$;
comment on function kijko.wire_settings(jsonb, boolean) is
  'A project''s AdvancedSettings as they hold: what was set, and the default of what was not.';
revoke execute on function kijko.wire_settings(jsonb, boolean) from public, anon, authenticated;
grant execute on function kijko.wire_settings(jsonb, boolean) to authenticated, service_role;

-- ---- where a result is from ----------------------------------------------------------------------------------------

drop function kijko.search_project(uuid, text[], real[], text, text, integer);
create function kijko.search_project(
    project uuid, terms text[], weights real[], by_model text, question text, most integer
  ) returns table (
    file_id uuid, ordinal integer, start_byte integer, end_byte integer, path text, start_line integer,
    end_line integer, tokens integer, content text, score double precision, repository_id uuid, repository_name text,
    upload_id uuid
  )
  language plpgsql stable security definer set search_path = ''
as $$
declare
  tenant constant uuid := kijko.current_org();
begin
  if not 'read' = any (kijko.my_actions(project)) then
    return;
  end if;
  return query
    select c.file_id, c.ordinal, c.start_byte, c.end_byte, c.path, c.start_line, c.end_line, c.tokens, c.content,
      c.score, f.repository_id, o.repository_name, f.upload_id
    from kijko.found_chunks(tenant, project, terms, weights, by_model, question, most) with ordinality c (
      file_id, ordinal, start_byte, end_byte, path, start_line, end_line, tokens, content, score, place
    )
    left join public.source_files f on f.organization_id = tenant and f.id = c.file_id
    left join public.project_repositories o on o.organization_id = tenant and o.id = f.repository_id
    order by c.place;
end
$$;
comment on function kijko.search_project(uuid, text[], real[], text, text, integer) is
  'The best chunks of a project of the active organization that the caller may read, with where they are from; none of '
  'another. `question` is a vector by that model, or null.';
revoke execute on function kijko.search_project(uuid, text[], real[], text, text, integer) from public, anon, authenticated;
grant execute on function kijko.search_project(uuid, text[], real[], text, text, integer) to authenticated;

-- ---- what became of a push -----------------------------------------------------------------------------------------

create function kijko.note_delivery(repository uuid, delivery text, event text, starts boolean) returns text
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  insert into public.repository_deliveries (repository_id, delivery, organization_id, event, asked)
  select r.id, note_delivery.delivery, r.organization_id, note_delivery.event, starts
  from public.project_repositories r
  join public.repository_webhooks w on w.repository_id = r.id
  where r.id = repository
  on conflict on constraint repository_deliveries_pkey do nothing;
  if not found then
    return 'delivered_before';
  elsif not starts then
    return 'noted';
  elsif not kijko.start_for_push(repository) then
    return 'quota_exceeded';
  end if;
  update public.repository_deliveries d set started = true
  where d.repository_id = repository and d.delivery = note_delivery.delivery;
  return 'started';
end
$$;
comment on function kijko.note_delivery(uuid, text, text, boolean) is
  'Notes a delivery whose signature was checked, once, and starts an ingestion where it is to; what became of it. For the '
  'API''s own role.';
revoke execute on function kijko.note_delivery(uuid, text, text, boolean) from public, anon, authenticated;
grant execute on function kijko.note_delivery(uuid, text, text, boolean) to kijko_api;

-- Its name before this, for a server of the version before that still runs.
create or replace function kijko.take_delivery(repository uuid, delivery text, event text, starts boolean)
  returns boolean
  language sql volatile security definer set search_path = ''
as $$
  select kijko.note_delivery(repository, delivery, event, starts) = 'started'
$$;
