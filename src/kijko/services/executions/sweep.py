"""What the scheduler does for executions: nothing waits unseen, nothing stays with a dead worker."""

import structlog

from kijko.core.jobs import Jobs, Work
from kijko.core.notices import Notices
from kijko.core.tenancy import Tenants
from kijko.models.enums import ExecutionStatus
from kijko.services.executions import ending_queries, sweep_queries, work_queries

_log = structlog.get_logger(__name__)


async def sweep(database: Tenants, jobs: Jobs, notices: Notices, *, max_attempts: int) -> None:
    """Takes runs away from dead workers and nudges the living ones where something waits."""
    async with database.system("runs whose lease ran out, of every organization") as tx:
        lost = await sweep_queries.expire(tx, max_attempts=max_attempts)
        ended = [one for one in lost if one.status != ExecutionStatus.PENDING]
        if unused := [one.id for one in ended if not one.model_ran]:
            await ending_queries.give_back(tx, unused)
        waiting = await work_queries.any_waiting(tx)
    if lost:
        _log.warning("executions.lost", runs=len(lost))
        await notices.publish([str(one.id) for one in ended])
    if waiting:
        jobs.wake(Work.EXECUTIONS)
