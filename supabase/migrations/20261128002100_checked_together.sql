-- Chunks and postings come by the hundred thousand, and a foreign key looks its row up for each of them: that was half of
-- what staging took in Postgres. What a statement brings is checked together here, with the same promise: what is pointed
-- to is there, in the same organization, and stays until the transaction ends; and who goes takes its own along.

create function kijko.check_chunks() returns trigger
  language plpgsql security definer set search_path = ''
as $$
declare
  asked integer;
  held integer;
begin
  select count(distinct n.file_id) into asked from fresh n;
  select count(*) into held
  from (
    select 1
    from (select distinct n.organization_id, n.file_id from fresh n) a
    join public.source_files f on f.id = a.file_id and f.organization_id = a.organization_id
    for key share of f
  ) h;
  if held < asked then
    raise exception using
      errcode = 'foreign_key_violation', table = 'chunks', constraint = 'chunks_file_fkey',
      message = 'a chunk''s file is not there, or is another organization''s';
  end if;
  return null;
end
$$;

create function kijko.drop_chunks() returns trigger
  language plpgsql security definer set search_path = ''
as $$
begin
  delete from public.chunks c using gone g where c.organization_id = g.organization_id and c.file_id = g.id;
  return null;
end
$$;

create function kijko.check_postings() returns trigger
  language plpgsql security definer set search_path = ''
as $$
declare
  asked integer;
  held integer;
begin
  select count(*) into asked from (select distinct n.organization_id, n.segment_id from fresh n) a;
  select count(*) into held
  from (
    select 1
    from (select distinct n.organization_id, n.segment_id from fresh n) a
    join public.search_segments s on s.organization_id = a.organization_id and s.id = a.segment_id
    for key share of s
  ) h;
  if held < asked then
    raise exception using
      errcode = 'foreign_key_violation', table = 'search_postings', constraint = 'search_postings_segment_fkey',
      message = 'a posting''s segment is not there, or is another organization''s';
  end if;
  return null;
end
$$;

create function kijko.drop_postings() returns trigger
  language plpgsql security definer set search_path = ''
as $$
begin
  delete from public.search_postings p
  using gone g
  where p.organization_id = g.organization_id and p.segment_id = g.id;
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

revoke execute on function kijko.check_chunks(), kijko.drop_chunks(), kijko.check_postings(), kijko.drop_postings(),
  kijko.key_stays() from public, anon, authenticated;

alter table public.chunks drop constraint chunks_file_fkey;
-- One index does for the primary key and for a file's chunks.
drop index public.chunks_file_idx;
alter table public.chunks drop constraint chunks_pkey;
alter table public.chunks add constraint chunks_pkey primary key (organization_id, file_id, ordinal);
create trigger chunks_come after insert on public.chunks
  referencing new table as fresh for each statement execute function kijko.check_chunks();
create trigger chunks_move before update of organization_id, file_id on public.chunks
  for each statement execute function kijko.key_stays();
create trigger source_files_go after delete on public.source_files
  referencing old table as gone for each statement execute function kijko.drop_chunks();
create trigger source_files_move before update of organization_id, id on public.source_files
  for each statement execute function kijko.key_stays();

alter table public.search_postings drop constraint search_postings_segment_fkey;
create trigger search_postings_come after insert on public.search_postings
  referencing new table as fresh for each statement execute function kijko.check_postings();
create trigger search_postings_move before update of organization_id, segment_id on public.search_postings
  for each statement execute function kijko.key_stays();
create trigger search_segments_go after delete on public.search_segments
  referencing old table as gone for each statement execute function kijko.drop_postings();
create trigger search_segments_move before update of organization_id, id on public.search_segments
  for each statement execute function kijko.key_stays();
