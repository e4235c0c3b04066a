-- A row's place (ctid) is its own in one table alone: where a table is partitioned, that of another organization's row in
-- another partition is the same. So what is erased is asked for its organization as well.

create or replace function kijko.erase_organization(organization uuid, most integer) returns bigint
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  place record;
  gone bigint;
begin
  -- Whatever has an organization_id, the deepest first, so that no deletion has a long tail of its own; tables of later
  -- migrations are among them. What the file store still holds is noted in storage_deletions, which the sweep empties.
  for place in
    with recursive tables as (
      select c.oid, c.relname::text as name
      from pg_catalog.pg_class c
      join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = 'organization_id' and not a.attisdropped
      where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relname <> 'storage_deletions'
    ),
    below as (
      select 'public.organizations'::regclass::oid as oid, 0 as depth
      union
      select k.conrelid, b.depth + 1
      from below b
      join pg_catalog.pg_constraint k on k.confrelid = b.oid and k.contype = 'f' and k.conrelid <> k.confrelid
      where b.depth < 12
    )
    select t.name, coalesce(max(b.depth), -1) as depth
    from tables t
    left join below b on b.oid = t.oid
    group by t.name
    order by 2 desc, 1
  loop
    if place.depth < 0 then
      delete from public.organizations o where o.id = organization;
    end if;
    execute format(
      'delete from public.%1$I where organization_id = $1 '
      'and ctid = any (array(select ctid from public.%1$I where organization_id = $1 limit $2))',
      place.name
    ) using organization, most;
    get diagnostics gone = row_count;
    if gone > 0 then
      return gone;
    end if;
  end loop;
  delete from public.organizations o where o.id = organization;
  return 0;
end
$$;
