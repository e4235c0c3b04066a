"""Skills beyond one of them: their numbers, several at once, copies, files, and the versions that were."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response, status

from kijko.models.skills import (
    BulkResult,
    BulkSkillsRequest,
    DuplicateSkillRequest,
    ImportSkillRequest,
    Skill,
    SkillExport,
    SkillVersion,
)
from kijko.models.statistics import SkillStats
from kijko.routers.answers import JsonBytes
from kijko.routers.deps import CurrentReader, CurrentTx, Outside
from kijko.routers.etags import IfMatch, matching, tagged
from kijko.routers.ids import SkillId
from kijko.routers.numbers import WHOLE
from kijko.routers.problems import problems
from kijko.routers.skills import TAGGED, default_model
from kijko.services import executions, skills, statistics
from kijko.services.skills.errors import ContextNotFound

router = APIRouter(prefix="/skills", tags=["skills"])

Number = Annotated[
    int, Path(alias="version", description="The version's number, from 1.", json_schema_extra={"minimum": 1}), WHOLE
]


@router.get(
    "/stats", response_model=SkillStats, name="get_stats", summary="Count skills and their runs", responses=problems()
)
async def count(
    *,
    reader: CurrentReader,
    period: Annotated[
        statistics.Period | None, Query(description="Days whose runs are counted, today included; by default all.")
    ] = None,
) -> Response:
    """How many skills there are, how often they ran and what that cost, with the five that ran most."""
    return JsonBytes(await statistics.skills(reader, period))


@router.post(
    "/bulk/activate", response_model=BulkResult, name="activate_many", summary="Switch skills on", responses=problems()
)
async def activate(body: BulkSkillsRequest, tx: CurrentTx) -> BulkResult:
    """Switches on those that are yours to change: all of them or, where something fails, none. Others stay."""
    return BulkResult(count=await skills.switch_all(tx, body.skill_ids, is_active=True))


@router.post(
    "/bulk/deactivate",
    response_model=BulkResult,
    name="deactivate_many",
    summary="Switch skills off",
    responses=problems(),
)
async def deactivate(body: BulkSkillsRequest, tx: CurrentTx) -> BulkResult:
    """Switches off those that are yours to change, as `activate` switches on."""
    return BulkResult(count=await skills.switch_all(tx, body.skill_ids, is_active=False))


@router.delete("/bulk", response_model=BulkResult, summary="Delete skills", responses=problems())
async def delete_many(body: BulkSkillsRequest, tx: CurrentTx, outside: Outside) -> BulkResult:
    """Deletes those that are yours to change: all of them or, where something fails, none. Others stay."""
    executions.drop_deleted(tx, outside.notices)
    return BulkResult(count=await skills.delete_all(tx, body.skill_ids))


@router.post(
    "/import",
    status_code=status.HTTP_201_CREATED,
    response_model=Skill,
    name="import",
    summary="Import a skill",
    responses=problems("UNKNOWN_MODEL", ContextNotFound) | {201: TAGGED},
)
async def import_one(body: ImportSkillRequest, tx: CurrentTx, request: Request) -> Response:
    """Makes a skill of an export. Where you have one of its name it is called `name (1)`, or the next free number."""
    made = await skills.import_one(tx, body, default_model=default_model(request))
    return tagged(made.body, made.revision, status.HTTP_201_CREATED)


@router.get(
    "/{skillId}/export", response_model=SkillExport, summary="Export a skill", responses=problems("SKILL_NOT_FOUND")
)
async def export(skill_id: SkillId, reader: CurrentReader) -> Response:
    """The skill as a file, without ids, counts, times and the project of its context."""
    return JsonBytes(await skills.export(reader, skill_id))


@router.post(
    "/{skillId}/duplicate",
    status_code=status.HTTP_201_CREATED,
    response_model=Skill,
    summary="Duplicate a skill",
    responses=problems("SKILL_NOT_FOUND", "SKILL_NAME_EXISTS", "UNKNOWN_MODEL", ContextNotFound) | {201: TAGGED},
)
async def duplicate(
    skill_id: SkillId, tx: CurrentTx, request: Request, body: DuplicateSkillRequest | None = None
) -> Response:
    """A copy of your own, of any skill that you see; it begins with version 1."""
    made = await skills.duplicate(tx, skill_id, body or DuplicateSkillRequest(), default_model=default_model(request))
    return tagged(made.body, made.revision, status.HTTP_201_CREATED)


@router.get(
    "/{skillId}/versions",
    response_model=list[SkillVersion],
    name="list_versions",
    summary="List a skill's versions",
    responses=problems("SKILL_NOT_FOUND"),
)
async def versions(skill_id: SkillId, reader: CurrentReader) -> Response:
    """What it was made of, save by save, the newest first; a thousand at most."""
    return JsonBytes(await skills.versions(reader, skill_id))


@router.get(
    "/{skillId}/versions/{version}",
    response_model=SkillVersion,
    name="get_version",
    summary="Read a version",
    responses=problems("SKILL_NOT_FOUND", "SKILL_VERSION_NOT_FOUND"),
)
async def version(skill_id: SkillId, number: Number, reader: CurrentReader) -> Response:
    """One version. It never changes."""
    return JsonBytes(await skills.version(reader, skill_id, number))


@router.post(
    "/{skillId}/versions/{version}/restore",
    response_model=Skill,
    name="restore_version",
    summary="Put a version back",
    responses=problems(
        "SKILL_NOT_FOUND", "SKILL_VERSION_NOT_FOUND", "PRECONDITION_FAILED", "UNKNOWN_MODEL", ContextNotFound
    )
    | {200: TAGGED},
)
async def restore(skill_id: SkillId, number: Number, tx: CurrentTx, if_match: IfMatch = None) -> Response:
    """Makes what that version has the newest one; nothing is lost of those between."""
    saved = await skills.restore(tx, skill_id, number, match=matching(if_match))
    return tagged(saved.body, saved.revision)
