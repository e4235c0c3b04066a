-- Vectors for search, beside the words: what has no word in common with a question may mean the same.

-- These take a question's vector now.
drop function kijko.search_project(uuid, text[], real[], integer);
drop function kijko.context_chunks(uuid, uuid, uuid, text[], real[], integer);
drop function kijko.found_chunks(uuid, uuid, text[], real[], integer);

-- They come after the lexical index serves, from a model outside: a project's row of search_embeddings is the job.

create table public.search_embeddings (
  organization_id uuid not null,
  project_id uuid not null constraint search_embeddings_pkey primary key,
  status text not null default 'pending'
    constraint search_embeddings_status_check check (status in ('pending', 'running', 'done', 'failed')),
  model text,
  again boolean not null default false,
  attempts integer not null default 0,
  available_at timestamptz not null default now(),
  lease_owner uuid,
  lease_expires_at timestamptz,
  error_message text,
  constraint search_embeddings_tenant_key unique (organization_id, project_id),
  constraint search_embeddings_lease_check check ((status = 'running') = (lease_owner is not null)),
  constraint search_embeddings_project_fkey foreign key (organization_id, project_id)
    references public.projects (organization_id, id) on delete cascade
);
comment on table public.search_embeddings is
  'One a project with an index. `model` is the one whose vectors are there; `again`: it was published to while it ran.';
create index search_embeddings_pending_idx on public.search_embeddings (available_at) where status = 'pending';
create index search_embeddings_lease_idx on public.search_embeddings (lease_expires_at) where status = 'running';

create table public.search_vectors (
  organization_id uuid not null,
  project_id uuid not null,
  number integer not null,
  model text not null,
  hash bytea not null,
  constraint search_vectors_pkey primary key (organization_id, project_id, model, number),
  constraint search_vectors_project_fkey foreign key (organization_id, project_id)
    references public.projects (organization_id, id) on delete cascade
);
comment on table public.search_vectors is
  'A chunk''s vector by a model. `hash` is its content''s sha256: the same content is sent to a model once.';
create index search_vectors_hash_idx on public.search_vectors (organization_id, model, hash);

-- Supabase has pgvector. A server that has not can search too, without vectors.
do $$
begin
  if exists (select from pg_available_extensions where name = 'vector') then
    create extension if not exists vector with schema extensions;
    alter table public.search_vectors add column embedding extensions.vector not null;
    -- In the row, and not beside it: all of a project's are read one after the other.
    alter table public.search_vectors alter column embedding set storage plain;
  end if;
end
$$;

revoke all on public.search_embeddings, public.search_vectors from anon, authenticated;
grant all on public.search_embeddings, public.search_vectors to service_role;
alter table public.search_embeddings enable row level security;
alter table public.search_embeddings force row level security;
alter table public.search_vectors enable row level security;
alter table public.search_vectors force row level security;

create function kijko.near_chunks(organization uuid, project uuid, by_model text, question text, most integer)
  returns table (number integer)
  language plpgsql stable set search_path = ''
as $$
declare
  dimensions integer;
begin
  if to_regtype('extensions.vector') is null then
    return;
  end if;
  dimensions := extensions.vector_dims(question::extensions.vector);
  return query
    select v.number
    from public.search_vectors v
    where v.organization_id = organization and v.project_id = project and v.model = by_model
      and extensions.vector_dims(v.embedding) = dimensions
    order by v.embedding operator(extensions.<=>) question::extensions.vector, v.number
    limit most;
end
$$;
comment on function kijko.near_chunks(uuid, uuid, text, text, integer) is
  'The chunks of a project whose vectors are nearest to the question''s, every one compared: exact, and some thousand a ms.';
revoke execute on function kijko.near_chunks(uuid, uuid, text, text, integer) from public, anon, authenticated;

create function kijko.vectors_of(project uuid) returns text
  language plpgsql stable security definer set search_path = ''
as $$
begin
  if not 'read' = any (kijko.my_actions(project)) then
    return null;
  end if;
  return (select e.model from public.search_embeddings e where e.project_id = project);
end
$$;
comment on function kijko.vectors_of(uuid) is
  'The model of a project''s vectors, for whom may read it; null where there are none.';
revoke execute on function kijko.vectors_of(uuid) from public, anon, authenticated;
grant execute on function kijko.vectors_of(uuid) to authenticated;

-- ---- searching -----------------------------------------------------------------------------------------------------

create function kijko.fused_chunks(
    organization uuid, project uuid, terms text[], weights real[], by_model text, question text, most integer
  ) returns table (number integer, score double precision)
  language plpgsql stable set search_path = ''
as $$
declare
  -- How fast a place in one list loses its weight in both.
  k constant double precision := 20;
  deep constant integer := greatest(most, 60);
begin
  if question is null then
    return query select r.number, r.score from kijko.rank_chunks(organization, project, terms, weights, most) r;
    return;
  end if;
  return query
    select f.number, sum(1 / (k + f.place))
    from (
      select r.number, row_number() over (order by r.score desc, r.number) as place
      from kijko.rank_chunks(organization, project, terms, weights, deep) r
      union all
      select n.number, n.place
      from kijko.near_chunks(organization, project, by_model, question, deep) with ordinality n (number, place)
    ) f
    group by f.number
    order by 2 desc, 1
    limit most;
end
$$;
revoke execute on function kijko.fused_chunks(uuid, uuid, text[], real[], text, text, integer)
  from public, anon, authenticated;

create function kijko.found_chunks(
    organization uuid, project uuid, terms text[], weights real[], by_model text, question text, most integer
  ) returns table (
    file_id uuid, ordinal integer, path text, start_line integer, end_line integer, tokens integer, content text,
    score double precision
  )
  language plpgsql stable set search_path = ''
as $$
declare
  numbers integer[];
  scores double precision[];
  there integer;
  -- What went with its repository is in the index until it is merged: then further ones are looked at.
  looked integer := most;
begin
  loop
    select array_agg(r.number), array_agg(r.score) into numbers, scores
    from kijko.fused_chunks(organization, project, terms, weights, by_model, question, looked) r;
    exit when numbers is null or cardinality(numbers) < looked;
    select count(*) into there
    from unnest(numbers) r (number)
    join public.chunks c on c.project_id = project and c.number = r.number
    join public.source_files f on f.id = c.file_id and f.live;
    exit when there >= most;
    looked := looked * 4;
  end loop;
  return query
    select c.file_id, c.ordinal, f.path, c.start_line, c.end_line, c.tokens, c.content, r.score
    from unnest(numbers, scores) r (number, score)
    join public.chunks c on c.project_id = project and c.number = r.number and c.organization_id = organization
    join public.source_files f on f.id = c.file_id and f.organization_id = organization and f.live
    order by r.score desc, r.number
    limit most;
end
$$;
revoke execute on function kijko.found_chunks(uuid, uuid, text[], real[], text, text, integer)
  from public, anon, authenticated;

create function kijko.search_project(
    project uuid, terms text[], weights real[], by_model text, question text, most integer
  ) returns table (
    path text, start_line integer, end_line integer, content text, score double precision
  )
  language plpgsql stable security definer set search_path = ''
as $$
begin
  if not 'read' = any (kijko.my_actions(project)) then
    return;
  end if;
  return query
    select c.path, c.start_line, c.end_line, c.content, c.score
    from kijko.found_chunks(kijko.current_org(), project, terms, weights, by_model, question, most) c;
end
$$;
comment on function kijko.search_project(uuid, text[], real[], text, text, integer) is
  'The best chunks of a project of the active organization that the caller may read; none of another. `question` is a '
  'vector by that model, or null.';
revoke execute on function kijko.search_project(uuid, text[], real[], text, text, integer) from public, anon, authenticated;
grant execute on function kijko.search_project(uuid, text[], real[], text, text, integer) to authenticated;

create function kijko.context_chunks(
    person uuid, organization uuid, project uuid, terms text[], weights real[], by_model text, question text,
    most integer
  ) returns table (
    file_id uuid, ordinal integer, start_byte integer, end_byte integer, repository text, commit text, path text,
    language text, start_line integer, end_line integer, tokens integer, content text
  )
  language plpgsql stable security definer set search_path = ''
as $$
begin
  if not 'read' = any (coalesce(kijko.actions_of(person, organization, project), '{}')) then
    return;
  end if;
  return query
    select c.file_id, c.ordinal, k.start_byte, k.end_byte, coalesce(o.repository_name, 'uploads'),
      coalesce(o.last_commit_hash, f.content_key), c.path, f.language, c.start_line, c.end_line, c.tokens, c.content
    from kijko.found_chunks(organization, project, terms, weights, by_model, question, most) c
    join public.chunks k on k.file_id = c.file_id and k.ordinal = c.ordinal
    join public.source_files f on f.id = c.file_id
    left join public.project_repositories o on o.id = f.repository_id
    order by c.score desc, k.number;
end
$$;
comment on function kijko.context_chunks(uuid, uuid, uuid, text[], real[], text, text, integer) is
  'The best chunks of a project for somebody who may read it now, with where they are from; none for anybody else.';
revoke execute on function kijko.context_chunks(uuid, uuid, uuid, text[], real[], text, text, integer)
  from public, anon, authenticated;
grant execute on function kijko.context_chunks(uuid, uuid, uuid, text[], real[], text, text, integer) to service_role;

-- ---- the worker's ----------------------------------------------------------------------------------------------------

create or replace function kijko.publish_search(organization uuid, project uuid, ingestion uuid, removed integer[]) returns void
  language sql volatile set search_path = ''
as $$
  with staged as (
    update public.search_segments s
    set ingestion_id = null
    where s.ingestion_id = ingestion and s.organization_id = organization and s.project_id = project
    returning s.id, s.numbers, s.sources, s.lengths
  ),
  counted as (
    select coalesce(array_agg(s.id order by s.id), '{}') as segments,
      coalesce(sum(cardinality(s.numbers)), 0) as chunks,
      coalesce(sum((select count(distinct f) from unnest(s.sources) f)), 0) as files,
      coalesce(sum((select sum(l) from unnest(s.lengths) l)), 0) as length
    from staged s
  )
  insert into public.search_indexes as i (organization_id, project_id, segments, chunks, files, length, dead, due)
  select organization, project, c.segments, c.chunks, c.files, c.length, removed, true
  from counted c
  on conflict on constraint search_indexes_pkey do update
    set segments = i.segments || excluded.segments,
      chunks = i.chunks + excluded.chunks,
      files = i.files + excluded.files,
      length = i.length + excluded.length,
      dead = i.dead || excluded.dead,
      due = true;
  insert into public.search_embeddings as e (organization_id, project_id)
  values (organization, project)
  on conflict on constraint search_embeddings_pkey do update
    set status = case when e.status = 'running' then 'running' else 'pending' end,
      again = e.status = 'running',
      attempts = 0,
      available_at = now(),
      error_message = null
$$;

insert into public.search_embeddings (organization_id, project_id)
select i.organization_id, i.project_id from public.search_indexes i;

create function kijko.unembedded(
    project uuid, worker uuid, by_model text, after_number integer, most integer, lease_s double precision
  ) returns table (number integer, hash bytea, content text)
  language plpgsql volatile set search_path = ''
as $$
declare
  organization uuid;
begin
  update public.search_embeddings e
  set lease_expires_at = now() + make_interval(secs => lease_s)
  where e.project_id = project and e.lease_owner = worker
  returning e.organization_id into organization;
  if organization is null or to_regtype('extensions.vector') is null then
    return;
  end if;
  -- What the organization has a vector of already is not sent again.
  insert into public.search_vectors (organization_id, project_id, number, model, hash, embedding)
  select organization, project, c.number, by_model, k.hash, k.embedding
  from public.chunks c
  join public.source_files f on f.id = c.file_id and f.live
  cross join lateral (
    select v.hash, v.embedding
    from public.search_vectors v
    where v.organization_id = organization and v.model = by_model
      and v.hash = sha256(convert_to(c.content, 'UTF8'))
    limit 1
  ) k
  where c.project_id = project and c.number > after_number
    and after_number = 0
  on conflict on constraint search_vectors_pkey do nothing;
  return query
    select c.number, sha256(convert_to(c.content, 'UTF8')), c.content
    from public.chunks c
    join public.source_files f on f.id = c.file_id and f.live
    where c.project_id = project and c.number > after_number and not exists (
      select
      from public.search_vectors v
      where v.organization_id = organization and v.project_id = project and v.model = by_model and v.number = c.number
    )
    order by c.number
    limit most;
end
$$;
comment on function kijko.unembedded(uuid, uuid, text, integer, integer, double precision) is
  'Prolongs the worker''s lease and answers the next chunks that a project lacks the vectors of; at the first call those '
  'are copied that the organization has. Nothing where the lease is lost.';

create function kijko.keep_vectors(
    project uuid, worker uuid, by_model text, numbers integer[], hashes bytea[], embeddings text[]
  ) returns integer
  language plpgsql volatile set search_path = ''
as $$
declare
  kept integer;
begin
  insert into public.search_vectors (organization_id, project_id, number, model, hash, embedding)
  select e.organization_id, project, g.number, by_model, g.hash, g.embedding::extensions.vector
  from public.search_embeddings e
  cross join unnest(numbers, hashes, embeddings) g (number, hash, embedding)
  where e.project_id = project and e.lease_owner = worker
  on conflict on constraint search_vectors_pkey do nothing;
  get diagnostics kept = row_count;
  update public.search_embeddings e set attempts = 0 where e.project_id = project and e.lease_owner = worker;
  return kept;
end
$$;
comment on function kijko.keep_vectors(uuid, uuid, text, integer[], bytea[], text[]) is
  'Keeps vectors of chunks, as long as the worker has its lease on the project.';

create function kijko.finish_vectors(project uuid, worker uuid, by_model text) returns boolean
  language plpgsql volatile set search_path = ''
as $$
declare
  organization uuid;
begin
  update public.search_embeddings e
  set status = case when e.again then 'pending' else 'done' end,
    model = by_model, again = false, attempts = 0, error_message = null, lease_owner = null, lease_expires_at = null
  where e.project_id = project and e.lease_owner = worker
  returning e.organization_id into organization;
  delete from public.search_vectors v
  where v.organization_id = organization and v.project_id = project and (
    v.model <> by_model
    or not exists (
      select
      from public.chunks c
      join public.source_files f on f.id = c.file_id and f.live
      where c.project_id = project and c.number = v.number
    )
  );
  return organization is not null;
end
$$;
comment on function kijko.finish_vectors(uuid, uuid, text) is
  'A project has its vectors; those of chunks that are no more, and of another model, go.';
revoke execute on function kijko.unembedded(uuid, uuid, text, integer, integer, double precision),
  kijko.keep_vectors(uuid, uuid, text, integer[], bytea[], text[]), kijko.finish_vectors(uuid, uuid, text)
  from public, anon, authenticated;
grant execute on function kijko.unembedded(uuid, uuid, text, integer, integer, double precision),
  kijko.keep_vectors(uuid, uuid, text, integer[], bytea[], text[]), kijko.finish_vectors(uuid, uuid, text)
  to service_role;
