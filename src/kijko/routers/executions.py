"""Executions over HTTP."""

from fastapi import APIRouter, Response

from kijko.models.executions import SkillExecution
from kijko.routers.answers import JsonBytes
from kijko.routers.deps import CurrentReader
from kijko.routers.ids import ExecutionId
from kijko.routers.problems import problems
from kijko.services import executions

router = APIRouter(prefix="/executions", tags=["executions"])


@router.get(
    "/{executionId}",
    response_model=SkillExecution,
    summary="Read an execution",
    responses=problems("EXECUTION_NOT_FOUND"),
)
async def get(execution_id: ExecutionId, reader: CurrentReader) -> Response:
    """One execution with its result, its cost and the prompt that was sent."""
    return JsonBytes(await executions.get(reader, execution_id))
