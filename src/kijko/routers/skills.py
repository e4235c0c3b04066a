"""Skills over HTTP."""

from contextlib import ExitStack
from typing import Annotated, Final
from uuid import uuid4

from fastapi import APIRouter, Query, Request, Response, status

from kijko.middleware.headers import add_header
from kijko.middleware.quota import quota_headers
from kijko.models.base import Success
from kijko.models.enums import ApiKeyScope, ExecutionStatus, SkillCategory
from kijko.models.executions import ExecuteSkillRequest, ExecuteSkillResponse, ExecutionSlice, SkillWithRelations
from kijko.models.skills import CreateSkillRequest, Skill, SkillPage, UpdateSkillRequest
from kijko.models.statistics import SkillDashboard
from kijko.routers.answers import JsonBytes
from kijko.routers.deps import CurrentReader, CurrentTx, Outside, PageNumber, PageSize
from kijko.routers.etags import IfMatch, matching, tagged
from kijko.routers.headers import LIMIT, described
from kijko.routers.idempotency import CurrentClaim
from kijko.routers.ids import SkillId
from kijko.routers.numbers import FRACTIONAL, WHOLE
from kijko.routers.principal import CurrentPrincipal
from kijko.routers.problems import problems
from kijko.services import executions, skills, statistics
from kijko.services.api_keys import require
from kijko.services.skills.errors import ContextNotFound

router = APIRouter(prefix="/skills", tags=["skills"])

TAGGED: Final = {"headers": described("ETag")}
_CHANGE: Final = problems(
    "SKILL_NOT_FOUND", "SKILL_NAME_EXISTS", "PRECONDITION_FAILED", "UNKNOWN_MODEL", ContextNotFound
) | {200: TAGGED}

Wait = Annotated[
    float,
    Query(ge=0, le=120, description="Seconds to wait for the end; then 200 with the result, else 202 as without it."),
    FRACTIONAL,
]


def default_model(request: Request) -> str:
    """The model of a skill that names none."""
    found: str = request.app.state.settings.models.default
    return found


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=Skill,
    summary="Make a skill",
    responses=problems("SKILL_NAME_EXISTS", "UNKNOWN_MODEL", ContextNotFound) | {201: TAGGED},
)
async def create(body: CreateSkillRequest, tx: CurrentTx, request: Request) -> Response:
    """Makes a skill and its version 1. Names are unique per owner, ignoring case."""
    made = await skills.create(tx, body, default_model=default_model(request))
    return tagged(made.body, made.revision, status.HTTP_201_CREATED)


@router.get("", response_model=SkillPage, name="list", summary="List skills", responses=problems())
async def list_page(
    *,
    reader: CurrentReader,
    category: SkillCategory | None = None,
    is_active: Annotated[bool | None, Query(alias="isActive")] = None,
    search: Annotated[str | None, Query(max_length=200, description="A text in the name or description.")] = None,
    page: PageNumber = 1,
    page_size: PageSize = 20,
) -> Response:
    """The organization's skills, last updated first."""
    return JsonBytes(
        await skills.list_page(
            reader, category=category, is_active=is_active, search=search, page=page, page_size=page_size
        )
    )


@router.get(
    "/{skillId}",
    response_model=Skill,
    summary="Read a skill",
    responses=problems("SKILL_NOT_FOUND") | {200: TAGGED},
)
async def get(skill_id: SkillId, reader: CurrentReader) -> Response:
    """One skill, by its id, with the ETag of its last save."""
    found = await skills.get(reader, skill_id)
    return tagged(found.body, found.revision)


@router.get(
    "/{skillId}/full",
    response_model=SkillWithRelations,
    name="get_full",
    summary="Read a skill with what hangs on it",
    responses=problems("SKILL_NOT_FOUND"),
)
async def full(skill_id: SkillId, reader: CurrentReader, principal: CurrentPrincipal) -> Response:
    """One skill with its habits, its reflexes and its ten newest executions. A webhook's secret is not among it.

    An API key needs `executions:read` as well.
    """
    require(principal, ApiKeyScope.EXECUTIONS_READ)
    return JsonBytes(await executions.full_skill(reader, skill_id))


@router.put("/{skillId}", response_model=Skill, summary="Change a skill", responses=_CHANGE)
async def put(
    skill_id: SkillId, body: UpdateSkillRequest, tx: CurrentTx, request: Request, if_match: IfMatch = None
) -> Response:
    """Changes the fields that are present.

    A change of prompt, model, parameters, schema, context or output format makes the next version.
    """
    return await _changed(tx, skill_id, body, request, if_match)


@router.patch("/{skillId}", response_model=Skill, summary="Change a skill (PATCH)", responses=_CHANGE)
async def patch(
    skill_id: SkillId, body: UpdateSkillRequest, tx: CurrentTx, request: Request, if_match: IfMatch = None
) -> Response:
    """The same as PUT: changes the fields that are present."""
    return await _changed(tx, skill_id, body, request, if_match)


async def _changed(
    tx: CurrentTx, skill_id: SkillId, body: UpdateSkillRequest, request: Request, if_match: IfMatch
) -> Response:
    saved = await skills.update(tx, skill_id, body, default_model=default_model(request), match=matching(if_match))
    return tagged(saved.body, saved.revision)


@router.delete(
    "/{skillId}",
    response_model=Success,
    summary="Delete a skill",
    responses=problems("SKILL_NOT_FOUND", "PRECONDITION_FAILED"),
)
async def delete(skill_id: SkillId, tx: CurrentTx, outside: Outside, if_match: IfMatch = None) -> Success:
    """Deletes a skill with its versions, habits, reflexes and executions.

    What its runs cost stays in the ledger, and so in every total. Runs for which no model has worked are given back to
    the quota; the model's call of one that runs is dropped.
    """
    await skills.delete(tx, skill_id, match=matching(if_match))
    executions.drop_deleted(tx, outside.notices)
    return Success()


@router.get(
    "/{skillId}/executions",
    response_model=ExecutionSlice,
    summary="List a skill's executions",
    responses=problems("SKILL_NOT_FOUND"),
)
async def list_executions(
    *,
    skill_id: SkillId,
    reader: CurrentReader,
    limit: Annotated[int, Query(ge=1, le=100, description="How many at most."), WHOLE] = 10,
    offset: Annotated[int, Query(ge=0, le=10_000_000, description="How many of the newest are left out."), WHOLE] = 0,
) -> Response:
    """Its runs, newest first: those that you may see."""
    return JsonBytes(await executions.of_skill(reader, skill_id, limit, offset))


@router.get(
    "/{skillId}/stats",
    response_model=SkillDashboard,
    name="get_dashboard",
    summary="Read a skill's dashboard",
    responses=problems("SKILL_NOT_FOUND"),
)
async def stats(
    *,
    skill_id: SkillId,
    reader: CurrentReader,
    period: Annotated[statistics.Period, Query(description="Days, today included.")] = "30d",
) -> Response:
    """One skill's numbers over a period of whole UTC days."""
    await skills.get(reader, skill_id)
    return JsonBytes(await statistics.dashboard(reader, period, skill_id))


@router.post(
    "/{skillId}/execute",
    status_code=status.HTTP_202_ACCEPTED,
    response_model=ExecuteSkillResponse,
    summary="Run a skill",
    responses=problems("SKILL_NOT_FOUND", ContextNotFound, "SKILL_INACTIVE", "INVALID_INPUT", "QUOTA_EXCEEDED")
    | {
        200: {
            "model": ExecuteSkillResponse,
            "description": "It ended within ?wait= seconds.",
            "headers": described(*LIMIT),
        },
        202: {"headers": described(*LIMIT)},
    },
)
async def execute(
    *,
    skill_id: SkillId,
    body: ExecuteSkillRequest | None = None,
    outside: Outside,
    principal: CurrentPrincipal,
    claim: CurrentClaim,
    request: Request,
    wait: Wait = 0,
) -> Response:
    """Accepts a run: a worker takes it from the queue. Read it at GET /executions/{id}, or wait for it here."""
    execution_id, body = uuid4(), body or ExecuteSkillRequest()
    with ExitStack() as expecting:
        # Before the run is there: whoever began to listen after it could miss its end.
        notice = expecting.enter_context(outside.notices.expect(str(execution_id))) if wait else None
        async with outside.database.org(principal) as tx:
            checked = await executions.check(tx, skill_id, body)
            pending = ExecuteSkillResponse(execution_id=execution_id, status=ExecutionStatus.PENDING)
            answer = JsonBytes(pending.model_dump_json(by_alias=True), status_code=status.HTTP_202_ACCEPTED)
            await claim.keep(tx, answer)
            accepted = await executions.accept(
                tx,
                outside.jobs,
                checked,
                body,
                execution_id=execution_id,
                request_id=request.scope.get("kijko.request_id"),
            )
        for name, value in quota_headers(accepted.quota or {}):
            add_header(request.scope, name, value)
        if notice is None:
            return answer
        reader = outside.database.reader(principal)
        found, ended = await executions.wait(reader, notice, execution_id, seconds=wait)
    return JsonBytes(found, status_code=status.HTTP_200_OK if ended else status.HTTP_202_ACCEPTED)
