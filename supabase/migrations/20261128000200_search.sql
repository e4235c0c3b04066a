-- The search index: immutable segments of postings, one index a project, ranked by BM25 here in Postgres.
--
-- An ingestion stages segments that nobody reads; to publish them is to add their ids to the project's one row of
-- search_indexes, and chunks that are no more are named in the same row. So an ingestion adds and never rewrites, and
-- readers see the whole of it or nothing. Small segments are merged later, and what is dead is left out then.
-- Postgres' own full text search knows no document frequencies, and its operators are not leakproof: under row-level
-- security its indexes go unused. Nobody but the functions below reads these tables for a person.

create table public.search_indexes (
  organization_id uuid not null,
  project_id uuid not null constraint search_indexes_pkey primary key,
  segments bigint[] not null default '{}',
  chunks bigint not null default 0,
  files bigint not null default 0,
  length bigint not null default 0,
  dead integer[] not null default '{}',
  due boolean not null default false,
  constraint search_indexes_tenant_key unique (organization_id, project_id),
  constraint search_indexes_project_fkey foreign key (organization_id, project_id)
    references public.projects (organization_id, id) on delete cascade
);
comment on table public.search_indexes is
  'What serves in a project: its segments, how many chunks and files they have and how long those are together, and the '
  'numbers of chunks in them that are no more. `due`: it has changed since somebody looked whether to merge segments.';
create index search_indexes_due_idx on public.search_indexes (project_id) where due;

create table public.search_segments (
  organization_id uuid not null,
  id bigint generated always as identity,
  project_id uuid not null,
  ingestion_id uuid,
  numbers integer[] not null,
  sources integer[] not null,
  lengths integer[] not null,
  created_at timestamptz not null default now(),
  constraint search_segments_pkey primary key (organization_id, id),
  constraint search_segments_project_fkey foreign key (organization_id, project_id)
    references public.projects (organization_id, id) on delete cascade
);
comment on table public.search_segments is
  'Some thousand chunks each. `ingestion_id` stands while it is staged; `numbers` are the chunks it has, `sources` tell '
  'their files apart, `lengths` are their words.';
create index search_segments_project_idx on public.search_segments (organization_id, project_id);
create index search_segments_staged_idx on public.search_segments (ingestion_id) where ingestion_id is not null;

create table public.search_postings (
  organization_id uuid not null,
  segment_id bigint not null,
  term text collate "C" not null,
  frequency integer not null,
  postings bigint[] not null,
  constraint search_postings_pkey primary key (organization_id, segment_id, term),
  constraint search_postings_segment_fkey foreign key (organization_id, segment_id)
    references public.search_segments (organization_id, id) on delete cascade
);
comment on column public.search_postings.postings is
  'For each chunk that has the term one number: the chunk''s in the upper 32 bits; then 18 bits that tell its file from '
  'others, 5 of the term''s weight in it, 5 of the chunk''s length and 4 of its file''s, each length a power of two: '
  '2^(bits / 2.5) and 2^(bits + 4) words.';

revoke all on public.search_indexes, public.search_segments, public.search_postings from anon, authenticated;
grant all on public.search_indexes, public.search_segments, public.search_postings to service_role;
alter table public.search_indexes enable row level security;
alter table public.search_indexes force row level security;
alter table public.search_segments enable row level security;
alter table public.search_segments force row level security;
alter table public.search_postings enable row level security;
alter table public.search_postings force row level security;

-- Vectors, beside the words: what has no word in common with a question may mean the same. They come after the lexical
-- index serves, from a model outside: a project's row of search_embeddings is the job.

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

-- What one search reads is bounded: 25,000 postings cost 12 ms of work, and those of rarer words tell the most.
create function kijko.rank_chunks(organization uuid, project uuid, terms text[], weights real[], most integer)
  returns table (number integer, score double precision)
  language plpgsql stable set search_path = ''
as $$
declare
  k1 constant double precision := 2.0;
  b constant double precision := 0.75;
  file_share constant double precision := 0.3;
  -- Postings that one search reads: a term that is everywhere costs the most and tells the least.
  enough constant bigint := 25000;
  own public.search_indexes;
  chunk_norms double precision[];
  file_norms double precision[];
begin
  select i.* into own
  from public.search_indexes i
  where i.project_id = project and i.organization_id = organization;
  if own.chunks is null or own.chunks = 0 then
    return;
  end if;
  select array_agg(k1 * (1 - b + b * power(2, bits / 2.5) * own.chunks / greatest(own.length, 1)) order by bits)
  into chunk_norms
  from generate_series(0, 31) bits;
  select array_agg(k1 * (1 - b + b * power(2, bits + 4) * own.files / greatest(own.length, 1)) order by bits)
  into file_norms
  from generate_series(0, 15) bits;
  return query
    with found as materialized (
      select a.at, a.weight, p.frequency, p.postings
      from unnest(terms, weights) with ordinality a (term, weight, at)
      cross join unnest(own.segments) s (id)
      cross join lateral (
        select p.frequency, p.postings
        from public.search_postings p
        where p.organization_id = organization and p.segment_id = s.id and p.term = a.term
        limit 1 -- by its whole key, whatever the planner thinks of arrays
      ) p
    ),
    known as (
      select f.at, sum(f.frequency) as frequency,
        min(f.weight) * ln(1 + (greatest(own.chunks - sum(f.frequency), 0) + 0.5) / (sum(f.frequency) + 0.5)) as idf
      from found f
      group by f.at
    ),
    -- The rarest first; the first of all is read however long it is.
    read as (
      select k.at, k.idf
      from (select k.*, sum(k.frequency) over (order by k.frequency, k.at) - k.frequency as before from known k) k
      where k.before + k.frequency <= enough or k.before = 0
    ),
    -- Not in `from`: there each list would be copied before it is read.
    hits as not materialized (
      select r.at, r.idf, unnest(f.postings) as posting
      from read r
      join found f on f.at = r.at
    ),
    chunk_scores as (
      select (h.posting >> 32)::integer as number, min(h.posting >> 14 & 262143) as file,
        sum(
          h.idf * (h.posting >> 9 & 31) / ((h.posting >> 9 & 31) + chunk_norms[1 + (h.posting >> 4 & 31)::integer])
        ) as score
      from hits h
      group by 1
    ),
    top as materialized (
      select c.number, c.file, c.score
      from chunk_scores c
      left join unnest(own.dead) d (number) on d.number = c.number
      where d.number is null
      order by c.score desc, c.number
      limit most * 5 + 100
    ),
    file_scores as (
      select t.file, sum(t.idf * t.weight / (t.weight + file_norms[1 + t.bits::integer])) as score
      from (
        select h.at, min(h.idf) as idf, h.posting >> 14 & 262143 as file, sum(h.posting >> 9 & 31) as weight,
          max(h.posting & 15) as bits
        from hits h
        where h.posting >> 14 & 262143 in (select t.file from top t)
        group by h.at, 3
      ) t
      group by t.file
    )
    select t.number, (k1 + 1) * (t.score + file_share * f.score)
    from top t
    join file_scores f on f.file = t.file
    order by 2 desc, 1
    limit most;
end
$$;
comment on function kijko.rank_chunks(uuid, uuid, text[], real[], integer) is
  'The best chunks of a project for these terms, by BM25 with a share of their file''s score added. It checks nobody: '
  'whoever calls it has.';
revoke execute on function kijko.rank_chunks(uuid, uuid, text[], real[], integer) from public, anon, authenticated;

-- ---- what a run was given ------------------------------------------------------------------------------------------

alter table public.executions add column cited_project_id uuid;
comment on column public.executions.cited_project_id is
  'The project whose code the prompt holds. No foreign key: when the project is gone, what was read of it is no more public.';
-- Prompt, output and citations hold a project's code: whoever may not read it does not see the run, nor count it.
drop policy executions_select on public.executions;
create policy executions_select on public.executions for select to authenticated
  using (
    organization_id = (select kijko.current_org())
    and (
      cited_project_id is null
      or (select kijko.is_manager())
      or cited_project_id in (select kijko.projects_where('read'))
    )
  );

-- ---- the worker's ----------------------------------------------------------------------------------------------------

create function kijko.publish_search(organization uuid, project uuid, ingestion uuid, removed integer[]) returns void
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
comment on function kijko.publish_search(uuid, uuid, uuid, integer[]) is
  'Makes what an ingestion has staged serve, and the removed chunks serve no more.';

create function kijko.merge_search(organization uuid, project uuid, merged bigint[]) returns integer
  language plpgsql volatile set search_path = ''
as $$
declare
  own public.search_indexes;
  made bigint;
  kept integer;
begin
  select i.* into own
  from public.search_indexes i
  where i.project_id = project and i.organization_id = organization
  for update;
  if own.segments is null or not merged <@ own.segments then
    return null;
  end if;
  insert into public.search_segments (organization_id, project_id, numbers, sources, lengths)
  select organization, project, coalesce(array_agg(n.number), '{}'), coalesce(array_agg(n.source), '{}'),
    coalesce(array_agg(n.length), '{}')
  from public.search_segments s
  cross join unnest(s.numbers, s.sources, s.lengths) n (number, source, length)
  left join unnest(own.dead) d (number) on d.number = n.number
  where s.organization_id = organization and s.id = any (merged) and d.number is null
  returning id, cardinality(numbers) into made, kept;
  insert into public.search_postings (organization_id, segment_id, term, frequency, postings)
  select organization, made, p.term, count(*), array_agg(h.posting)
  from public.search_postings p
  cross join unnest(p.postings) h (posting)
  left join unnest(own.dead) d (number) on d.number = (h.posting >> 32)::integer
  where p.organization_id = organization and p.segment_id = any (merged) and d.number is null
  group by p.term;
  update public.search_indexes i
  set segments = array(select s from unnest(own.segments) s where s <> all (merged))
      || case when kept > 0 then array[made] else '{}' end,
    dead = array(
      select d
      from unnest(own.dead) d
      except
      select n
      from public.search_segments s
      cross join unnest(s.numbers) n
      where s.organization_id = organization and s.id = any (merged)
    )
  where i.project_id = project;
  delete from public.search_segments s
  where s.organization_id = organization and (s.id = any (merged) or s.id = made and kept = 0);
  update public.search_indexes i
  set chunks = t.chunks, files = t.files, length = t.length
  from (
    select coalesce(sum(cardinality(s.numbers)), 0) as chunks,
      coalesce(sum((select count(distinct f) from unnest(s.sources) f)), 0) as files,
      coalesce(sum((select sum(l) from unnest(s.lengths) l)), 0) as length
    from public.search_indexes x
    join public.search_segments s on s.organization_id = organization and s.id = any (x.segments)
    where x.project_id = project
  ) t
  where i.project_id = project;
  return kept;
end
$$;
comment on function kijko.merge_search(uuid, uuid, bigint[]) is
  'Writes segments anew as one, without what is dead; how many chunks that has. Null where one serves no more.';

create function kijko.inspect_search(project uuid)
  returns table (segment bigint, chunks integer, dead integer)
  language plpgsql volatile set search_path = ''
as $$
begin
  -- Held first: what is read after it is not older than the row.
  perform from public.search_indexes i where i.project_id = project for update;
  update public.search_indexes i
  set due = false,
    dead = array(
      select n
      from public.search_segments s
      cross join unnest(s.numbers) n
      left join public.chunks c on c.project_id = i.project_id and c.number = n
      left join public.source_files f on f.id = c.file_id and f.live
      where s.organization_id = i.organization_id and s.id = any (i.segments) and f.id is null
    )
  where i.project_id = project;
  return query
    select s.id, cardinality(s.numbers), (
      select count(*)::integer from unnest(s.numbers) n join unnest(i.dead) d on d = n
    )
    from public.search_indexes i
    join public.search_segments s on s.organization_id = i.organization_id and s.id = any (i.segments)
    where i.project_id = project;
end
$$;
comment on function kijko.inspect_search(uuid) is
  'Finds what is dead in an index, whichever way it went, and answers the segments with how much of each is.';

revoke execute on function kijko.publish_search(uuid, uuid, uuid, integer[]), kijko.merge_search(uuid, uuid, bigint[]),
  kijko.inspect_search(uuid) from public, anon, authenticated;
grant execute on function kijko.publish_search(uuid, uuid, uuid, integer[]), kijko.merge_search(uuid, uuid, bigint[]),
  kijko.inspect_search(uuid) to service_role;

-- A source that goes takes its chunks with it; the index hears of it here.
create function kijko.search_due() returns trigger
  language plpgsql security definer set search_path = ''
as $$
begin
  update public.search_indexes i set due = true where i.project_id in (select g.project_id from gone g);
  return null;
end
$$;
revoke execute on function kijko.search_due() from public, anon, authenticated;
create trigger project_repositories_search after delete on public.project_repositories
  referencing old table as gone for each statement execute function kijko.search_due();
create trigger uploads_search after delete on public.uploads
  referencing old table as gone for each statement execute function kijko.search_due();

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

-- The chunks that rank best are read once. Only where some of them are no more is it looked further.
create function kijko.found_chunks(
    organization uuid, project uuid, terms text[], weights real[], by_model text, question text, most integer
  ) returns table (
    file_id uuid, ordinal integer, start_byte integer, end_byte integer, path text, start_line integer,
    end_line integer, tokens integer, content text, score double precision
  )
  language plpgsql stable set search_path = ''
as $$
declare
  numbers integer[];
  scores double precision[];
  told integer := 0;
  more integer;
  seen integer[] := '{}';
  looked integer := most;
begin
  loop
    select array_agg(r.number order by r.score desc, r.number), array_agg(r.score order by r.score desc, r.number)
    into numbers, scores
    from kijko.fused_chunks(organization, project, terms, weights, by_model, question, looked) r;
    exit when numbers is null;
    return query
      select c.file_id, c.ordinal, c.start_byte, c.end_byte, f.path, c.start_line, c.end_line, c.tokens, c.content,
        r.score
      from unnest(numbers, scores) r (number, score)
      join public.chunks c on c.project_id = project and c.number = r.number and c.organization_id = organization
      join public.source_files f on f.id = c.file_id and f.organization_id = organization and f.live
      where r.number <> all (seen)
      order by r.score desc, r.number
      limit most - told;
    get diagnostics more = row_count;
    told := told + more;
    exit when told >= most or cardinality(numbers) < looked;
    -- What went with its source is in the index until it is merged.
    seen := numbers;
    looked := looked * 4;
  end loop;
end
$$;
revoke execute on function kijko.found_chunks(uuid, uuid, text[], real[], text, text, integer)
  from public, anon, authenticated;

create function kijko.search_project(
    project uuid, terms text[], weights real[], by_model text, question text, most integer
  ) returns table (
    file_id uuid, ordinal integer, start_byte integer, end_byte integer, path text, start_line integer,
    end_line integer, tokens integer, content text, score double precision
  )
  language plpgsql stable security definer set search_path = ''
as $$
begin
  if not 'read' = any (kijko.my_actions(project)) then
    return;
  end if;
  return query
    select c.*
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
    select c.file_id, c.ordinal, c.start_byte, c.end_byte, coalesce(o.repository_name, 'uploads'),
      coalesce(o.last_commit_hash, f.content_key), c.path, f.language, c.start_line, c.end_line, c.tokens, c.content
    from kijko.found_chunks(organization, project, terms, weights, by_model, question, most)
      with ordinality c (
        file_id, ordinal, start_byte, end_byte, path, start_line, end_line, tokens, content, score, place
      )
    join public.source_files f on f.id = c.file_id
    left join public.project_repositories o on o.id = f.repository_id
    order by c.place;
end
$$;
comment on function kijko.context_chunks(uuid, uuid, uuid, text[], real[], text, text, integer) is
  'The best chunks of a project for somebody who may read it now, with where they are from; none for anybody else.';
revoke execute on function kijko.context_chunks(uuid, uuid, uuid, text[], real[], text, text, integer)
  from public, anon, authenticated;
grant execute on function kijko.context_chunks(uuid, uuid, uuid, text[], real[], text, text, integer) to service_role;

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
