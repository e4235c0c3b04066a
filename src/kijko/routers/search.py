"""What a project's index has, and what is found in it, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from kijko.models.search import ChunkPage, FilePage, SearchResult
from kijko.routers.answers import JsonBytes
from kijko.routers.deps import CurrentReader, PageNumber, PageSize
from kijko.routers.ids import ProjectId
from kijko.routers.numbers import WHOLE
from kijko.routers.problems import problems
from kijko.services import search as searches

router = APIRouter(prefix="/projects", tags=["projects"])

_READ = problems("PROJECT_NOT_FOUND")


async def questions(request: Request) -> searches.Questions:
    """What makes vectors of questions, as the lifespan made it."""
    made: searches.Questions = request.app.state.questions
    return made


AskedQuestions = Annotated[searches.Questions, Depends(questions)]


@router.get("/{projectId}/search", response_model=list[SearchResult], summary="Search a project", responses=_READ)
async def search(
    project_id: ProjectId,
    reader: CurrentReader,
    asked: AskedQuestions,
    q: Annotated[
        str,
        Query(
            max_length=10_000,
            description="A question in words or a name in any casing; 1 to 1,000 characters.",
            examples=["parse config"],
            json_schema_extra={"minLength": 1, "maxLength": 1000},  # as it is checked without the blanks around it
        ),
    ],
    limit: Annotated[int, Query(ge=1, le=100, description="Results at the most."), WHOLE] = 20,
) -> Response:
    """The pieces of the project's code that answer `q` best. `parse config` finds `parseConfig` and `parse_config`."""
    return JsonBytes(await searches.search(reader, asked, project_id, q, limit=limit))


@router.get(
    "/{projectId}/files", response_model=FilePage, name="list_files", summary="List a project's files", responses=_READ
)
async def files(
    project_id: ProjectId, reader: CurrentReader, page: PageNumber = 1, page_size: PageSize = 20
) -> Response:
    """The files that serve, by path: those of the last ingestion that succeeded."""
    return JsonBytes(await searches.files(reader, project_id, page=page, page_size=page_size))


@router.get(
    "/{projectId}/chunks",
    response_model=ChunkPage,
    name="list_chunks",
    summary="List a project's chunks",
    responses=_READ,
)
async def chunks(
    *,
    project_id: ProjectId,
    reader: CurrentReader,
    path: Annotated[str | None, Query(max_length=5000, description="Only this file's: its whole path.")] = None,
    page: PageNumber = 1,
    page_size: PageSize = 20,
) -> Response:
    """The chunks that serve, by path and place."""
    return JsonBytes(await searches.chunks(reader, project_id, path=path, page=page, page_size=page_size))
