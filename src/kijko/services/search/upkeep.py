"""What the scheduler does for the index: many small segments become one, and what is dead is left out."""

from collections.abc import Sequence
from typing import Final

import structlog

from kijko.core.tenancy import Tenants
from kijko.services.search import queries
from kijko.services.search.queries import Segment

LARGEST: Final = 16_000
"""Chunks of a segment that merging makes: some seconds of work, and nothing to wait for."""
MOST_SMALL: Final = 8
_DEAD_SHARE: Final = 0.2
_GROWTH: Final = 4

_log = structlog.get_logger(__name__)


async def sweep(database: Tenants) -> None:
    """Looks at the indexes that have changed; at each merges once at the most, and again the next time."""
    for due in await queries.due(database.system_reader("search indexes that changed, of every organization")):
        async with database.system("merging segments of a search index") as tx:
            await tx.one(queries.PATIENCE)
            chosen = choose(await queries.inspect(tx, due.project_id))
            if chosen:
                kept = await queries.merge(tx, due.organization_id, due.project_id, chosen)
                _log.info("search.merged", project_id=str(due.project_id), segments=len(chosen), chunks=kept)
                await queries.look_again(tx, due.project_id)


def choose(segments: Sequence[Segment]) -> list[int]:
    """Which segments to write anew as one: those with many dead, else many small ones; none where all is well.

    Of the small ones the smallest, as long as none is much larger than all before it: so a chunk is rewritten a few
    times in its life, and not at each small change. `segments` come smallest first.
    """
    rotten = [each for each in segments if each.dead > each.chunks * _DEAD_SHARE]
    if rotten:
        return _within(rotten)
    chosen = _within(segments, growth=_GROWTH)
    return chosen if len(chosen) >= MOST_SMALL else []


def _within(segments: Sequence[Segment], growth: int | None = None) -> list[int]:
    """The first of them that are small enough together; one at least."""
    chosen, total = [segments[0].id] if segments else [], segments[0].chunks if segments else 0
    for each in segments[1:]:
        if total + each.chunks > LARGEST or (growth and each.chunks > growth * max(total, 1)):
            break
        chosen.append(each.id)
        total += each.chunks
    return chosen
