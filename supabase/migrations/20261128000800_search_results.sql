-- What is found is told with its place in its file, so that neighbours become one result; and a search reads less.

drop function kijko.search_project(uuid, text[], real[], text, text, integer);
drop function kijko.found_chunks(uuid, uuid, text[], real[], text, text, integer);

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
    select c.file_id, c.ordinal, c.start_byte, c.end_byte, f.path, c.start_line, c.end_line, c.tokens, c.content, r.score
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

create or replace function kijko.context_chunks(
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

-- The same, but for what one search reads: 25,000 postings cost 12 ms of work, and those of rarer words tell the most.
create or replace function kijko.rank_chunks(organization uuid, project uuid, terms text[], weights real[], most integer)
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
