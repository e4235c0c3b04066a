"""Statements on ingestions that a worker or the scheduler causes: claims, leases, progress, ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from kijko.core.db import Jsonb, Query, Scalar, Statement
from kijko.core.tenancy import SystemReader, SystemTx


@dataclass(frozen=True, slots=True)
class Claimed:
    """An ingestion that this worker holds. `phase` is where it goes on."""

    id: UUID
    organization_id: UUID
    project_id: UUID
    user_id: UUID | None
    force: bool
    phase: str
    progress: float
    commits: list[dict[str, Any]]  # as the wire has them, with what was read of each repository
    state: dict[str, Any]  # what an earlier attempt left, or nothing
    metrics: dict[str, Any]  # what it had counted
    attempts: int
    request_id: str | None
    started_at: datetime


MINE: Final = """
    with mine as (
      select i.id, i.organization_id
      from ingestions i
      where i.id = $1::uuid and i.status = 'processing' and i.lease_owner = $2::uuid and i.attempts = $3::integer
      for share
    )"""
"""What a worker's statement begins with: the ingestion, if it is this attempt's. Who takes it away waits meanwhile."""

# As with runs of skills: one claim after another, so that each sees what the last one took.
_TURN = Scalar(bool, "select pg_advisory_xact_lock(hashtextextended('kijko.ingest', 0)) is not null", writes=True)

# Who has least under way comes first, so that whoever queues many delays nobody else.
_CLAIM = Query(
    Claimed,
    """
    with waiting as (
      select i.id, i.available_at, busy.everywhere, busy.here,
        row_number() over (partition by i.organization_id order by i.available_at, i.id) as turn
      from ingestions i
      cross join lateral (
        select count(*) as everywhere, count(*) filter (where r.lease_owner = $1::uuid) as here
        from ingestions r
        where r.organization_id = i.organization_id and r.status = 'processing'
      ) busy
      where i.status = 'pending' and i.available_at <= now()
    ),
    next as (
      select w.id
      from waiting w
      where w.here + w.turn <= $4::integer
      order by w.everywhere + w.turn, w.available_at, w.id
      limit $2::integer
    )
    update ingestions i
    set
      status = 'processing',
      lease_owner = $1,
      lease_expires_at = now() + make_interval(secs => $3::double precision),
      attempts = i.attempts + 1
    from next
    where i.id = next.id and i.status = 'pending'
    returning i.id, i.organization_id, i.project_id, i.user_id, i.force, i.phase, i.progress::double precision,
      i.commits, i.state, i.metrics, i.attempts, i.request_id, i.started_at
    """,
)


async def claim(reader: SystemReader, worker: UUID, *, most: int, of_one: int, lease_s: float) -> list[Claimed]:
    """Takes ingestions, each for one lease; of one organization no more than `of_one` are this worker's at once."""
    _, claimed = await reader.gather(_TURN.bind_one(), _CLAIM.bind(worker, most, lease_s, of_one))
    return claimed


_HELD = Scalar(
    UUID,
    """
    select i.id from ingestions i
    where i.id = any($2::uuid[]) and i.status = 'processing' and i.lease_owner = $1::uuid
    """,
)


async def held(reader: SystemReader, worker: UUID, ingestion_ids: Sequence[UUID]) -> list[UUID]:
    """Those of these that the worker still has."""
    return await reader.all(_HELD, worker, list(ingestion_ids))


_RENEW = Scalar(
    UUID,
    """
    update ingestions i
    set lease_expires_at = now() + make_interval(secs => $3::double precision)
    where i.id = any($2::uuid[]) and i.status = 'processing' and i.lease_owner = $1::uuid
    returning i.id
    """,
)


async def renew(reader: SystemReader, worker: UUID, ingestion_ids: Sequence[UUID], *, lease_s: float) -> list[UUID]:
    """Prolongs the worker's leases; answers those that it still has."""
    return await reader.all(_RENEW, worker, list(ingestion_ids), lease_s)


_MOVE = Scalar(
    bool,
    """
    select kijko.move_ingestion(
      $1::uuid, $2::uuid, $3::integer, $4::text, $5::numeric, $6::text, $7::jsonb, $8::double precision
    )
    """,
    writes=True,
)


async def move(
    door: SystemReader | SystemTx,
    claimed: Claimed,
    worker: UUID,
    *,
    phase: str,
    progress: float,
    message: str,
    metrics: Jsonb,
    left_s: float | None,
) -> bool:
    """Says where an ingestion stands, in its row and its project's room; False where it is the worker's no more."""
    return await door.one(_MOVE, claimed.id, worker, claimed.attempts, phase, progress, message, metrics, left_s)


_KEEP = Scalar(
    bool,
    """
    update ingestions i
    set
      commits = coalesce($4::jsonb, i.commits),
      state = i.state || coalesce($5::jsonb, '{}'::jsonb),
      skipped = coalesce($6::jsonb, i.skipped),
      skipped_total = coalesce($7::integer, i.skipped_total)
    where i.id = $1::uuid and i.status = 'processing' and i.lease_owner = $2::uuid and i.attempts = $3::integer
    returning true
    """,
)


async def keep(
    door: SystemReader | SystemTx,
    claimed: Claimed,
    worker: UUID,
    *,
    commits: Jsonb | None = None,
    state: Jsonb | None = None,
    skipped: Jsonb | None = None,
    skipped_total: int | None = None,
) -> bool:
    """Keeps what the next worker would need, and what was not taken; False where it is the worker's no more."""
    kept = await door.first(_KEEP, claimed.id, worker, claimed.attempts, commits, state, skipped, skipped_total)
    return kept is True


_END = Scalar(
    bool,
    "select kijko.end_ingestion($1::uuid, $2::uuid, $3::integer, $4::text, $5::text, $6::text, $7::uuid)",
    writes=True,
)


async def fail(
    door: SystemReader | SystemTx,
    ingestion_id: UUID,
    worker: UUID | None,
    attempts: int | None,
    *,
    code: str,
    message: str,
    repository_id: UUID | None = None,
) -> bool:
    """Ends an ingestion as failed; what served before serves on. False where it had ended or is another's."""
    return await door.one(_END, ingestion_id, worker, attempts, "failed", code, message, repository_id)


_AGAIN = Statement(
    """
    update ingestions i
    set
      status = 'pending',
      lease_owner = null,
      lease_expires_at = null,
      attempts = i.attempts - $4::integer,
      available_at = clock_timestamp() + make_interval(secs => $5::double precision)
    where i.id = $1::uuid and i.status = 'processing' and i.lease_owner = $2::uuid and i.attempts = $3::integer
    """
)


async def again(reader: SystemReader, claimed: Claimed, worker: UUID, *, delay_s: float, free: bool = False) -> None:
    """Puts an ingestion back for a later attempt; a `free` one does not count."""
    await reader.run(_AGAIN, claimed.id, worker, claimed.attempts, int(free), delay_s)


@dataclass(frozen=True, slots=True)
class Lost:
    """An ingestion whose worker let the lease run out."""

    id: UUID
    project_id: UUID
    attempts: int


_EXPIRED = Query(
    Lost,
    """
    select i.id, i.project_id, i.attempts
    from ingestions i
    where i.status = 'processing' and i.lease_expires_at < now()
    order by i.lease_expires_at
    limit 100
    """,
)
_REQUEUE = Scalar(
    bool,
    """
    update ingestions i
    set status = 'pending', lease_owner = null, lease_expires_at = null, available_at = now(),
      message = 'A worker was lost; another goes on'
    where i.id = $1::uuid and i.status = 'processing' and i.lease_expires_at < now()
    returning true
    """,
)
_TAKE_AWAY = Scalar(
    bool,
    """
    update ingestions i
    set status = 'pending', lease_owner = null, lease_expires_at = null, available_at = now() + interval '1 hour'
    where i.id = $1::uuid and i.status = 'processing' and i.lease_expires_at < now()
    returning true
    """,
)


async def expired(reader: SystemReader) -> list[Lost]:
    """Ingestions of dead workers."""
    return await reader.all(_EXPIRED)


async def requeue(reader: SystemReader, ingestion_id: UUID) -> bool:
    """Lets another worker go on; False where the lease was renewed or it has ended meanwhile."""
    return await reader.first(_REQUEUE, ingestion_id) is True


async def take_away(reader: SystemReader, ingestion_id: UUID) -> bool:
    """The same, for one that is to be ended: no worker takes it up before."""
    return await reader.first(_TAKE_AWAY, ingestion_id) is True


_WAITING = Scalar(bool, "select exists (select from ingestions where status = 'pending' and available_at <= now())")


async def any_waiting(reader: SystemReader) -> bool:
    """Whether an ingestion waits for a worker now."""
    return await reader.one(_WAITING)


_SALT = Scalar(bytes, "select kijko.organization_salt($1::uuid)", writes=True)


@dataclass(frozen=True, slots=True)
class Project:
    """A project as far as its ingestion goes."""

    chunking_strategy: str
    include_metadata: bool
    anonymize_secrets: bool
    settings: dict[str, Any]  # AdvancedSettings, as the wire has it
    serving: UUID | None
    """The ingestion whose files serve now."""


_PROJECT = Query(
    Project,
    """
    select p.chunking_strategy, p.include_metadata, p.anonymize_secrets, p.settings,
      x.ingestion_id as serving
    from projects p
    left join project_indexes x on x.project_id = p.id
    where p.id = $1::uuid
    """,
)


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository to fetch."""

    id: UUID
    url: str
    name: str
    branch: str
    last_commit: str | None
    include: list[str] | None
    exclude: list[str] | None


_REPOSITORIES = Query(
    Repository,
    """
    select r.id, r.repository_url as url, r.repository_name as name, r.branch, r.last_commit_hash as last_commit,
      r.include_paths as include, r.exclude_paths as exclude
    from project_repositories r
    where r.project_id = $1::uuid
    order by r.created_at, r.id
    """,
)


@dataclass(frozen=True, slots=True)
class Upload:
    """An uploaded file."""

    id: UUID
    name: str
    sha256: str
    size_bytes: int


_UPLOADS = Query(
    Upload,
    """
    select u.id, u.name, u.sha256, u.size_bytes
    from uploads u
    where u.project_id = $1::uuid and u.name > $2::text
    order by u.name
    limit $3::integer
    """,
)


async def project(reader: SystemReader, project_id: UUID) -> tuple[Project | None, list[Repository]]:
    """A project with its repositories; None where it was deleted."""
    return await reader.gather(_PROJECT.bind_first(project_id), _REPOSITORIES.bind(project_id))


async def salt(reader: SystemReader, organization_id: UUID) -> bytes:
    """What makes an organization's placeholders its own."""
    return await reader.one(_SALT, organization_id)


async def uploads(reader: SystemReader, project_id: UUID, after: str, most: int) -> list[Upload]:
    """A project's uploaded files by name, those after a name."""
    return await reader.all(_UPLOADS, project_id, after, most)


_SYNCING = Statement(
    "update project_repositories set status = 'syncing', updated_at = now() where project_id = $1::uuid"
)


async def syncing(tx: SystemTx, project_id: UUID) -> None:
    """A project's repositories are being read, by who holds the ingestion in this transaction."""
    await tx.run(_SYNCING, project_id)


_NAME_BRANCH = Scalar(bool, "select kijko.name_branch($1::uuid, $2::uuid, $3::text)", writes=True)


async def name_branch(reader: SystemReader, ingestion_id: UUID, repository_id: UUID, branch: str) -> bool:
    """Keeps which branch a repository's default one is; False where another was chosen meanwhile."""
    return await reader.one(_NAME_BRANCH, ingestion_id, repository_id, branch)


_KNOWN = Scalar(UUID, "select r.id from project_repositories r where r.id = any($1::uuid[])")


async def known(reader: SystemReader, repository_ids: Sequence[UUID]) -> list[UUID]:
    """Those of these repositories that are still there."""
    return await reader.all(_KNOWN, list(repository_ids))


_HOLD = Scalar(bool, "select kijko.hold_ingestion($1::uuid, $2::uuid, $3::integer)", writes=True)


async def hold(tx: SystemTx, claimed: Claimed, worker: UUID) -> bool:
    """Holds project and ingestion until the transaction ends; False where it is another's by now."""
    return await tx.one(_HOLD, claimed.id, worker, claimed.attempts)
