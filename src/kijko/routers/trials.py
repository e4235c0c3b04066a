"""Trials over HTTP: a model answers while the caller waits, and no execution is recorded."""

from typing import Annotated, Final
from uuid import uuid4

from fastapi import APIRouter, Depends, Request, Response

from kijko.middleware.headers import add_header
from kijko.middleware.quota import quota_headers
from kijko.models.executions import ExecuteSkillResponse
from kijko.models.trials import TestSkillRequest, TrySkillRequest
from kijko.routers.answers import JsonBytes
from kijko.routers.deps import Outside
from kijko.routers.headers import LIMIT, described
from kijko.routers.idempotency import CurrentClaim
from kijko.routers.ids import SkillId
from kijko.routers.principal import CurrentPrincipal
from kijko.routers.problems import Responses, problems
from kijko.services import trials
from kijko.services.skills.errors import ContextNotFound

router = APIRouter(prefix="/skills", tags=["skills"])

_ANSWERS: Final[Responses] = {200: {"headers": described(*LIMIT)}}


async def _trials(request: Request) -> trials.Trials:
    found: trials.Trials = request.app.state.trials
    return found


Running = Annotated[trials.Trials, Depends(_trials)]


@router.post(
    "/test",
    response_model=ExecuteSkillResponse,
    summary="Try a prompt",
    responses=problems("UNKNOWN_MODEL", "INVALID_INPUT", "QUOTA_EXCEEDED") | _ANSWERS,
)
async def try_prompt(
    *,
    body: TestSkillRequest,
    outside: Outside,
    principal: CurrentPrincipal,
    running: Running,
    claim: CurrentClaim,  # the key is kept by the dependency
    request: Request,
) -> Response:
    """Runs the model with a prompt that is no skill's, at once, and answers with what it said or why it did not.

    No execution is recorded: `executionId` is the trial's own. It counts as an oracle query, and its cost is in the
    usage; where it fails before a model ran, it is given back.
    """
    wanted = await trials.check_prompt(body, default_model=request.app.state.settings.models.default)
    trial_id = uuid4()
    with running.turns.take(principal.user_id):
        async with outside.database.org(principal) as tx:
            begun = await running.begin(tx, trial_id)
        for name, value in quota_headers(begun.quota or {}):
            add_header(request.scope, name, value)
        return _answer(await running.run(principal, begun.organization_id, trial_id, wanted))


@router.post(
    "/{skillId}/test",
    response_model=ExecuteSkillResponse,
    summary="Try a skill",
    responses=problems("SKILL_NOT_FOUND", ContextNotFound, "INVALID_INPUT", "QUOTA_EXCEEDED") | _ANSWERS,
)
async def try_skill(
    *,
    skill_id: SkillId,
    body: TrySkillRequest | None = None,
    outside: Outside,
    principal: CurrentPrincipal,
    running: Running,
    claim: CurrentClaim,  # the key is kept by the dependency
    request: Request,
) -> Response:
    """The same with a skill as it stands now, active or not, and with its context."""
    trial_id = uuid4()
    with running.turns.take(principal.user_id):
        async with outside.database.org(principal) as tx:
            wanted = await trials.check_skill(tx, skill_id, body.input if body else None)
            begun = await running.begin(tx, trial_id)
        for name, value in quota_headers(begun.quota or {}):
            add_header(request.scope, name, value)
        return _answer(await running.run(principal, begun.organization_id, trial_id, wanted))


def _answer(found: ExecuteSkillResponse) -> Response:
    return JsonBytes(found.model_dump_json(by_alias=True))
