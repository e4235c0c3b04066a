"""Repositories over HTTP: those of a project, and ones to look at before."""

from fastapi import APIRouter, Response, status

from kijko.models.base import Success
from kijko.models.repositories import (
    AddRepositoryRequest,
    FullRepositoryValidation,
    ProjectRepository,
    RecentRepo,
    RepositoryValidation,
    UpdateRepositoryRequest,
    ValidateFullRequest,
    ValidateRepositoryRequest,
)
from kijko.routers.answers import JsonBytes
from kijko.routers.deps import CurrentReader, CurrentTx, Outside
from kijko.routers.idempotency import CurrentClaim
from kijko.routers.ids import ProjectId, RepositoryId, UserId
from kijko.routers.principal import CurrentPrincipal
from kijko.routers.problems import problems
from kijko.routers.projects_desk import ProjectsDesk
from kijko.services.projects import repositories, surveys
from kijko.services.projects.errors import UserNotFound

router = APIRouter(tags=["projects"])

_OF_PROJECT = "/projects/{projectId}/repositories"
_ONE = problems("PROJECT_NOT_FOUND", "REPOSITORY_NOT_FOUND")


@router.post(
    "/projects/validate-repository",
    response_model=RepositoryValidation,
    summary="Try a repository",
    responses=problems(),
)
async def validate_repository(
    body: ValidateRepositoryRequest, desk: ProjectsDesk, principal: CurrentPrincipal, claim: CurrentClaim
) -> RepositoryValidation:
    """Asks the git server whether the repository can be read, by you, and whether it has that branch."""
    return await repositories.validate(desk, principal, body.url, body.branch)


@router.post(
    _OF_PROJECT,
    status_code=status.HTTP_201_CREATED,
    response_model=ProjectRepository,
    name="add_repository",
    summary="Add a repository",
    responses=problems("PROJECT_NOT_FOUND", "REPOSITORY_EXISTS", "INVALID_REPOSITORY_URL"),
)
async def add(
    *,
    project_id: ProjectId,
    body: AddRepositoryRequest,
    desk: ProjectsDesk,
    outside: Outside,
    principal: CurrentPrincipal,
    claim: CurrentClaim,
) -> Response:
    """Adds a repository to a project. Without a branch its server is asked for the default one."""
    at, branch = await repositories.prepare(desk, principal, project_id, body)
    async with outside.database.org(principal) as tx:
        made = await repositories.add(tx, project_id, body, at, branch)
        answer = JsonBytes(made, status_code=status.HTTP_201_CREATED)
        await claim.keep(tx, answer)
    return answer


@router.get(
    _OF_PROJECT,
    response_model=list[ProjectRepository],
    name="list_repositories",
    summary="List a project's repositories",
    responses=problems("PROJECT_NOT_FOUND"),
)
async def list_all(project_id: ProjectId, reader: CurrentReader) -> Response:
    """A project's repositories, first added first."""
    return JsonBytes(await repositories.list_all(reader, project_id))


@router.patch(
    _OF_PROJECT + "/{repositoryId}",
    response_model=ProjectRepository,
    name="update_repository",
    summary="Change a repository",
    responses=_ONE,
)
async def update(
    project_id: ProjectId, repository_id: RepositoryId, body: UpdateRepositoryRequest, tx: CurrentTx
) -> Response:
    """Changes the fields that are present; the next ingestion reads accordingly."""
    return JsonBytes(await repositories.update(tx, project_id, repository_id, body))


@router.delete(
    _OF_PROJECT + "/{repositoryId}",
    response_model=Success,
    name="remove_repository",
    summary="Remove a repository",
    responses=_ONE,
)
async def remove(project_id: ProjectId, repository_id: RepositoryId, tx: CurrentTx) -> Success:
    """Takes a repository out of a project, with its files and chunks."""
    await repositories.remove(tx, project_id, repository_id)
    return Success()


@router.post(
    "/repositories/validate-full",
    response_model=FullRepositoryValidation,
    name="inspect_repository",
    summary="Look at a repository",
    responses=problems(),
)
async def validate_full(
    body: ValidateFullRequest, desk: ProjectsDesk, principal: CurrentPrincipal, claim: CurrentClaim
) -> FullRepositoryValidation:
    """Whether you can read the repository, and what GitHub's or GitLab's API, or else git itself, tells of it."""
    return await surveys.validate_full(desk, principal, body.url)


@router.get(
    "/users/{userId}/recent-repos",
    response_model=list[RecentRepo],
    name="list_recent_repositories",
    summary="List repositories you have used",
    responses=problems("USER_NOT_FOUND"),
)
async def recent(user_id: UserId, principal: CurrentPrincipal, reader: CurrentReader) -> Response:
    """The repositories that you added or ingested in this organization, last used first, at most 20. Your own only."""
    if user_id != principal.user_id:
        raise UserNotFound
    return JsonBytes(await repositories.recent(reader))
