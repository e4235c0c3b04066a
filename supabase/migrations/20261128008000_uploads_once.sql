-- Of two uploads that bring a project the same new name at once, the second waited for the first, took its place, and
-- never gave its bytes back: it had looked for a file to replace before there was one. Now it looks after it has waited.

create or replace function kijko.finish_uploads(
  project uuid, contents uuid[], names text[], content_types text[], digests text[]
) returns table (content_id uuid, id uuid)
  language plpgsql volatile security definer set search_path = ''
as $$
declare
  tenant constant uuid := kijko.check_source(project);
  one record;
  begun public.storage_deletions;
  old public.uploads;
begin
  -- The project first, and names in their order: who deletes it, or brings the same files, waits and does not deadlock.
  perform from public.projects p where p.id = project for key share;
  if not found then
    return;
  end if;
  for one in
    select * from unnest(contents, names, content_types, digests) as given (content, name, content_type, sha256)
    order by given.name
  loop
    -- One that the sweep has taken, or is about to, is not kept any more.
    delete from public.storage_deletions d
    where d.content_id = one.content
      and d.organization_id = tenant
      and d.storage_key = kijko.storage_key(tenant, project, one.content)
      and d.attempts = 0
      and d.due_at > now()
    returning d.* into begun;
    continue when not found;
    content_id := one.content;
    loop
      insert into public.uploads as u (
        organization_id, project_id, user_id, name, size_bytes, content_type, sha256, storage_key, content_id
      )
      values (
        tenant, project, auth.uid(), one.name, begun.size_bytes, one.content_type, one.sha256, begun.storage_key,
        one.content
      )
      on conflict (project_id, name) do nothing
      returning u.id into id;
      exit when found;
      select u.* into old from public.uploads u where u.project_id = project and u.name = one.name for update;
      continue when not found;  -- it was deleted meanwhile
      update public.uploads u
      set user_id = auth.uid(),
        size_bytes = begun.size_bytes,
        content_type = one.content_type,
        sha256 = one.sha256,
        storage_key = begun.storage_key,
        content_id = one.content,
        created_at = now()
      where u.id = old.id;
      id := old.id;
      perform kijko.forget_content(tenant, old.content_id, old.storage_key, old.size_bytes);
      exit;
    end loop;
    return next;
  end loop;
end
$$;
