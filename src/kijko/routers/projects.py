"""Projects over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query, Response, status

from kijko.models.base import Success
from kijko.models.enums import ProjectStatus, ProjectType
from kijko.models.projects import (
    CreateProjectRequest,
    CreateProjectResponse,
    NameValidation,
    ProjectDetails,
    ProjectPage,
    ProjectSort,
    ProjectStats,
    ProjectWithRelations,
    UpdateProjectRequest,
    ValidateNameRequest,
)
from kijko.routers.answers import JsonBytes
from kijko.routers.deps import CurrentReader, CurrentTx, Outside, PageNumber, PageSize
from kijko.routers.ids import ProjectId
from kijko.routers.problems import problems
from kijko.services import projects

router = APIRouter(prefix="/projects", tags=["projects"])

_CHANGE = problems("PROJECT_NOT_FOUND", "PROJECT_NAME_EXISTS")


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=CreateProjectResponse,
    summary="Make a project",
    responses=problems("PROJECT_NAME_EXISTS", "ORGANIZATION_NOT_FOUND"),
)
async def create(body: CreateProjectRequest, tx: CurrentTx, outside: Outside) -> Response:
    """Makes a project; you are its first admin. Names are unique in an organization, ignoring case."""
    made = await projects.create(tx, body, allowed=outside.git.allowed)
    steps = b",".join(b'"%s"' % step.encode() for step in made.next_steps)
    return JsonBytes(b'{"project":%s,"nextSteps":[%s]}' % (made.project, steps), status_code=status.HTTP_201_CREATED)


@router.get("", response_model=ProjectPage, name="list", summary="List projects", responses=problems())
async def list_page(
    *,
    reader: CurrentReader,
    search: Annotated[str | None, Query(max_length=200, description="A text in the name.")] = None,
    project_status: Annotated[ProjectStatus | None, Query(alias="status")] = None,
    kind: Annotated[ProjectType | None, Query(alias="type")] = None,
    sort: Annotated[ProjectSort, Query(description="The order; with a minus, the last comes first.")] = "-updatedAt",
    page: PageNumber = 1,
    page_size: PageSize = 20,
) -> Response:
    """The organization's projects that you may read, last updated first unless `sort` says otherwise."""
    found = await projects.list_page(
        reader, search=search, status=project_status, kind=kind, sort=sort, page=page, page_size=page_size
    )
    return JsonBytes(found)


@router.get("/stats", response_model=ProjectStats, name="get_stats", summary="Count projects", responses=problems())
async def stats(reader: CurrentReader) -> Response:
    """How many projects you may read, by status, with their files and tokens."""
    return JsonBytes(await projects.stats(reader))


@router.post("/validate-name", response_model=NameValidation, summary="Try a name", responses=problems())
async def validate_name(body: ValidateNameRequest, tx: CurrentTx) -> NameValidation:
    """Whether a project may have that name. `excludeId` names the project that may have it already."""
    return await projects.validate_name(tx, body.name, except_project=body.exclude_id)


@router.get(
    "/{projectId}", response_model=ProjectDetails, summary="Read a project", responses=problems("PROJECT_NOT_FOUND")
)
async def get(project_id: ProjectId, reader: CurrentReader) -> Response:
    """One project, by its id, with its settings: what was set, and the default of what was not."""
    return JsonBytes(await projects.get(reader, project_id))


@router.get(
    "/{projectId}/full",
    response_model=ProjectWithRelations,
    name="get_full",
    summary="Read a project with what hangs on it",
    responses=problems("PROJECT_NOT_FOUND"),
)
async def full(project_id: ProjectId, reader: CurrentReader) -> Response:
    """One project with its repositories, its members and the ingestion that runs now."""
    return JsonBytes(await projects.full(reader, project_id))


@router.put("/{projectId}", response_model=ProjectDetails, summary="Change a project", responses=_CHANGE)
async def put(project_id: ProjectId, body: UpdateProjectRequest, tx: CurrentTx, outside: Outside) -> Response:
    """Changes the fields that are present. In `settings`, what is absent stays and null goes back to the default."""
    return JsonBytes(await projects.update(tx, project_id, body, allowed=outside.git.allowed))


@router.patch("/{projectId}", response_model=ProjectDetails, summary="Change a project (PATCH)", responses=_CHANGE)
async def patch(project_id: ProjectId, body: UpdateProjectRequest, tx: CurrentTx, outside: Outside) -> Response:
    """The same as PUT: changes the fields that are present."""
    return JsonBytes(await projects.update(tx, project_id, body, allowed=outside.git.allowed))


@router.delete(
    "/{projectId}", response_model=Success, summary="Delete a project", responses=problems("PROJECT_NOT_FOUND")
)
async def delete(project_id: ProjectId, tx: CurrentTx) -> Success:
    """Deletes a project with its repositories, members, ingestions, files and chunks."""
    await projects.delete(tx, project_id)
    return Success()
