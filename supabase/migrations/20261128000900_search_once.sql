-- The chunks that rank best are read once. Only where some of them are no more is it looked further.

create or replace function kijko.found_chunks(
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
