-- Skills that are changed, put back, copied, switched and deleted.

alter table public.skills add column revision bigint not null default 1;
comment on column public.skills.revision is
  'Grows with every save, by one; the ETag. `version` grows only where what a run is made of changes.';
grant update (revision) on public.skills to authenticated;

create function kijko.refuse_new_version() returns trigger
  language plpgsql set search_path = ''
as $$
begin
  raise exception 'A version of a skill never changes; save the skill, and it has a new one.' using errcode = 'KJ409';
end
$$;
revoke execute on function kijko.refuse_new_version() from public, anon, authenticated;
create trigger skill_versions_immutable before update on public.skill_versions
  for each row execute function kijko.refuse_new_version();

create function kijko.delete_skills(skills uuid[], expected bigint) returns uuid[]
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  organization constant uuid := kijko.current_org();
  person constant uuid := auth.uid();
  everybodys constant boolean := kijko.is_manager();
  theirs uuid[];
  waiting uuid[];
begin
  theirs := array(
    select s.id
    from public.skills s
    where s.organization_id = organization
      and s.id = any (skills)
      and (s.user_id = person or everybodys)
      and (expected is null or s.revision = expected)
  );
  -- In the order in which workers come by them: runs, then skills.
  waiting := array(
    select e.id
    from public.executions e
    where e.organization_id = organization
      and e.skill_id = any (theirs)
      and (e.status in ('pending', 'running') or e.lease_owner is not null)
    order by e.id
    for update
  );
  perform kijko.release_all('oracle_queries', array(
    select e.id from public.executions e where e.id = any (waiting) and e.status = 'pending' and not e.model_ran
  ));
  with gone as (
    delete from public.skills s
    where s.organization_id = organization
      and s.id = any (theirs)
      and (expected is null or s.revision = expected)
    returning s.id
  )
  select coalesce(array_agg(g.id), '{}') into theirs from gone g;
  return theirs;
end
$$;
comment on function kijko.delete_skills(uuid[], bigint) is
  'Deletes those of these skills that the caller may delete, with all that hangs on them; their ids. Runs that wait are given '
  'back to the quota. `expected`: only where that is the revision; null is any.';
revoke execute on function kijko.delete_skills(uuid[], bigint) from public, anon, authenticated;
grant execute on function kijko.delete_skills(uuid[], bigint) to authenticated;
