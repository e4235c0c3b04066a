"""Every statement on the vectors of chunks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from kijko.core.db import Query, Scalar, Statement
from kijko.core.tenancy import SystemReader

MODEL: Final = Query(str, "select m from kijko.vectors_of($1::uuid) m where m is not null")
"""The model of a project's vectors, for the caller; no row where there are none."""

MODEL_FOR_ANYBODY: Final = Query(
    str, "select model from search_embeddings where project_id = $1::uuid and model is not null"
)
"""The same, for the worker."""


@dataclass(frozen=True, slots=True)
class Job:
    """A project whose vectors this worker is to make, and how."""

    project_id: UUID
    model: str
    attempts: int


_CLAIM = Query(
    Job,
    """
    with next as (
      select e.project_id, coalesce(p.settings ->> 'embeddingModel', $2::text) as model
      from search_embeddings e
      join projects p on p.id = e.project_id
      where (
          (e.status = 'pending' and e.available_at <= now())
          or (e.status = 'running' and e.lease_expires_at < now())
        )
        and ($3::boolean or p.settings ->> 'outputFormat' = 'vector')
      order by e.available_at
      limit 1
      for update of e skip locked
    )
    update search_embeddings e
    set status = 'running', again = false, lease_owner = $1::uuid,
      lease_expires_at = now() + make_interval(secs => $4::double precision), attempts = e.attempts + 1
    from next n
    where e.project_id = n.project_id
    returning e.project_id, n.model, e.attempts
    """,
    writes=True,
)


async def claim(reader: SystemReader, worker: UUID, *, model: str, everywhere: bool, lease_s: float) -> Job | None:
    """Takes the project that waited longest, for one lease; `everywhere`, also those that did not ask for vectors."""
    return await reader.first(_CLAIM, worker, model, everywhere, lease_s)


@dataclass(frozen=True, slots=True)
class Unembedded:
    """A chunk without a vector."""

    number: int
    hash: bytes
    content: str


_NEXT = Query(
    Unembedded,
    """
    select number, hash, content
    from kijko.unembedded($1::uuid, $2::uuid, $3::text, $4::integer, $5::integer, $6::double precision)
    """,
    writes=True,
)


async def unembedded(
    reader: SystemReader, job: Job, worker: UUID, *, after: int, most: int, lease_s: float
) -> list[Unembedded]:
    """The next chunks after that number; the lease is prolonged. None are left, or the lease is lost: an empty list."""
    return await reader.all(_NEXT, job.project_id, worker, job.model, after, most, lease_s)


_KEEP = Scalar(
    int,
    "select kijko.keep_vectors($1::uuid, $2::uuid, $3::text, $4::integer[], $5::bytea[], $6::text[])",
    writes=True,
)


async def keep(
    reader: SystemReader, job: Job, worker: UUID, chunks: Sequence[Unembedded], vectors: Sequence[str]
) -> None:
    """Keeps the vectors of chunks, where the lease still is this worker's."""
    numbers, hashes = [each.number for each in chunks], [each.hash for each in chunks]
    await reader.one(_KEEP, job.project_id, worker, job.model, numbers, hashes, vectors)


_FINISH = Scalar(bool, "select kijko.finish_vectors($1::uuid, $2::uuid, $3::text)", writes=True)


async def finish(reader: SystemReader, job: Job, worker: UUID) -> None:
    """The project has its vectors."""
    await reader.one(_FINISH, job.project_id, worker, job.model)


_PUT_OFF = Statement(
    """
    update search_embeddings e
    set status = case when $3::double precision is null then 'failed' else 'pending' end,
      available_at = now() + make_interval(secs => coalesce($3, 0)),
      lease_owner = null, lease_expires_at = null, error_message = $4::text
    where e.project_id = $1::uuid and e.lease_owner = $2::uuid
    """
)


async def put_off(reader: SystemReader, job: Job, worker: UUID, *, delay_s: float | None, error: str) -> None:
    """It failed: to be tried again after the delay, or without one given up until the next ingestion."""
    await reader.run(_PUT_OFF, job.project_id, worker, delay_s, error)


_HAND_BACK = Statement(
    """
    update search_embeddings e
    set status = 'pending', attempts = greatest(e.attempts - 1, 0), lease_owner = null, lease_expires_at = null
    where e.lease_owner = $1::uuid
    """
)


async def hand_back(reader: SystemReader, worker: UUID) -> None:
    """What this worker holds waits again, as if it had not been claimed."""
    await reader.run(_HAND_BACK, worker)
