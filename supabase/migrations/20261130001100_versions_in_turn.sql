-- A skill's versions are numbered one after another, each written with the save that makes it: also where a maker speaks
-- SQL, none is ahead, and no later save finds its number taken. One may be left out that way, and the next save has its
-- own all the same.

create function kijko.refuse_version_leap() returns trigger
  language plpgsql set search_path = ''
as $$
begin
  raise exception 'A skill''s version grows by one.' using errcode = 'KJ409';
end
$$;
revoke execute on function kijko.refuse_version_leap() from public, anon, authenticated;
create trigger skills_version_grows before update of version on public.skills
  for each row when (new.version <> old.version and new.version <> old.version + 1)
  execute function kijko.refuse_version_leap();

-- After the row: the policy has been asked by then, so who may not write it learns nothing of how many there are.
create function kijko.check_next_version() returns trigger
  language plpgsql volatile security definer set search_path = ''
as $$
begin
  if not exists (
    select
    from public.skills s
    where s.organization_id = new.organization_id and s.id = new.skill_id and s.version = new.version
  ) then
    raise exception 'This is not the skill''s next version. Save the skill, and it has one.' using errcode = 'KJ409';
  end if;
  return null;
end
$$;
revoke execute on function kijko.check_next_version() from public, anon, authenticated;
create trigger skill_versions_next after insert on public.skill_versions
  for each row execute function kijko.check_next_version();
