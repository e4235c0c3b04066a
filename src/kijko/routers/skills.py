"""Skills over HTTP."""

from contextlib import ExitStack
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Query, Request, Response, status

from kijko.middleware.headers import add_header
from kijko.middleware.quota import quota_headers
from kijko.models.enums import ExecutionStatus, SkillCategory
from kijko.models.executions import ExecuteSkillRequest, ExecuteSkillResponse
from kijko.models.skills import CreateSkillRequest, Skill, SkillPage
from kijko.routers.answers import JsonBytes
from kijko.routers.deps import CurrentReader, CurrentTx, Outside, PageNumber, PageSize
from kijko.routers.headers import LIMIT, described
from kijko.routers.idempotency import CurrentClaim
from kijko.routers.ids import SkillId
from kijko.routers.principal import CurrentPrincipal
from kijko.routers.problems import problems
from kijko.services import executions, skills
from kijko.services.skills.errors import ContextNotFound

router = APIRouter(prefix="/skills", tags=["skills"])

Wait = Annotated[
    float,
    Query(ge=0, le=120, description="Seconds to wait for the end; then 200 with the result, else 202 as without it."),
]


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=Skill,
    summary="Make a skill",
    responses=problems("SKILL_NAME_EXISTS", "UNKNOWN_MODEL", ContextNotFound),
)
async def create(body: CreateSkillRequest, tx: CurrentTx, request: Request) -> Response:
    """Makes a skill and its version 1. Names are unique per owner, ignoring case."""
    made = await skills.create(tx, body, default_model=request.app.state.settings.models.default)
    return JsonBytes(made, status_code=status.HTTP_201_CREATED)


@router.get("", response_model=SkillPage, summary="List skills", responses=problems())
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


@router.get("/{skillId}", response_model=Skill, summary="Read a skill", responses=problems("SKILL_NOT_FOUND"))
async def get(skill_id: SkillId, reader: CurrentReader) -> Response:
    """One skill, by its id."""
    return JsonBytes(await skills.get(reader, skill_id))


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
    body: ExecuteSkillRequest,
    outside: Outside,
    principal: CurrentPrincipal,
    claim: CurrentClaim,
    request: Request,
    wait: Wait = 0,
) -> Response:
    """Accepts a run: a worker takes it from the queue. Read it at GET /executions/{id}, or wait for it here."""
    execution_id = uuid4()
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
