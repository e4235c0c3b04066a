"""What an ingestion does with the index: stage segments that nobody reads, then publish or discard them."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from kijko.core.tenancy import SystemTx, Tenants
from kijko.services.search import queries
from kijko.services.search.inverting import Inverted, invert


async def stage(
    database: Tenants, organization_id: UUID, project_id: UUID, ingestion_id: UUID, entries: Sequence[tuple[int, bytes]]
) -> None:
    """Writes one segment of these chunks, (number, what `analyse` made of it); unseen until it is published.

    Some thousand chunks a call are best: each call is a segment, and each segment is read by every search until it is
    merged with others. In a transaction of its own.
    """
    if not entries:
        return
    await keep(database, organization_id, project_id, ingestion_id, await asyncio.to_thread(invert, entries))


async def keep(database: Tenants, organization_id: UUID, project_id: UUID, ingestion_id: UUID, made: Inverted) -> None:
    """Writes a segment that was made elsewhere, by `invert`; unseen until it is published."""
    async with database.system("staging a search index") as tx:
        segment = await queries.add_segment(
            tx,
            organization_id,
            project_id,
            ingestion_id,
            numbers=made.numbers,
            sources=made.sources,
            lengths=made.lengths,
        )
        await queries.add_postings(
            tx,
            organization_id,
            segment,
            terms=made.terms,
            frequencies=made.frequencies,
            postings=made.postings,
        )


async def publish(
    tx: SystemTx, organization_id: UUID, project_id: UUID, ingestion_id: UUID, removed: Sequence[int]
) -> None:
    """Makes what was staged serve, and the removed chunk numbers no more, when this transaction commits."""
    await queries.publish(tx, organization_id, project_id, ingestion_id, removed)


async def discard(tx: SystemTx, ingestion_id: UUID) -> None:
    """Deletes what a failed, cancelled or restarted ingestion staged. What it has published stays."""
    await queries.discard(tx, ingestion_id)
