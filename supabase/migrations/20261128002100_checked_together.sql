-- Chunks and postings come by the hundred thousand, and a foreign key looks its row up for each of them: that was half of
-- what staging took in Postgres. What a statement brings is checked together here, with the same promise: what is pointed
-- to is there, in the same organization, and stays until the transaction ends; and who goes takes its own along.

-- Arguments: the table that is pointed to, the column that points, the name a key would have.
create function kijko.check_parents() returns trigger
  language plpgsql security definer set search_path = ''
as $$
declare
  asked bigint;
  held bigint;
begin
  execute format(
    'with asked as (select distinct n.organization_id, n.%2$I as parent from fresh n), '
    'held as ('
    '  select 1 from asked a join public.%1$I p on p.organization_id = a.organization_id and p.id = a.parent '
    '  for key share of p'
    ') '
    'select (select count(*) from asked), (select count(*) from held)',
    tg_argv[0], tg_argv[1]
  ) into asked, held;
  if held < asked then
    raise exception using
      errcode = 'foreign_key_violation', table = tg_table_name, constraint = tg_argv[2],
      message = 'what a row of ' || tg_table_name || ' belongs to is not there, or is another organization''s';
  end if;
  return null;
end
$$;

-- Arguments: the table that points, and its column.
create function kijko.drop_children() returns trigger
  language plpgsql security definer set search_path = ''
as $$
begin
  execute format(
    'delete from public.%1$I c using gone g where c.organization_id = g.organization_id and c.%2$I = g.id',
    tg_argv[0], tg_argv[1]
  );
  return null;
end
$$;

create function kijko.key_stays() returns trigger
  language plpgsql set search_path = ''
as $$
begin
  raise exception using errcode = 'restrict_violation', message = 'a key that others point to does not change';
end
$$;

revoke execute on function kijko.check_parents(), kijko.drop_children(), kijko.key_stays()
  from public, anon, authenticated;

alter table public.chunks drop constraint chunks_file_fkey;
-- One index does for the primary key and for a file's chunks.
drop index public.chunks_file_idx;
alter table public.chunks drop constraint chunks_pkey;
alter table public.chunks add constraint chunks_pkey primary key (organization_id, file_id, ordinal);
create trigger chunks_come after insert on public.chunks
  referencing new table as fresh for each statement
  execute function kijko.check_parents('source_files', 'file_id', 'chunks_file_fkey');
create trigger chunks_move before update of organization_id, file_id on public.chunks
  for each statement execute function kijko.key_stays();
create trigger source_files_go after delete on public.source_files
  referencing old table as gone for each statement
  execute function kijko.drop_children('chunks', 'file_id');
create trigger source_files_move before update of organization_id, id on public.source_files
  for each statement execute function kijko.key_stays();

alter table public.search_postings drop constraint search_postings_segment_fkey;
create trigger search_postings_come after insert on public.search_postings
  referencing new table as fresh for each statement
  execute function kijko.check_parents('search_segments', 'segment_id', 'search_postings_segment_fkey');
create trigger search_postings_move before update of organization_id, segment_id on public.search_postings
  for each statement execute function kijko.key_stays();
create trigger search_segments_go after delete on public.search_segments
  referencing old table as gone for each statement
  execute function kijko.drop_children('search_postings', 'segment_id');
create trigger search_segments_move before update of organization_id, id on public.search_segments
  for each statement execute function kijko.key_stays();
