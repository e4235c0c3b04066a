-- What a project brings into a prompt: uploaded files, ingestions, the indexed files and their chunks.
--
-- An ingestion is a job and its row is the truth: a worker claims it with a lease. It stages files with their chunks,
-- which nobody sees, and its last transaction makes them serve in place of the old ones; so one that fails or is
-- cancelled leaves what served before. A chunk's id is made from what it is (project, source, path, content, options,
-- place), so that an incremental ingestion ends with the ids that a full one would have.

create table public.uploads (
  id uuid constraint uploads_pkey primary key default gen_random_uuid(),
  organization_id uuid not null,
  project_id uuid not null,
  user_id uuid not null,
  name text not null constraint uploads_name_check check (char_length(name) between 1 and 1000),
  size_bytes bigint not null constraint uploads_size_check check (size_bytes >= 0),
  content_type text not null,
  sha256 text not null constraint uploads_sha256_check check (sha256 ~ '^[0-9a-f]{64}$'),
  storage_key text not null,
  created_at timestamptz not null default now(),
  constraint uploads_tenant_key unique (organization_id, id),
  constraint uploads_project_fkey foreign key (organization_id, project_id)
    references public.projects (organization_id, id) on delete cascade
);
comment on table public.uploads is 'Files that people uploaded, one row each; a zip became its files. `name` is its path.';
create unique index uploads_name_key on public.uploads (project_id, name);
create index uploads_project_idx on public.uploads (organization_id, project_id, created_at, id);

alter table public.project_repositories
  add constraint project_repositories_tenant_key unique (organization_id, id);

create table public.ingestions (
  id uuid constraint ingestions_pkey primary key default gen_random_uuid(),
  organization_id uuid not null,
  project_id uuid not null,
  user_id uuid,
  trigger text not null default 'manual'
    constraint ingestions_trigger_check check (trigger in ('manual', 'webhook')),
  status text not null default 'pending'
    constraint ingestions_status_check check (status in ('pending', 'processing', 'completed', 'failed', 'cancelled')),
  force boolean not null default false,
  phase text not null default 'repository_fetch'
    constraint ingestions_phase_check check (
      phase in ('repository_fetch', 'parsing', 'chunking', 'optimization', 'indexing')
    ),
  progress numeric not null default 0 constraint ingestions_progress_check check (progress between 0 and 100),
  message text not null default '',
  metrics jsonb not null default '{}'::jsonb,
  commits jsonb not null default '[]'::jsonb,
  errors jsonb not null default '[]'::jsonb,
  skipped jsonb not null default '[]'::jsonb,
  secrets jsonb not null default '[]'::jsonb,
  state jsonb not null default '{}'::jsonb,
  error_code text,
  error_message text,
  request_id text,
  attempts integer not null default 0,
  available_at timestamptz not null default now(),
  lease_owner uuid,
  lease_expires_at timestamptz,
  cancel_requested boolean not null default false,
  started_at timestamptz not null default now(),
  estimated_completion_at timestamptz,
  completed_at timestamptz,
  constraint ingestions_tenant_key unique (organization_id, id),
  constraint ingestions_project_fkey foreign key (organization_id, project_id)
    references public.projects (organization_id, id) on delete cascade,
  constraint ingestions_lease_check check ((status = 'processing') = (lease_owner is not null)),
  constraint ingestions_ended_check check (
    (status in ('completed', 'failed', 'cancelled')) = (completed_at is not null)
  )
);
comment on column public.ingestions.state is 'What the next worker needs to go on where the last one''s phase began.';
create index ingestions_newest_idx on public.ingestions (organization_id, project_id, started_at desc, id desc);
-- Two starts at once make one job.
create unique index ingestions_active_key on public.ingestions (project_id) where status in ('pending', 'processing');
create index ingestions_pending_idx on public.ingestions (available_at, id) where status = 'pending';
create index ingestions_lease_idx on public.ingestions (lease_expires_at) where status = 'processing';

create table public.source_files (
  id uuid constraint source_files_pkey primary key default gen_random_uuid(),
  organization_id uuid not null,
  project_id uuid not null,
  repository_id uuid,
  upload_id uuid,
  ingestion_id uuid,
  live boolean not null default false,
  path text not null,
  content_key text not null,
  options_key text not null,
  language text,
  size_bytes bigint not null,
  lines integer not null,
  original_tokens bigint not null,
  tokens bigint not null,
  chunks integer not null,
  structure jsonb,
  created_at timestamptz not null default now(),
  constraint source_files_tenant_key unique (organization_id, id),
  constraint source_files_source_check check (num_nonnulls(repository_id, upload_id) = 1),
  constraint source_files_project_fkey foreign key (organization_id, project_id)
    references public.projects (organization_id, id) on delete cascade,
  constraint source_files_repository_fkey foreign key (organization_id, repository_id)
    references public.project_repositories (organization_id, id) on delete cascade,
  constraint source_files_upload_fkey foreign key (organization_id, upload_id)
    references public.uploads (organization_id, id) on delete cascade
);
comment on table public.source_files is
  'Indexed files. `content_key` is git''s blob id or the upload''s sha256; with `options_key`, a digest of how the project '
  'is chunked, it says whether a file must be read again. Staged rows are not live and belong to an ingestion.';
comment on column public.source_files.structure is 'Imports and signatures, where the project wants them.';
create unique index source_files_live_key
  on public.source_files (project_id, coalesce(repository_id, project_id), path) where live;
create unique index source_files_staged_key
  on public.source_files (ingestion_id, coalesce(repository_id, project_id), path) where not live;
create index source_files_project_idx on public.source_files (organization_id, project_id, path, id);
create index source_files_repository_idx on public.source_files (organization_id, repository_id);
create index source_files_upload_idx on public.source_files (organization_id, upload_id);

create table public.chunks (
  file_id uuid not null,
  ordinal integer not null,
  id uuid not null,
  organization_id uuid not null,
  project_id uuid not null,
  number integer not null,
  start_byte integer not null,
  end_byte integer not null,
  start_line integer not null,
  end_line integer not null,
  tokens integer not null,
  kind text not null,
  symbol text,
  content text not null,
  constraint chunks_pkey primary key (file_id, ordinal),
  constraint chunks_file_fkey foreign key (organization_id, file_id)
    references public.source_files (organization_id, id) on delete cascade
);
comment on table public.chunks is
  'Pieces of a file, in order; together its whole redacted text. A chunk serves when its file is live. `number` is what '
  'the search index calls it, unique in its project.';
create index chunks_file_idx on public.chunks (organization_id, file_id);
create unique index chunks_number_key on public.chunks (project_id, number);
create index chunks_id_idx on public.chunks (project_id, id);

revoke all on public.uploads, public.ingestions, public.source_files, public.chunks from anon, authenticated;
grant select on public.uploads, public.ingestions, public.source_files, public.chunks to authenticated;
grant all on public.uploads, public.ingestions, public.source_files, public.chunks to service_role;

-- Whoever sees a project sees what hangs on it; people write none of it directly.
alter table public.uploads enable row level security;
alter table public.uploads force row level security;
create policy uploads_select on public.uploads for select to authenticated
  using (
    organization_id = (select kijko.current_org())
    and project_id in (select p.id from public.projects p)
  );
alter table public.ingestions enable row level security;
alter table public.ingestions force row level security;
create policy ingestions_select on public.ingestions for select to authenticated
  using (
    organization_id = (select kijko.current_org())
    and project_id in (select p.id from public.projects p)
  );
alter table public.source_files enable row level security;
alter table public.source_files force row level security;
create policy source_files_select on public.source_files for select to authenticated
  using (
    organization_id = (select kijko.current_org())
    and live
    and project_id in (select p.id from public.projects p)
  );
alter table public.chunks enable row level security;
alter table public.chunks force row level security;
create policy chunks_select on public.chunks for select to authenticated
  using (
    organization_id = (select kijko.current_org())
    and project_id in (select p.id from public.projects p)
  );
