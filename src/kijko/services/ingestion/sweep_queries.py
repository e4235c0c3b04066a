"""Statements on what an ingestion that has ended leaves behind."""

from dataclasses import dataclass
from uuid import UUID

from kijko.core.db import Query, Statement
from kijko.core.tenancy import SystemReader, SystemTx


@dataclass(frozen=True, slots=True)
class Ended:
    """An ingestion that has ended and has left something behind."""

    id: UUID
    organization_id: UUID
    project_id: UUID
    serves: bool


_UNSWEPT = Query(
    Ended,
    """
    select i.id, i.organization_id, i.project_id, i.status = 'completed' as serves
    from ingestions i
    where i.completed_at is not null and not i.swept and ($1::uuid is null or i.project_id = $1)
    order by i.completed_at
    limit 20
    """,
)
_DELETE_FILES = Statement(
    """
    delete from source_files f
    where f.id in (
      select g.id from source_files g
      where g.project_id = $1::uuid and not g.live and g.ingestion_id is null
      union all
      select g.id from source_files g where g.ingestion_id = $2::uuid and not g.live
      limit $3::integer
    )
    """
)
_DELETE_NAMES = Statement(
    """
    delete from ingestion_files f
    where (f.organization_id, f.ingestion_id, f.place) in (
      select g.organization_id, g.ingestion_id, g.place
      from ingestion_files g
      join ingestions i on i.id = g.ingestion_id
      where g.organization_id = $1::uuid and i.project_id = $2::uuid and i.completed_at is not null
        and i.id is distinct from (select x.ingestion_id from project_indexes x where x.project_id = $2)
      limit $3::integer
    )
    """
)
_SWEPT = Statement("update ingestions set swept = true where id = $1::uuid")


async def unswept(reader: SystemReader, project_id: UUID | None) -> list[Ended]:
    """Ingestions that have ended, of one project or of all, first those that ended first."""
    return await reader.all(_UNSWEPT, project_id)


async def delete_files(reader: SystemReader, ended: Ended, most: int) -> int:
    """Deletes files that serve no more, with their chunks, at most so many; how many."""
    return await reader.run(_DELETE_FILES, ended.project_id, ended.id, most)


async def delete_names(reader: SystemReader, ended: Ended, most: int) -> int:
    """Deletes lists of files that nothing compares with any more; how many entries."""
    return await reader.run(_DELETE_NAMES, ended.organization_id, ended.project_id, most)


async def swept(tx: SystemTx, ingestion_id: UUID) -> None:
    """Nothing of it is left behind."""
    await tx.run(_SWEPT, ingestion_id)
