-- When a member was last active in a project. Reading counts, and must not write: the API's processes gather who asked for
-- what and tell it every few seconds, all at once. Nothing is written where it is known to within five minutes.

create function kijko.note_activity(persons uuid[], projects uuid[]) returns void
  language sql volatile security definer set search_path = ''
as $$
  update public.project_members m
  set last_active_at = now()
  from (
    select k.id
    from public.project_members k
    join (select distinct * from unnest(persons, projects) as given (person, project)) seen
      on k.user_id = seen.person and k.project_id = seen.project
    where k.accepted_at is not null
      and (k.last_active_at is null or k.last_active_at < now() - interval '5 minutes')
    -- Another process writes the same at this moment, or the membership is just changed: then this is no loss.
    for update of k skip locked
  ) due
  where m.id = due.id
$$;
comment on function kijko.note_activity(uuid[], uuid[]) is
  'These persons, pair by pair, were active in these projects just now; whoever is no member of one is passed over. For the '
  'API''s own login: it tells of many requests at once.';
revoke execute on function kijko.note_activity(uuid[], uuid[]) from public, anon, authenticated;
grant execute on function kijko.note_activity(uuid[], uuid[]) to kijko_api;

-- An upload names its project inside its form, where the API's processes do not look.
create function kijko.note_upload() returns trigger
  language plpgsql security definer set search_path = ''
as $$
begin
  perform kijko.note_activity(array[auth.uid()], array[new.project_id]);
  return null;
end
$$;
revoke execute on function kijko.note_upload() from public, anon, authenticated;
create trigger uploads_activity after insert or update on public.uploads
  for each row when (auth.uid() is not null) execute function kijko.note_upload();
