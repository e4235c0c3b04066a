"""Executions over HTTP."""

from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import StreamingResponse

from kijko.core.db.errors import Raised
from kijko.core.errors import AppError
from kijko.core.tenancy import translate
from kijko.models.base import Success
from kijko.models.executions import SkillExecution
from kijko.routers.answers import JsonBytes
from kijko.routers.deps import CurrentReader, CurrentTx, Outside
from kijko.routers.ids import ExecutionId
from kijko.routers.principal import CurrentPrincipal
from kijko.routers.problems import problems
from kijko.services import executions

router = APIRouter(prefix="/executions", tags=["executions"])

_STREAM: Final = {
    "content": {
        "text/event-stream": {
            "schema": {"type": "string"},
            "example": 'id: 1:5\nevent: delta\ndata: {"text":"Hello"}\n\n'
            'id: end\nevent: execution\ndata: {"id":"…"}\n\n',
        }
    },
    "description": "The events.",
}
_ALL_HEARD: Final = {"description": "Last-Event-ID is the last one there is: do not connect again."}


@router.get(
    "/{executionId}",
    response_model=SkillExecution,
    summary="Read an execution",
    responses=problems("EXECUTION_NOT_FOUND"),
)
async def get(execution_id: ExecutionId, reader: CurrentReader) -> Response:
    """One execution with its result, its cost and the prompt that was sent."""
    return JsonBytes(await executions.get(reader, execution_id))


@router.post(
    "/{executionId}/cancel",
    response_model=Success,
    summary="Cancel an execution",
    responses=problems("EXECUTION_NOT_FOUND", "CANNOT_CANCEL"),
)
async def cancel(execution_id: ExecutionId, tx: CurrentTx, outside: Outside) -> Success:
    """Ends a pending or running execution as `cancelled`. The call of the model is dropped; what it used is kept."""
    await executions.cancel(tx, outside.notices, outside.jobs, execution_id)
    return Success()


@router.get(
    "/{executionId}/stream",
    response_class=StreamingResponse,
    summary="Follow an execution",
    responses=problems("EXECUTION_NOT_FOUND") | {200: _STREAM, 204: _ALL_HEARD},
)
async def stream(
    request: Request,
    execution_id: ExecutionId,
    outside: Outside,
    principal: CurrentPrincipal,
    last_event_id: Annotated[
        str | None, Header(alias="Last-Event-ID", description="The last id that was heard: what follows it comes.")
    ] = None,
) -> Response:
    """Server-sent events: `delta {text}` as the model says it, then `execution`, the SkillExecution, and the end.

    Where an attempt fails and the run is tried again, `restart {attempt}` says that the text so far does not count. An
    execution that has ended replays. The stream also ends with the token: connect again with a new one and the last id.
    """
    texts: executions.Texts = request.app.state.texts
    heard = executions.place_of(last_event_id)
    if heard is None:
        await executions.get(outside.database.reader(principal), execution_id)
        return Response(status_code=204)
    given = executions.Following(outside.database, outside.notices, texts, outside.streams)
    told = executions.follow(given, principal, execution_id, heard)
    first = await anext(told)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_written(first, told), media_type="text/event-stream", headers=headers)


async def _written(first: executions.Told | None, rest: AsyncIterator[executions.Told | None]) -> AsyncIterator[bytes]:
    """The wire's text. Who may not hear it any more is only disconnected: the next request says why."""
    yield _text(first)
    try:
        async for one in rest:
            yield _text(one)
    except AppError:
        return
    except Raised as error:  # a session that has ended, a key that was revoked
        if translate(error) is None:
            raise


def _text(told: executions.Told | None) -> bytes:
    if told is None:
        return b":\n\n"
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (told.id.encode(), told.event.encode(), told.data)
